#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a guest for a person; see run-guest.sh --help.
set -euo pipefail
here=$(dirname "$0")
command -v python3 >/dev/null || "$here/host-tools.sh" python3
exec python3 "$here/launch.py" guest "$@"
