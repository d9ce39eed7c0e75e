#!/usr/bin/env bash
# Look at the telemetry stack (docs/stack.md).   usage: scripts/status_stack.sh [OPTION…]; --help lists them
exec "$(dirname "${BASH_SOURCE[0]}")/stack.sh" status "$@"
