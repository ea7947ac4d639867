#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the guest's programs and makes the tools disk of them, which the guest mounts on /opt/venus.
# Prints the disk's path. What has not changed is not built again.
#
# usage: tools-disk.sh [--arch ARCH] [--dir]
#   --arch ARCH  of the guest's processor: x86_64 (the default) or aarch64
#   --dir        print the directory with the programs instead: those for x86_64 run on the host too
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

print=disk
arch=x86_64
while [ $# -gt 0 ]; do
    case $1 in
    --dir) print=tools ;;
    --arch) [ $# -gt 1 ] || die "--arch takes a processor"; arch=$2; shift ;;
    --arch=*) arch=${1#*=} ;;
    --help) usage; exit ;;
    *) die "unknown option $1; see $program --help" ;;
    esac
    shift
done
in_root=(--stock-qemu)
options=()
name="guest programs"
case $arch in
x86_64) ;;
aarch64)
    in_root=(--cross)
    options=(--cross-file "$scripts/aarch64.ini")
    name="guest programs for aarch64"
    ;;
*) die "--arch takes x86_64 or aarch64, not $arch" ;;
esac

# shellcheck disable=SC2317
build() {
    local file
    "$scripts/in-root.sh" "${in_root[@]}" -- meson setup "${options[@]}" "$work/build" "$top/guest"
    "$scripts/in-root.sh" "${in_root[@]}" -- meson compile -C "$work/build"
    mkdir -p "$work/out/tools"
    while IFS= read -r file; do
        cp "$file" "$work/out/tools/"
    done < <(find "$work/build" -maxdepth 1 -type f \( -perm -u+x -o -name '*.so' \))
    cp -p "$top"/guest/{init,serve,wl,compositor,*.json} "$work/out/tools/"
    "$scripts/in-root.sh" "${in_root[@]}" -- mke2fs -q -t ext4 -O ^has_journal -m 0 -L venus-tools -d "$work/out/tools" \
        "$work/out/tools.img" 16m
    mv -T "$work/out" "$place"
}

# The guest is a Debian 13: its programs need that one's C library, whatever this machine has.
export HOST_ROOT=debian
root=$("$scripts/host-root.sh" "${in_root[@]}")
key=$( (
    printf '%s\n' "$(root_key "$root")"
    declare -f build
    [ "$arch" = x86_64 ] || cat "$scripts/aarch64.ini"
    cd "$top/guest" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum --
) | key_of)
place=$cache/tools/$key
if [ ! -d "$place" ]; then
    need flock:util-linux
    lock tools-disk
    if [ ! -d "$place" ]; then
        mkdir -p "$cache/tools"
        step_dir tools-disk
        run_step "$name" build
        prune "$cache/tools" "$place" 7
    fi
    unlock
fi
touch -c "$place"
disk=$place/tools.img
tools=$place/tools
: "$disk" "$tools" # one of which is printed
printf '%s\n' "${!print}"
