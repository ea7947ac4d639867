#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds libvenusgpu in the root that host-root.sh chose, and installs it in the cache.
# Prints the prefix where it is installed. What has not changed is not built again.
#
# usage: build-lib.sh [--stock-qemu | --arch=aarch64] [--sanitize=LIST] [--strict=COMPILER] [--build-dir]
#                     [--fuzz[=coverage]]
#   --stock-qemu     in the small root that has Debian's QEMU instead, which cannot build its tests
#   --arch=aarch64   for hosts of that processor, in a root of its own; nothing of it runs here
#   --sanitize=LIST  with sanitizers: address,undefined or thread
#   --strict=NAME    its tests too, by gcc or clang, with every warning an error
#   --build-dir      build the tests too, and print the path of meson's build directory (to run them in)
#                    instead
#   --fuzz           the targets of fuzz/ instead, by clang, with sanitizers; prints the build directory
#   --fuzz=coverage  the same without sanitizers, but with counters of what they reach
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

sanitize=none
strict=
print=prefix
in_root=()
fuzz=
for option in "$@"; do
    case $option in
    --sanitize=address,undefined | --sanitize=thread) sanitize=${option#*=} ;;
    --sanitize=*) die "--sanitize takes address,undefined or thread" ;;
    --strict=gcc | --strict=clang) strict=${option#*=} ;;
    --strict=*) die "--strict takes gcc or clang" ;;
    --build-dir) print=build ;;
    --fuzz) sanitize=address,undefined fuzz=1 print=build ;;
    --fuzz=coverage) fuzz=coverage print=build ;;
    --stock-qemu) in_root=("$option") ;;
    --arch=aarch64) in_root=(--arm-host) ;;
    --arch=*) die "--arch takes aarch64" ;;
    --help) usage; exit ;;
    *) die "unknown option $option; see $program --help" ;;
    esac
done
[ -f "$top/meson.build" ] || die "there is no meson.build in $top"

options=(--buildtype=debugoptimized --libdir=lib -Db_sanitize="$sanitize")
compiler=()
name=libvenusgpu
if [ "${in_root[*]}" = --arm-host ]; then
    options+=(--cross-file "$scripts/aarch64.ini")
    name="libvenusgpu for aarch64"
fi
if [ -n "$strict" ]; then
    options+=(-Dwerror=true)
    compiler=(env CC="$strict")
fi

if [ -n "$fuzz" ]; then
    options+=(-Dfuzz=true -Db_lundef=false -Ddoctor=disabled -Drenderd=disabled)
    [ "$fuzz" != coverage ] || options+=(-Dfuzz_coverage=true)
    compiler=(env CC=clang)
# Those who want the library alone, such as the demo, need not be able to build its tests.
elif [ "$print" = build ] || [ -n "$strict" ]; then
    options+=(-Dtests=true)
fi

# source_files: the names of what the library is built from, each with a zero byte.
source_files() (
    cd "$top"
    find . -mindepth 1 -maxdepth 1 \
        \( -name 'meson*' -o -name include -o -name src -o -name tests -o -name tools \
        -o -name bench -o -name fuzz \) -print0 |
        xargs -0 -I{} find {} -name __pycache__ -prune \
            -o \( -path ./tests/guest -o -path ./tests/host-16k -o -path ./fuzz/seeds \) -prune \
            -o -name '*.py' ! -path './tests/abi/*' -prune -o -type f -print0 |
        LC_ALL=C sort -z
)

# manifest: the hash and the name of each of them.
manifest() {
    source_files | (cd "$top" && xargs -0 sha256sum --)
}

# The build works on a copy, where a file gets a new date just when its content changes, and lies the same
# way beside its source for every checkout: so what one has compiled is in the compiler's cache for all.
# shellcheck disable=SC2317
copy_source() {
    mkdir "$work/src"
    source_files | (cd "$top" && xargs -0 cp --parents -t "$work/src" --)
    sync_tree "$work/src" "$dir/src"
}

# shellcheck disable=SC2317
build() {
    copy_source
    compiler_cache
    if ! [ -f "$dir/configured" ]; then
        rm -rf "$build"
        "$scripts/in-root.sh" "${in_root[@]}" -- "${compiler[@]}" meson setup --prefix="$prefix" "${options[@]}" "$build" "$dir/src"
        touch "$dir/configured"
    fi
    "$scripts/in-root.sh" "${in_root[@]}" -- meson compile -C "$build"
    "$scripts/in-root.sh" "${in_root[@]}" -- env DESTDIR="$work/install" meson install --no-rebuild -C "$build"
    sync_tree "$work/install$prefix" "$prefix"
}

root=$("$scripts/host-root.sh" "${in_root[@]}")
key=$( (printf '%s\n' "$top" "$(root_key "$root")" "${options[@]}" "${compiler[@]}"; declare -f build copy_source) | key_of)
dir=$cache/lib/$key
prefix=$dir/prefix
build=$dir/build
current=$(cat "$dir/manifest" 2>/dev/null || true)
if [ "$(manifest)" != "$current" ]; then
    need flock:util-linux
    lock "lib-$key"
    current=$(cat "$dir/manifest" 2>/dev/null || true)
    if [ "$(manifest)" != "$current" ]; then
        step_dir "lib-$key"
        mkdir -p "$dir"
        manifest >"$work/manifest"
        # Without a manifest the build counts as not made, should this one fail.
        rm -f "$dir/manifest"
        [ "$sanitize" = none ] || name="$name ($sanitize)"
        [ -z "$fuzz" ] || name="targets of fuzz/ ($fuzz)"
        [ "$fuzz" != 1 ] || name="targets of fuzz/ ($sanitize)"
        [ -z "$strict" ] || name="$name ($strict, strictly)"
        run_step "$name" build
        mv "$work/manifest" "$dir/manifest"
        prune "$cache/lib" "$dir" 14
    fi
    unlock
fi
touch -c "$dir"
printf '%s\n' "${!print}"
