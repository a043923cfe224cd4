#!/bin/sh
# Exits 0 only when the colour that has no traffic works: test/validate-green-environment.sh [SERVICE [ENV]]
. "$(dirname -- "$0")/../bin/environment.sh"
exec traderx blue-green "${1:-trade-service}" "${2:-prod}" --validate
