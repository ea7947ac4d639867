#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs clang-tidy over the library's sources, as many at once as there are processors; .clang-tidy says what
# it looks for. Prints what it finds; the exit status is 0 if that is nothing.
#
# usage: tidy.sh [FILE...]   of src/; all of them if none is given
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

case ${1:-} in
--help) usage; exit ;;
-*) die "unknown option $1; see $program --help" ;;
esac

root=$("$scripts/host-root.sh" --tidy)
need flock:util-linux
key=$(printf '%s\n' "$top" "$root" | key_of)
build=$cache/tidy/$key
tidy_root=("$scripts/in-root.sh" --tidy --)

# clang-tidy wants to know how each file is compiled, and the headers that are generated; nothing is compiled.
# shellcheck disable=SC2317
configure() {
    local generated
    if ! [ -f "$build/build.ninja" ]; then
        rm -rf "$build"
        "${tidy_root[@]}" env CC=clang meson setup "$build" "$top"
    fi
    generated=$("${tidy_root[@]}" ninja -C "$build" -t targets all |
        sed -n 's/: CUSTOM_COMMAND.*//p' | grep -E '\.[ch]$')
    # shellcheck disable=SC2086 # several words
    "${tidy_root[@]}" ninja -C "$build" $generated
}

lock "tidy-$key"
mkdir -p "$cache/tidy"
run_step "what clang-tidy reads" configure
if [ $# -eq 0 ]; then
    cd "$top"
    mapfile -t files < <(find src -name '*.c' ! -path src/platform/darwin.c | LC_ALL=C sort)
    set -- "${files[@]}"
fi
printf '%s\0' "$@" | "${tidy_root[@]}" xargs -0 -n 4 -P "$(nproc)" clang-tidy -p "$build" --quiet
prune "$cache/tidy" "$build" 14
