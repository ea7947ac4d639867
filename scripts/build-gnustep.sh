#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the test of the presenter's Objective-C, which is for macOS, with GNUstep's AppKit for Linux, warnings being
# errors. Prints the program's path: run it by in-root.sh --gnustep, on an X server.
#
# usage: build-gnustep.sh
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

case ${1:-} in
--help) usage; exit ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

c_files=(src/base/{clock,message}.c src/platform/linux.c src/present/{images,sheets}.c src/vk/vulkan.c)
objc_files=(src/present/surface-{iosurface,layer,metal}.m tests/darwin/gnustep/{iosurfaces,layers,test-surface-layer}.m)

# What runs in there. GNUstep's headers have warnings of their own, and its options are for Objective-C only.
# shellcheck disable=SC2016
compile='
set -eu
work=$1
shift
set -- "$@" -std=gnu11 -D_GNU_SOURCE -DHAVE_METAL -Wall -Wextra -Werror -O1 -g -Isrc -Iinclude
objc=$(gnustep-config --objc-flags | sed "s/-MMD -MP//; s/ -O2//; s/-I/-isystem /g")
for file in $c_files; do
    gcc "$@" -c "$file" -o "$work/${file##*/}.o"
done
for file in $objc_files; do
    gcc $objc "$@" -Itests/darwin/gnustep -c "$file" -o "$work/${file##*/}.o"
done
gcc -pthread "$work"/*.o $(gnustep-config --gui-libs) -lm -o "$work/test-surface-layer"
'

# shellcheck disable=SC2317
build() {
    cd "$top"
    "$scripts/in-root.sh" --gnustep -- sh -c "c_files='${c_files[*]}' objc_files='${objc_files[*]}'; $compile" compile "$work"
    mkdir -p "$cache/gnustep"
    mv -T "$work" "$dir"
}

need flock:util-linux
root=$("$scripts/host-root.sh" --gnustep)
key=$( (
    cd "$top"
    printf '%s\n' "$(root_key "$root")" "$compile"
    cat "${c_files[@]}" "${objc_files[@]}" tests/darwin/gnustep/*.h tests/darwin/gnustep/*/*.h \
        src/{base,platform,present,vk}/*.h include/*.h
) | key_of)
dir=$cache/gnustep/$key
if ! [ -d "$dir" ]; then
    lock "gnustep-$key"
    if ! [ -d "$dir" ]; then
        step_dir "gnustep-$key"
        run_step "presenter's Objective-C with GNUstep" build
        prune "$cache/gnustep" "$dir" 14
    fi
    unlock
fi
touch "$dir"
printf '%s\n' "$dir/test-surface-layer"
