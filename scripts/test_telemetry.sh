#!/usr/bin/env bash
# Ask each server of the stack for what was sent (docs/stack.md).   usage: scripts/test_telemetry.sh [OUTPUT_DIR]; --help lists options
exec "$(dirname "${BASH_SOURCE[0]}")/stack.sh" test "$@"
