#!/usr/bin/env bash
# Remove a participant from an output folder, the stack's servers and their archives (docs/stack.md).
# usage: scripts/withdraw.sh OUTPUT_DIR sub-LABEL [OPTION…]; --help lists them
exec "$(dirname "${BASH_SOURCE[0]}")/stack.sh" withdraw "$@"
