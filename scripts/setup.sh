#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes what a guest needs: a QEMU with the device, the guest image, the guest's programs. What does not depend on each
# other is made at the same time. Prints the path of the QEMU. With a full cache it takes a second.
#
# usage: setup.sh [--built] [--arch ARCH] [--small | --micro]
#   --built      a QEMU that is built with the device and our patches (minutes), instead of Debian's own with the
#                device as a module
#   --arch ARCH  of the guest's processor: x86_64 (the default) or aarch64
#   --small      the small guest image, which the demo boots, instead of the one that the tests boot
#   --micro      the micro guest instead
# The QEMU is built, too, where Debian's own cannot be had; a line says why.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

built=
arch=x86_64
image=("$scripts/guest-image.sh")
micro=
while [ $# -gt 0 ]; do
    case $1 in
    --built) built=1 ;;
    --small) image+=(--variant small) ;;
    --micro) micro=1 ;;
    --arch) [ $# -gt 1 ] || die "--arch takes a processor"; arch=$2; shift ;;
    --arch=*) arch=${1#*=} ;;
    --help) usage; exit ;;
    *) die "unknown option $1; see $program --help" ;;
    esac
    shift
done

# why_built: prints why Debian's own QEMU will not do; nothing if it may.
why_built() {
    if [ "$arch" != x86_64 ]; then
        echo "the module is for x86_64 guests"
    elif [ "$(uname -m)" != x86_64 ]; then
        echo "the module is for x86_64 hosts"
    elif [ -n "${QEMU_SRC:-}" ]; then
        echo "QEMU_SRC is set"
    fi
}

# made COMMAND...: runs it, and leaves its exit status in rc. In the background: a signal is acted upon at once only
# while bash waits for that.
made() {
    rc=0
    "$@" &
    wait $! || rc=$?
}

# The tools of all first, as only one apt-get can run at a time.
need python3 flock:util-linux apt-get:apt dpkg-deb:dpkg dpkg-source:dpkg-dev xz:xz-utils patch
if [ -z "${GUEST_IMAGE:-}$micro" ] && [ "${#image[@]}" = 1 ]; then
    need mmdebstrap mke2fs:e2fsprogs
fi
others=()
if [ -z "$micro" ]; then
    "${image[@]}" --arch "$arch" >/dev/null &
    others+=($!)
fi
# What the programs and the module are built in: one makes it, or others wait.
made env HOST_ROOT=debian "$scripts/host-root.sh" --stock-qemu >/dev/null
[ "$rc" = 0 ] || exit "$rc"
if [ -z "$micro" ]; then
    "$scripts/tools-disk.sh" --arch "$arch" >/dev/null &
else
    "$scripts/micro-guest.sh" >/dev/null &
fi
others+=($!)
rc=1
if [ -z "$built" ]; then
    why=$(why_built)
    if [ -z "$why" ]; then
        made "$scripts/build-module.sh"
        why="Debian's own QEMU with the module cannot be had"
    fi
    [ "$rc" = 0 ] || say "$program: $why: a QEMU is built, which takes minutes the first time"
fi
if [ "$rc" != 0 ]; then
    made "$scripts/build-qemu.sh" --arch "$arch"
fi
if [ "$rc" != 0 ]; then
    kill "${others[@]}" 2>/dev/null || true
fi
for other in "${others[@]}"; do
    wait "$other" || rc=$?
done
exit "$rc"
