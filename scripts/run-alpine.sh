#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs and boots Alpine and other distributions' images; see run-alpine.sh --help.
set -euo pipefail
here=$(dirname "$0")
command -v python3 >/dev/null || "$here/host-tools.sh" python3
exec python3 "$here/launch.py" alpine "$@"
