#!/bin/sh
# Tests who reaches whom by the network policies, where they are enforced. See --help.
. "$(dirname -- "$0")/../bin/environment.sh"
exec traderx check-connectivity "$@"
