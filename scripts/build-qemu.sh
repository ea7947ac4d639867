#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds QEMU with our device: the source from qemu-source.sh, the patches of qemu/patches in their
# order, the files of qemu/ laid over it, libvenusgpu from build-lib.sh. No OpenGL, EGL, GBM or
# virglrenderer of QEMU's own. Prints the path of qemu-system-x86_64.
#
# usage: build-qemu.sh [--version VERSION] [--qtest | --build-dir]
#   --version VERSION  one of versions.sh's instead of the first that can be had
#   --qtest            build the device's qtest too, and print its path instead
#   --build-dir        print the path of the build directory instead
# A change to a laid-over file rebuilds that file; a change to the patches begins with a fresh tree.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

version=()
print=qemu
while [ $# -gt 0 ]; do
    case $1 in
    --version) [ $# -gt 1 ] || die "--version takes a version"; version=("$2"); shift ;;
    --version=*) version=("${1#*=}") ;;
    --qtest) print=qtest ;;
    --build-dir) print=build ;;
    --help) usage; exit ;;
    *) die "unknown option $1; see $program --help" ;;
    esac
    shift
done

overlay=$top/qemu
# Where distributions put the firmware that Debian strips from the source.
firmware=(/usr/share/qemu /usr/share/seabios /usr/share/seavgabios /usr/lib/ipxe/qemu /usr/share/ipxe/qemu)
options=(
    --target-list=x86_64-softmmu --without-default-features
    --enable-{tcg,kvm,system,pixman,sdl,vnc,slirp,pie,fdt,png}
    --disable-docs --disable-werror --disable-install-blobs
    "--firmwarepath=$(IFS=:; echo "${firmware[*]}")"
)

patches() {
    [ -d "$overlay/patches" ] || return 0
    find "$overlay/patches" -name '*.patch' | LC_ALL=C sort
}

overlay_files() {
    [ -d "$overlay" ] || return 0
    (cd "$overlay" && find . -path ./patches -prune -o -type f ! -name '*.orig' ! -name '*.rej' \
        ! -name '*~' ! -path '*/__pycache__/*' -print) | LC_ALL=C sort
}

# inputs: what may change without a fresh tree.
inputs() {
    overlay_files | (cd "$top" && sed "s|^\./|qemu/|" | xargs -r -d '\n' sha256sum --)
    [ -z "$prefix" ] || (cd "$prefix" && sha256sum include/*.h lib/pkgconfig/*.pc)
}

# shellcheck disable=SC2317
make_tree() {
    local patch
    cp -a --reflink=auto "$source" "$work/src"
    cd "$work/src"
    patches | while IFS= read -r patch; do
        echo "patch ${patch##*/}"
        patch -p1 --no-backup-if-mismatch <"$patch"
    done
    rm -rf "$dir"
    mkdir -p "$dir"
    mv -T "$work/src" "$dir/src"
}

# fits: whether lay_over can bring the tree up to date. Where a file of QEMU's own was laid over and is no
# longer, it takes a fresh tree.
fits() {
    [ -d "$dir/src" ] || return 1
    local gone
    gone=$(overlay_files | LC_ALL=C comm -23 <(cat "$dir/overlay" 2>/dev/null) -)
    [ -z "$gone" ] || ! printf '%s\n' "$gone" | grep -qvxF -f "$dir/added"
}

# lay_over: the overlay's files into the tree, those that differ; files that the overlay no longer has
# out of it.
lay_over() {
    local file
    overlay_files >"$work/overlay"
    touch "$dir/overlay" "$dir/added"
    LC_ALL=C comm -23 "$dir/overlay" "$work/overlay" | while IFS= read -r file; do
        rm -f "$dir/src/$file"
    done
    mkdir "$work/lay"
    while IFS= read -r file; do
        [ -e "$dir/src/$file" ] || printf '%s\n' "$file" >>"$dir/added"
        mkdir -p "$work/lay/${file%/*}"
        cp "$overlay/$file" "$work/lay/$file"
    done <"$work/overlay"
    cp "$work/overlay" "$dir/overlay"
    sync_tree "$work/lay" "$dir/src"
}

# shellcheck disable=SC2317
build() {
    local path
    export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$dir CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=3G
    mkdir -p "$build"
    cd "$build"
    if ! [ -f "$dir/configured" ]; then
        find . -mindepth 1 -delete
        "$scripts/in-root.sh" env "PKG_CONFIG_PATH=$prefix/lib/pkgconfig" \
            ../src/configure "${options[@]}" || { tail -n 40 config.log; exit 1; }
        touch "$dir/configured"
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
if [ -n "$(patches)" ]; then
    prefix=$("$scripts/build-lib.sh")
    options+=(--enable-virtio-gpu-venus "--extra-ldflags=-Wl,-rpath,$prefix/lib")
fi
if [ "$root" != / ] || command -v ccache >/dev/null; then
    options+=(--cc="ccache gcc")
fi

# Of a source that is the user's own we know only its files' names, sizes and dates.
own=$([ -z "${QEMU_SRC:-}" ] || find "$source" -name .git -prune -o -type f -printf '%P %s %T@\n' |
    LC_ALL=C sort | key_of)
key=$( (
    printf '%s\n' "$top" "$source" "$own" "$(root_key "$root")" "${options[@]}"
    patches | xargs -r -d '\n' cat
    declare -f make_tree build
) | key_of)
place=$(printf '%s\n' "$top" "$source" | key_of)
dir=$cache/qemu/$place-$key
build=$dir/build
qemu=$build/qemu-system-x86_64
qtest=$build/tests/qtest/virtio-gpu-venus-test
targets=(qemu-system-x86_64)
[ "$print" != qtest ] || targets+=(tests/qtest/virtio-gpu-venus-test)

# Either is what is printed; shellcheck does not see it in ${!print}.
: "$qemu" "$qtest"

# current: whether what we were asked for was built from what there is now.
current() {
    [ -x "${!print}" ] && [ "$(inputs)" = "$(cat "$dir/inputs-${targets[-1]##*/}" 2>/dev/null)" ]
}

if ! current; then
    need flock:util-linux
    lock "qemu-$place"
    if ! current; then
        step_dir "qemu-$place"
        name="QEMU $(cat "$source/VERSION")"
        fits || run_step "$name, patched" make_tree
        lay_over
        # Should the build fail or be stopped, neither target counts as made.
        rm -f "$dir"/inputs-*
        inputs >"$work/inputs"
        run_step "$name" build
        for target in "${targets[@]}"; do
            cp "$work/inputs" "$dir/inputs-${target##*/}"
        done
        prune "$cache/qemu" "$dir" 14
        prune "$cache/qemu" "$dir" 1 "$place-*" # trees of earlier patches
    fi
    unlock
fi
touch -c "$dir"
printf '%s\n' "${!print}"
