#!/usr/bin/env bash
# Start the telemetry stack (docs/stack.md).   usage: scripts/start_stack.sh [OPTION…]; --help lists them
exec "$(dirname "${BASH_SOURCE[0]}")/stack.sh" start "$@"
