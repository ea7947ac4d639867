#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes everything that the demo and the tests need: the root, the library, QEMU, the guest image. What
# does not depend on each other is made at the same time. With a full cache it takes a second.
#
# usage: setup.sh
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

case ${1:-} in
--help) usage; exit ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

# The tools of both first, as only one apt-get can run at a time.
need python3 flock:util-linux
if [ -z "${GUEST_IMAGE:-}" ]; then
    need mmdebstrap mke2fs:e2fsprogs
fi
# Both in the background: a signal is acted upon at once only while bash waits for those.
"$scripts/guest-image.sh" >/dev/null &
image=$!
"$scripts/build-qemu.sh" >/dev/null &
rc=0
wait $! || rc=$?
if [ "$rc" != 0 ]; then
    kill "$image" 2>/dev/null || true
fi
wait "$image" || rc=$?
exit "$rc"
