#!/usr/bin/env bash
# Stop the telemetry stack (docs/stack.md).   usage: scripts/stop_stack.sh [OPTION…]; --help lists them
exec "$(dirname "${BASH_SOURCE[0]}")/stack.sh" stop "$@"
