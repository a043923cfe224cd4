#!/bin/sh
# Checks that the books of an environment balance. See --help.
. "$(dirname -- "$0")/../bin/environment.sh"
exec traderx verify-data "$@"
