#!/bin/sh
# Checks units, worker, drift, services and ingress of an environment. See --help.
. "$(dirname -- "$0")/../bin/environment.sh"
exec traderx check-health "$@"
