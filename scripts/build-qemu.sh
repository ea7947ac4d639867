#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds QEMU with our device: the source from qemu-source.sh, the patches of qemu/patches/upstream and
# then of qemu/patches/ours, the files of qemu/ laid over it, libvenusgpu from build-lib.sh. No OpenGL,
# EGL, GBM or virglrenderer of QEMU's own. Prints the path of qemu-system-x86_64, or another processor's.
#
# usage: build-qemu.sh [--version VERSION] [--arch ARCH] [--legacy] [--qtest | --build-dir]
#   --version VERSION  one of versions.sh's instead of the first that can be had
#   --arch ARCH        a build of its own for guests of another processor: aarch64
#   --legacy           a build of its own that holds the archived OpenGL device too, to compare with
#   --qtest            build the device's qtests too, and print the first one's path instead
#   --build-dir        print the path of the build directory instead
# Only what a change touches is built again, be it the change of a patch, of a file or of the version.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

version=()
arch=x86_64
legacy=
print=qemu
while [ $# -gt 0 ]; do
    case $1 in
    --version) [ $# -gt 1 ] || die "--version takes a version"; version=("$2"); shift ;;
    --version=*) version=("${1#*=}") ;;
    --arch) [ $# -gt 1 ] || die "--arch takes a processor"; arch=$2; shift ;;
    --arch=*) arch=${1#*=} ;;
    --legacy) legacy=legacy ;;
    --qtest) print=qtest ;;
    --build-dir) print=build ;;
    --help) usage; exit ;;
    *) die "unknown option $1; see $program --help" ;;
    esac
    shift
done
case $arch in
x86_64 | aarch64) ;;
*) die "--arch takes x86_64 or aarch64, not $arch" ;;
esac

overlay=$top/qemu
# Where distributions put the firmware that Debian strips from the source.
firmware=(/usr/share/qemu /usr/share/seabios /usr/share/seavgabios /usr/lib/ipxe/qemu /usr/share/ipxe/qemu)
options=(
    "--target-list=$arch-softmmu" --without-default-features
    --enable-{tcg,kvm,system,pixman,sdl,vnc,slirp,pie,fdt,png,seccomp}
    --disable-docs --disable-werror --disable-install-blobs
    "--firmwarepath=$(IFS=:; echo "${firmware[*]}")"
)

legacy_options=(--enable-{opengl,virglrenderer,build-legacy-virtio-gpu})

# What is only for building the device outside of QEMU's tree is left out.
overlay_files() {
    [ -d "$overlay" ] || return 0
    (cd "$overlay" && find . \( -path ./patches -o -path ./module -o -path './meson*' \) -prune -o \
        -type f ! -name '*.orig' ! -name '*.rej' ! -name '*~' ! -path '*/__pycache__/*' -print) | LC_ALL=C sort
}

# Puts together what the tree is to look like, and brings the tree to it.
# shellcheck disable=SC2317
make_tree() {
    local patch file how=--link
    mkdir "$work/tree"
    # The untouched source is linked to, not copied: patch and we replace files, never write into them.
    # A user's own source may be on another file system.
    [ -z "${QEMU_SRC:-}" ] || how=--reflink=auto
    find "$source" -mindepth 1 -maxdepth 1 ! -name .git ! -name roms ! -name 'build*' \
        -exec cp -a "$how" -t "$work/tree" {} +
    cd "$work/tree"
    qemu_patches | while IFS= read -r patch; do
        echo "patch ${patch#"$overlay/patches/"}"
        patch -p1 --no-backup-if-mismatch <"$patch"
    done
    overlay_files | while IFS= read -r file; do
        mkdir -p "${file%/*}"
        cp --remove-destination "$overlay/$file" "$file"
    done
    sync_tree "$work/tree" "$dir/src"
}

# shellcheck disable=SC2317
build() {
    local path
    compiler_cache
    mkdir -p "$build"
    cd "$build"
    if [ "$(cat "$dir/configured" 2>/dev/null)" != "$configuration" ]; then
        rm -f "$dir/configured"
        find . -mindepth 1 -delete
        "$scripts/in-root.sh" env "PKG_CONFIG_PATH=$prefix/lib/pkgconfig" \
            ../src/configure "${options[@]}" || { tail -n 40 config.log; exit 1; }
        printf '%s\n' "$configuration" >"$dir/configured"
    fi
    # A QEMU that runs from its build directory looks for all its paths under qemu-bundle.
    for path in "${firmware[@]}"; do
        mkdir -p "qemu-bundle${path%/*}"
        ln -sfn "$path" "qemu-bundle$path"
    done
    "$scripts/in-root.sh" ninja "${targets[@]}"
}

source=$("$scripts/qemu-source.sh" "${version[@]}")
root=$("$scripts/host-root.sh")
prefix=
if [ -n "$(qemu_patches)" ]; then
    prefix=$("$scripts/build-lib.sh")
    options+=(--enable-virtio-gpu-venus "--extra-ldflags=-Wl,-rpath,$prefix/lib")
fi
if [ -n "$legacy" ]; then
    [ "$root" != / ] || pkg-config --exists epoxy gbm ||
        die "--legacy needs development files of epoxy and gbm; install them, or use HOST_ROOT=debian"
    options+=("${legacy_options[@]}")
fi
if [ "$root" != / ] || command -v ccache >/dev/null; then
    options+=(--cc="ccache gcc")
fi

# What takes a fresh build directory when it changes.
configuration=$( (
    printf '%s\n' "$(root_key "$root")" "${options[@]}"
    [ -z "$prefix" ] || cat "$prefix"/lib/pkgconfig/*.pc
    declare -f build
) | key_of)

# inputs: everything that the result depends on. Of a source that is the user's own we know only its
# files' names, sizes and dates.
inputs() {
    {
        printf '%s\n' "$source" "$configuration"
        [ -z "${QEMU_SRC:-}" ] ||
            find "$source" -name .git -prune -o -type f -printf '%P %s %T@\n' | LC_ALL=C sort
        qemu_patches | xargs -r -d '\n' cat
        overlay_files | (cd "$top" && sed 's|^\./|qemu/|' | xargs -r -d '\n' sha256sum --)
        [ -z "$prefix" ] || cat "$prefix"/include/*.h
        declare -f make_tree sync_tree
    } | key_of
}

other=$arch
[ "$arch" != x86_64 ] || other=
place=$(printf '%s\n' "$top" "$source" ${other:+"$other"} ${legacy:+"$legacy"} | key_of)
dir=$cache/qemu/$place
build=$dir/build
qemu=$build/qemu-system-$arch
qtest=$build/tests/qtest/virtio-gpu-venus-test
targets=("qemu-system-$arch")
[ "$print" != qtest ] || targets+=(tests/qtest/virtio-gpu-venus{-redox,}-test)
# Either is what is printed; shellcheck does not see it in ${!print}.
: "$qemu" "$qtest"

# current: whether what we were asked for was built from what there is now.
current() {
    [ -e "${!print}" ] && [ "$(inputs)" = "$(cat "$dir/made-${targets[-1]##*/}" 2>/dev/null)" ]
}

if ! current; then
    need patch flock:util-linux
    lock "qemu-$place"
    if ! current; then
        step_dir "qemu-$place"
        mkdir -p "$dir"
        made=$(inputs)
        # Should the build fail or be stopped, no target counts as made.
        rm -f "$dir"/made-*
        name="QEMU $(cat "$source/VERSION")${other:+ for $other}${legacy:+ with the archived device}"
        run_step "$name: source and patches" make_tree
        run_step "$name: build" build
        for target in "${targets[@]}"; do
            printf '%s\n' "$made" >"$dir/made-${target##*/}"
        done
        prune "$cache/qemu" "$dir" 14
    fi
    unlock
fi
touch -c "$dir"
printf '%s\n' "${!print}"
