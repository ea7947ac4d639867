#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds libvenusgpu, with its tests, in the root that host-root.sh chose, and installs it in the cache.
# Prints the prefix where it is installed. What has not changed is not built again.
#
# usage: build-lib.sh [--sanitize=LIST] [--strict=COMPILER] [--build-dir]
#   --sanitize=LIST  with sanitizers: address,undefined or thread
#   --strict=NAME    by gcc or clang, with every warning an error
#   --build-dir      print the path of meson's build directory (to run the tests in) instead
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

sanitize=none
strict=
print=prefix
for option in "$@"; do
    case $option in
    --sanitize=address,undefined | --sanitize=thread) sanitize=${option#*=} ;;
    --sanitize=*) die "--sanitize takes address,undefined or thread" ;;
    --strict=gcc | --strict=clang) strict=${option#*=} ;;
    --strict=*) die "--strict takes gcc or clang" ;;
    --build-dir) print=build ;;
    --help) usage; exit ;;
    *) die "unknown option $option; see $program --help" ;;
    esac
done
[ -f "$top/meson.build" ] || die "there is no meson.build in $top"

options=(-Dtests=true --buildtype=debugoptimized --libdir=lib -Db_sanitize="$sanitize")
compiler=()
if [ -n "$strict" ]; then
    options+=(-Dwerror=true)
    compiler=(env CC="$strict")
fi

# manifest: what the library is built from: hash and name, then date and name, of each file.
manifest() (
    cd "$top"
    find . -mindepth 1 -maxdepth 1 \
        \( -name 'meson*' -o -name include -o -name src -o -name tests -o -name bench \
        -o -name fuzz \) -print0 |
        xargs -0 -I{} find {} -name __pycache__ -prune -o -path ./tests/guest -prune -o -name '*.py' -prune \
            -o -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sh -c 'sha256sum -- "$@" && stat -c "%Y %n" -- "$@"' sh
)

# changed_behind_ninja MANIFEST: whether a file's content is not what the last build saw, but its date is
# not newer. Ninja goes by dates and would miss it (a checkout unpacked from an archive, say).
changed_behind_ninja() {
    [ -f "$dir/attempt" ] || return 1
    awk -v built="$(stat -c %Y "$dir/attempt")" '
        FNR == NR { if (length($1) == 64) old[$2] = $1; next }
        length($1) == 64 { changed[$2] = old[$2] != $1; next }
        changed[$2] && $1 <= built { behind = 1 }
        END { exit !behind }' "$dir/attempt" "$1"
}

# shellcheck disable=SC2317
build() {
    export CCACHE_DIR=$cache/ccache CCACHE_MAXSIZE=3G CCACHE_COMPILERCHECK=content
    if ! [ -f "$dir/configured" ]; then
        rm -rf "$build"
        "$scripts/in-root.sh" "${compiler[@]}" meson setup --prefix="$prefix" "${options[@]}" "$build" "$top"
        touch "$dir/configured"
    fi
    "$scripts/in-root.sh" meson compile -C "$build"
    "$scripts/in-root.sh" env DESTDIR="$work/install" meson install --no-rebuild -C "$build"
    sync_tree "$work/install$prefix" "$prefix"
}

root=$("$scripts/host-root.sh")
key=$( (printf '%s\n' "$top" "$(root_key "$root")" "${options[@]}" "${compiler[@]}"; declare -f build) | key_of)
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
        if changed_behind_ninja "$work/manifest"; then
            rm -f "$dir/configured"
        fi
        # Without a manifest the build counts as not made, should this one fail.
        rm -f "$dir/manifest"
        cp "$work/manifest" "$dir/attempt"
        name=libvenusgpu
        [ "$sanitize" = none ] || name="libvenusgpu ($sanitize)"
        [ -z "$strict" ] || name="libvenusgpu ($strict, strictly)"
        run_step "$name" build
        mv "$work/manifest" "$dir/manifest"
        prune "$cache/lib" "$dir" 14
    fi
    unlock
fi
touch -c "$dir"
printf '%s\n' "${!print}"
