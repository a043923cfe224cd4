#!/bin/sh
# Exits 0 only when a region of prod works: test/validate-region.sh REGION [--without-traffic]
. "$(dirname -- "$0")/../bin/environment.sh"
exec traderx regions validate "${1:-us-east-1}" ${2:+"$2"}
