#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes sure that this machine has some commands: as root on a Debian they are installed, otherwise it
# says what to install.
#
# usage: host-tools.sh COMMAND[:PACKAGE]...
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

case ${1:---help} in
--help) usage ;;
-*) die "unknown option $1; see $program --help" ;;
*) need "$@" ;;
esac
