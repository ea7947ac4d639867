#!/bin/bash
# SPDX-License-Identifier: MIT
# Tries everything on a Mac, step by step, and writes a report to send back; see macos-report.sh --help.
set -eu
here=$(dirname "$0")
if ! command -v python3 >/dev/null; then
    echo "macos-report.sh: there is no python3: run xcode-select --install" >&2
    exit 1
fi
exec env PYTHONPATH="$here" python3 -m venusvm.mac_report "$@"
