#!/bin/sh
# Begins a postmortem from what the hub recorded. See --help.
. "$(dirname -- "$0")/../bin/environment.sh"
exec traderx postmortem "$@"
