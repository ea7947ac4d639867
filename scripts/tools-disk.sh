#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the guest's programs and makes the tools disk of them, which the guest mounts on /opt/venus.
# Prints the disk's path. What has not changed is not built again.
#
# usage: tools-disk.sh [--dir]
#   --dir   print the directory with the programs instead: they run on the host too
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

print=disk
case ${1:-} in
--dir) print=tools ;;
--help) usage; exit ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

# shellcheck disable=SC2317
build() {
    local file
    "$scripts/in-root.sh" meson setup "$work/build" "$top/guest"
    "$scripts/in-root.sh" meson compile -C "$work/build"
    mkdir -p "$work/out/tools"
    while IFS= read -r file; do
        cp "$file" "$work/out/tools/"
    done < <(find "$work/build" -maxdepth 1 -type f \( -perm -u+x -o -name '*.so' \))
    cp -p "$top"/guest/{init,wl,compositor,*.json} "$work/out/tools/"
    "$scripts/in-root.sh" mke2fs -q -t ext4 -O ^has_journal -m 0 -L venus-tools -d "$work/out/tools" \
        "$work/out/tools.img" 16m
    mv -T "$work/out" "$place"
}

# The guest is a Debian 13: its programs need that one's C library, whatever this machine has.
export HOST_ROOT=debian
root=$("$scripts/host-root.sh")
key=$( (
    printf '%s\n' "$(root_key "$root")"
    declare -f build
    cd "$top/guest" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum --
) | key_of)
place=$cache/tools/$key
if [ ! -d "$place" ]; then
    need flock:util-linux
    lock tools-disk
    if [ ! -d "$place" ]; then
        mkdir -p "$cache/tools"
        step_dir tools-disk
        run_step "guest programs" build
        prune "$cache/tools" "$place" 7
    fi
    unlock
fi
touch -c "$place"
disk=$place/tools.img
tools=$place/tools
: "$disk" "$tools" # one of which is printed
printf '%s\n' "${!print}"
