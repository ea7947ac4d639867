#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds everything for a Mac: virglrenderer, libvenusgpu, and QEMU with the device, for macOS' hypervisor. Homebrew
# brings what they need. Prints the path of QEMU. No Mac has run it yet: docs/macos.md.
#
# usage: build-macos.sh [--prefix DIR] [--jobs N] [--tests] [--no-brew] [--dry-run]
#   --prefix DIR  where to install (~/.cache/virtio-gpu-venus/macos/prefix)
#   --jobs N      compile N files at a time (as many as there are processors)
#   --tests       build the library's tests too, at the end, in a directory of their own
#   --no-brew     install nothing with Homebrew: you have done so
#   --dry-run     print every command that would run, and run none; on any system
# What is done already is not done again; remove ~/.cache/virtio-gpu-venus/macos to begin anew.
# Written for bash 3.2, which is macOS' own.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
top=$(dirname "$here")
program=${0##*/}
cache=${XDG_CACHE_HOME:-${HOME:?is not set}/.cache}/virtio-gpu-venus/macos
prefix=$cache/prefix
jobs=
tests=
brew=yes
dry=

say() { printf '%s\n' "$*" >&2; }
die() { say "$program: $*"; exit 3; }

while [ $# -gt 0 ]; do
    case $1 in
    --prefix) [ $# -gt 1 ] || die "--prefix takes a directory"; prefix=$2; shift ;;
    --jobs) [ $# -gt 1 ] || die "--jobs takes a number"; jobs=$2; shift ;;
    --tests) tests=yes ;;
    --no-brew) brew= ;;
    --dry-run) dry=yes ;;
    --help) sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"; exit ;;
    *) die "unknown option $1; see $program --help" ;;
    esac
    shift
done
case $prefix in
/*) ;;
*) die "--prefix takes a path that begins with /, not $prefix" ;;
esac
case $jobs in
*[!0-9]* | 0) die "--jobs takes a number, not $jobs" ;;
esac

# What versions.sh says; its other lines are for a newer bash.
version_of() {
    local value
    value=$(sed -n "s/^$1=//p" "$here/versions.sh")
    [ -n "$value" ] || die "versions.sh has no $1"
    printf '%s\n' "$value"
}

# quoted WORD...: as one would type it.
quoted() {
    local word line=
    for word in "$@"; do
        printf -v word %q "$word"
        line="$line${line:+ }$word"
    done
    printf '%s\n' "$line"
}

# run COMMAND...: runs it, its output on stderr; with --dry-run prints it.
run() {
    if [ -n "$dry" ]; then
        quoted "$@"
    else
        say "+ $(quoted "$@")"
        "$@" >&2 || die "this failed: $(quoted "$@")"
    fi
}

# run_in DIRECTORY COMMAND...
run_in() {
    local dir=$1
    shift
    if [ -n "$dry" ]; then
        printf '(cd %s && %s)\n' "$(quoted "$dir")" "$(quoted "$@")"
    else
        say "+ cd $(quoted "$dir") && $(quoted "$@")"
        (cd "$dir" && "$@") >&2 || die "this failed: $(quoted "$@")"
    fi
}

# todo STEP KEY: whether a step is to be run, which done STEP says of when it has been. Another key makes it anew.
step_key=
todo() {
    step_key=$2
    if [ -z "$dry" ] && [ "$(cat "$cache/done/$1" 2>/dev/null)" = "$step_key" ]; then
        say "$1: is there"
        return 1
    fi
    say "==> $1"
    [ -n "$dry" ] || rm -f "$cache/done/$1"
}
is_done() {
    [ -n "$dry" ] || printf '%s\n' "$step_key" >"$cache/done/$1"
}

# key_of DIRECTORY: one word for what the files there contain whose names are on stdin.
key_of() {
    local file
    while IFS= read -r file; do
        cat "$1/$file"
    done | cksum | tr ' ' -
}

# --- What must be there -------------------------------------------------------------------------

# lacks SENTENCE: ends, or with --dry-run goes on.
lacks() {
    [ -n "$dry" ] || die "$*"
    say "$program: not here: $*"
}

machine=$(uname -m)
case $machine in
arm64 | aarch64) arch=aarch64 ;;
*) arch=x86_64 ;;
esac
[ "$(uname -s)" = Darwin ] || lacks "this is no Mac: on Linux use scripts/build-qemu.sh"
[ "$(uname -s)" != Darwin ] || [ "$(sw_vers -productVersion | cut -d. -f1)" -ge 13 ] ||
    lacks "macOS is older than 13, which QEMU's hvf needs: update it"
xcode-select -p >/dev/null 2>&1 || lacks "there is no compiler: run xcode-select --install"
[ -z "$brew" ] || command -v brew >/dev/null || lacks "there is no Homebrew: see https://brew.sh"
# The formula is built where there is no brew to call.
homebrew=${HOMEBREW_PREFIX:-$(brew --prefix 2>/dev/null || echo /opt/homebrew)}
[ -n "$jobs" ] || jobs=$(sysctl -n hw.ncpu 2>/dev/null || echo 4)

packages="meson ninja pkgconf glslang uthash libepoxy vulkan-headers vulkan-loader vulkan-tools molten-vk
    glib pixman libslirp dtc libpng"
[ -z "$tests" ] || packages="$packages cmocka"

patches=$top/packaging/macos/patches
entitlements=$top/packaging/macos/hypervisor.entitlements
qemu=$prefix/bin/qemu-system-$arch
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig:$homebrew/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
[ -z "$dry" ] || printf 'export PKG_CONFIG_PATH=%s\n' "$(quoted "$PKG_CONFIG_PATH")"
run mkdir -p "$cache/done" "$cache/source" "$cache/build" "$prefix"

if [ -n "$brew" ]; then
    # shellcheck disable=SC2086 # a word for each package
    run brew install $packages
fi

# QEMU's build reads TOML, which Apple's Python cannot. One that can comes with Homebrew's meson.
[ -n "$dry" ] || python3 -c 'import tomllib' 2>/dev/null ||
    die "there is no python3 of 3.11 or newer, which QEMU's build needs: brew install python, and put $homebrew/bin first in PATH"

# --- virglrenderer ------------------------------------------------------------------------------

# Its build reads a file in YAML, for which Python has no module of its own.
virgl=$cache/source/virglrenderer
commit=$(version_of virglrenderer_macos_commit)
if todo virglrenderer "$commit $prefix $(printf '%s\n' "$patches"/virglrenderer-*.patch | key_of "")"; then
    run python3 -m venv "$cache/venv"
    run "$cache/venv/bin/pip" install --quiet pyyaml==6.0.3
    run rm -rf "$virgl" "$cache/build/virglrenderer"
    run git init --quiet "$virgl"
    run git -C "$virgl" fetch --quiet "$(version_of virglrenderer_macos_git)" "$(version_of virglrenderer_macos_ref)"
    run git -C "$virgl" checkout --quiet --detach "$commit"
    for patch in "$patches"/virglrenderer-*.patch; do
        run patch -d "$virgl" -p1 -i "$patch"
    done
    # Linked to Vulkan's loader by its path: opened by its name, Homebrew's is not among the places that are searched.
    # The workers are programs of their own, since Metal's compiler cannot be reached after a fork, and threads want a
    # header that macOS lacks. No platforms: that is EGL and GLX. No drm-renderers and no video are its defaults.
    run env "PATH=$cache/venv/bin:$PATH" meson setup "$cache/build/virglrenderer" "$virgl" \
        "--prefix=$prefix" --libdir=lib --buildtype=release -Dvenus=true -Dvulkan-dload=false -Dplatforms= \
        -Drender-server-worker=process -Dminigbm_allocation=false -Dvideo=false -Dtests=false
    run meson compile -C "$cache/build/virglrenderer" -j "$jobs"
    run meson install -C "$cache/build/virglrenderer"
    is_done virglrenderer
fi

# --- libvenusgpu --------------------------------------------------------------------------------

# meson knows itself what has changed.
# library DIRECTORY OPTION: the library, built there.
library() {
    if [ -n "$dry" ] || ! [ -f "$1/build.ninja" ]; then
        run meson setup "$1" "$top" "--prefix=$prefix" --libdir=lib --buildtype=debugoptimized "$2" \
            -Dx11=disabled -Dwayland=disabled "-Dc_args=-I$homebrew/include"
    else
        run meson configure "$1" "--prefix=$prefix"
    fi
    run meson compile -C "$1" -j "$jobs"
}

say "==> libvenusgpu"
library "$cache/build/libvenusgpu" -Dtests=false
run meson install -C "$cache/build/libvenusgpu"

# --- QEMU ---------------------------------------------------------------------------------------

version=$(version_of qemu_macos_version)
archive=$cache/source/qemu-$version.tar.xz
sha256=$(version_of qemu_macos_sha256)
source=$cache/source/qemu-$version

qemu_patches() {
    local folder
    for folder in "$top/qemu/patches/upstream" "$top/qemu/patches/ours" "$top/qemu/patches/macos"; do
        find "$folder" -name '*.patch' | LC_ALL=C sort
    done
}

# What is laid over QEMU's tree: all but what is only for building the device outside of it.
overlay_files() {
    (cd "$top/qemu" && find . \( -path ./patches -o -path ./module -o -path './meson*' \) -prune -o -type f -print) |
        LC_ALL=C sort
}

check_archive() {
    printf '%s  %s\n' "$sha256" "$archive" | shasum -a 256 -c -
}

key="$sha256 $prefix $arch $(qemu_patches | key_of "") $(overlay_files | key_of "$top/qemu")"
if todo qemu "$key"; then
    if [ -n "$dry" ]; then
        run curl --fail --location --output "$archive" "$(version_of qemu_macos_url)"
        printf 'shasum -a 256 %s    # is to be %s\n' "$(quoted "$archive")" "$sha256"
    elif ! [ -f "$archive" ] || ! check_archive >/dev/null 2>&1; then
        run curl --fail --location --output "$archive" "$(version_of qemu_macos_url)"
        check_archive >&2 || die "$archive is not what it was: remove it, and try again"
    fi
    run rm -rf "$source" "$cache/build/qemu"
    run mkdir -p "$cache/build/qemu"
    run tar -x -f "$archive" -C "$cache/source"
    # In bash 3.2 a pipeline that ends in a loop does not end the script by set -e.
    qemu_patches | while IFS= read -r patch; do
        run patch -d "$source" -p1 -i "$patch"
    done || exit
    overlay_files | while IFS= read -r file; do
        file=${file#./}
        [ -d "$source/${file%/*}" ] || run mkdir -p "$source/${file%/*}"
        run cp "$top/qemu/$file" "$source/$file"
    done || exit
    # It looks for libfdt without pkg-config, and the compiler does not look where Homebrew is on Apple's processors.
    run_in "$cache/build/qemu" "$source/configure" "--prefix=$prefix" "--target-list=$arch-softmmu" \
        --without-default-features --enable-hvf --enable-tcg --enable-system --enable-pixman --enable-cocoa --enable-vnc \
        --enable-slirp --enable-fdt=system --enable-png --enable-virtio-gpu-venus --disable-opengl --disable-virglrenderer \
        --disable-docs --disable-werror "--extra-cflags=-I$homebrew/include" "--extra-ldflags=-L$homebrew/lib" \
        "--extra-ldflags=-Wl,-rpath,$prefix/lib"
    run ninja -C "$cache/build/qemu" -j "$jobs"
    run ninja -C "$cache/build/qemu" install
    is_done qemu
fi

# Whatever has changed the program since the linker signed it, such as its installation, has made that void.
# QEMU's build ends by giving the program an icon, in a resource fork and in the Finder's attributes, and nothing is signed
# that has those.
run xattr -c "$qemu"
run codesign --force --sign - --entitlements "$entitlements" "$qemu"
if [ -n "$tests" ]; then
    say "==> the library's tests"
    library "$cache/build/tests" -Dtests=true
fi
if [ -z "$dry" ]; then
    "$qemu" -device help 2>/dev/null | grep -q virtio-gpu-venus-pci || die "$qemu does not run, or lacks the device"
    say "boot a guest: scripts/run-alpine.sh; try everything: scripts/macos-report.sh; read: docs/macos.md"
    printf '%s\n' "$qemu"
fi
