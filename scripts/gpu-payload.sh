#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the payload for a machine with a GPU: a folder with the micro guest, Debian's QEMU with the device as a module,
# the newest virglrenderer of Debian's, the renderer tests, the guest's programs, ggml's test, and the libraries that
# they need, packed into one file of less than 60 MiB. Prints its path. `run` in it does the rest (docs/gpus.md).
#
# usage: gpu-payload.sh [--dir]
#   --dir  print the folder instead, unpacked
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

print=packed
most_mib=60
case ${1:-} in
--dir) print=folder ;;
--help) usage; exit ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

# What a host's Vulkan driver may be linked to too, so that the host's own must be taken if it has one; and what comes
# with the C library, which is either the host's or all ours.
of_system='lib(X11|X11-xcb|xcb|xcb-.*|Xau|Xdmcp|Xext|drm|drm_.*|gbm|expat|z|zstd|elf|ffi|wayland-.*|vulkan|stdc\+\+|gcc_s|gomp|atomic|va|va-drm|udev|EGL|GLdispatch|uuid|cap)[.]so.*'
of_c='(ld-linux-x86-64|lib(c|m|dl|rt|pthread|resolv|util|mvec))[.]so.*'
ggml_packages=(libggml0 libggml0-backend-vulkan libggml-dev)
# Loaders that a driver may take for granted, on a machine that has no display.
loader_packages=(libegl1 libglvnd0 libxext6)
# Those of ggml's processors that any machine has; the processor only prepares numbers.
ggml_files=(ggml/backends0/libggml-{vulkan,cpu-x64,cpu-haswell}.so libggml-base.so.0 libggml.so.0)

# Runs in a root: copies what the programs and libraries $2... need to the folders of $1.
# shellcheck disable=SC2016
libraries='
set -euo pipefail
to=$1 of_system=$2 of_c=$3
shift 3
mkdir -p "$to"/lib "$to"/lib-system "$to"/lib-c
needs=$(ldd "$@" 2>/dev/null || true)
awk "\$2 == \"=>\" && \$3 ~ /^\\// { print \$1, \$3 } \$1 ~ /^\\/.*ld-linux/ { print \$1, \$1 }" <<<"$needs" |
    LC_ALL=C sort -u | while read -r name path; do
        name=${name##*/}
        if [[ $name =~ ^$of_c$ ]]; then folder=lib-c
        elif [[ $name =~ ^$of_system$ ]]; then folder=lib-system
        else folder=lib; fi
        case $path in */modules/* | */ggml/*) continue ;; esac
        [ -e "$to/$folder/$name" ] || cp -L "$path" "$to/$folder/$name"
    done
'

stock() {
    HOST_ROOT=debian "$scripts/in-root.sh" --stock-qemu -- "$@"
}

next() {
    HOST_ROOT=debian "$scripts/in-root.sh" --next-virglrenderer -- "$@"
}

# shellcheck disable=SC2317
fetch() {
    local apt
    debian_apt "$work/apt"
    mkdir "$work/download" "$work/unpacked"
    cd "$work/download"
    "${apt[@]}" download "${ggml_packages[@]}" "${loader_packages[@]}" libgomp1
    unpack_debs "$work/unpacked" "$work"/download/*.deb
    basename -a "$work"/download/*.deb >"$work/unpacked/packages"
    mv -T "$work/unpacked" "$fetched"
}

# shellcheck disable=SC2317
make_payload() {
    local to=$work/venus-gpu name
    mkdir -p "$to"/{bin,modules,firmware,boot,programs,tests,ggml,lib,lib-system,lib-c,scripts/venusvm}
    # QEMU, what of its modules the device stands on, and the device; the libraries of its own root.
    stock cp -L /usr/bin/qemu-system-x86_64 "$to/bin/"
    # shellcheck disable=SC2016 # the shell in the root is to see them
    stock sh -c 'cp /usr/lib/x86_64-linux-gnu/qemu/hw-display-virtio-*.so "$1"' sh "$to/modules/"
    cp "$modules"/*.so "$to/modules/"
    # shellcheck disable=SC2016
    stock sh -c 'cp -L /usr/share/seabios/bios-256k.bin /usr/share/seabios/vgabios-virtio.bin \
        /usr/share/qemu/linuxboot_dma.bin /usr/share/qemu/kvmvapic.bin "$1"' sh "$to/firmware/"
    # The render server first: where both roots have a library, the newer virglrenderer's is the one.
    next cp -L /usr/libexec/virgl_render_server "$to/bin/"
    for name in "${tests[@]}"; do
        cp "$build/tests/renderer/test-renderer-$name" "$to/tests/"
    done
    cp "$build/tests/standin/libstandin-udmabuf.so" "$to/tests/"
    cp "$tools"/* "$to/programs/"
    rm -f "$to/programs"/{init,serve,wl,compositor,venus-agent}
    cp -L "$build/src/libvenusgpu.so.0" "$to/lib/"
    cp "$guest"/{vmlinuz,initrd.img} "$to/boot/"
    for name in "${ggml_files[@]}"; do
        cp -L "$fetched/usr/lib/x86_64-linux-gnu/$name" "$to/ggml/"
    done
    cp "$fetched/usr/libexec/x86_64-linux-gnu/ggml/test-backend-ops" "$to/ggml/"
    # ggml's libraries need others than this root's, which are there when it runs.
    stock gcc -std=c11 -O2 -Wall -Wextra -Werror -I"$fetched/usr/include" -I"$top/guest" -o "$to/ggml/ggml_products" \
        "$top/bench/ggml_products.c" "$top/guest/common.c" "$to"/ggml/libggml{,-base}.so.0 -Wl,--allow-shlib-undefined
    for name in libEGL.so.1 libGLdispatch.so.0 libXext.so.6 libgomp.so.1; do
        cp -L "$fetched/usr/lib/x86_64-linux-gnu/$name" "$to/lib-system/"
    done
    next env LD_LIBRARY_PATH="$to/lib" bash -c "$libraries" libraries "$to" "$of_system" "$of_c" \
        "$to/bin/virgl_render_server" "$to"/tests/test-* "$to"/programs/*
    stock env LD_LIBRARY_PATH="$to/lib:$to/lib-system:$to/modules:$to/ggml" bash -c "$libraries" libraries "$to" "$of_system" "$of_c" \
        "$to/bin/qemu-system-x86_64" "$to"/modules/*.so "$to"/ggml/* "$to"/lib-system/*
    # No linked library's own memory of where it was built.
    stock strip --strip-unneeded "$to"/bin/* "$to"/tests/* "$to"/programs/[a-z]* "$to"/{lib,lib-system,modules}/*.so* 2>/dev/null || true
    cp "$top"/scripts/venusvm/{__init__,guest,processes}.py "$to/scripts/venusvm/"
    cp -r "$top/scripts/venusvm/gpu" "$to/scripts/venusvm/gpu"
    rm -rf "$to"/scripts/venusvm/gpu/__pycache__
    cp "$top/LICENSE" "$to/"
    mv "$to/scripts/venusvm/gpu/run" "$to/run"
    cat >"$to/about.json" <<END
{"commit": "$commit", "virglrenderer": "$(cat "$next_root/virglrenderer-version")",
 "qemu": "$(stock qemu-system-x86_64 --version | head -n 1)",
 "ggml": "$(sed -n 's/^libggml0_\(.*\)_amd64.deb/\1/p' "$fetched/packages")"}
END
    find "$to" -exec touch -h -d @0 {} +
    mkdir "$work/out"
    mv "$to" "$work/out/"
    mv -T "$work/out" "$place"
}

# By xz, which is wherever tar is, and in Python; it is smaller than by zstd, too.
# shellcheck disable=SC2317
pack() {
    tar --sort=name --owner=0 --group=0 --numeric-owner -C "$place" -c venus-gpu | xz -6 -T0 \
        >"$work/packed"
    [ "$(stat -c %s "$work/packed")" -lt $((most_mib << 20)) ] || die "the payload is larger than $most_mib MiB"
    mv "$work/packed" "$place/venus-gpu.tar.xz"
}

tests=(blobs contexts device fences hang lifetimes lost scanout server window share)
export HOST_ROOT=debian
modules=$("$scripts/build-module.sh" --modules)
build=$("$scripts/build-lib.sh" --build-dir)
tools=$("$scripts/tools-disk.sh" --dir)
guest=$("$scripts/micro-guest.sh")
next_root=$("$scripts/host-root.sh" --next-virglrenderer)
commit=$(git -C "$top" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
need flock:util-linux apt-get:apt dpkg-deb:dpkg xz:xz-utils
mkdir -p "$cache/gpu"

fetched=$cache/gpu/fetched-$( (printf '%s\n' "${ggml_packages[@]}" "${loader_packages[@]}"; declare -f fetch) | key_of)
key=$( (
    printf '%s\n' "$modules" "$build" "$tools" "$guest" "$next_root" "$fetched" "$libraries" "$of_system" "$of_c" "$commit" "${tests[@]}"
    declare -f make_payload
    cat "$top"/bench/ggml_products.c "$modules"/../../../manifest "$top"/scripts/venusvm/{guest,processes}.py "$top"/scripts/venusvm/gpu/*
    find "$top/src" "$top/include" "$top/tests/renderer" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum --
) | key_of)
place=$cache/gpu/$key
if [ ! -d "$place" ] || [ ! -d "$fetched" ]; then
    lock gpu-payload
    if [ ! -d "$fetched" ]; then
        step_dir gpu-payload
        run_step "ggml and loaders ($debian_name)" fetch
        remove_step_tmp
    fi
    if [ ! -d "$place" ]; then
        step_dir gpu-payload
        run_step "payload for a GPU" make_payload
        prune "$cache/gpu" "$place" 7
    fi
    unlock
fi
if [ $print = packed ] && [ ! -e "$place/venus-gpu.tar.xz" ]; then
    lock gpu-payload
    step_dir gpu-payload
    run_step "payload, packed" pack
    unlock
fi
touch -c "$place" "$fetched"
packed=$place/venus-gpu.tar.xz
folder=$place/venus-gpu
: "$packed" "$folder" # one of which is printed
printf '%s\n' "${!print}"
