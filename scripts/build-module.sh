#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the device as a module for the QEMU of Debian 13 as Debian has built it: nothing of QEMU's own is compiled and
# none of our patches is applied. Prints the path of qemu-system-x86_64-venus, a script that runs that QEMU with the
# module; the modules themselves are in ../lib/qemu-venus beside it.
#
# usage: build-module.sh [--sanitize=address,undefined] [--qemu PROGRAM | --modules]
#   --sanitize=LIST with these sanitizers in the module and in the library, for tests
#   --qemu PROGRAM  for this QEMU instead of the qemu-system-x86_64 in the root (in-root.sh --stock-qemu)
#   --modules       print the directory of the modules instead, for QEMU_MODULE_DIR
# A QEMU takes modules that were built for it and no other. Which it is, it says itself; its source package and what
# configures it are fetched and made once for each revision.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

qemu="qemu-system-x86_64"
print=wrapper
sanitize=
while [ $# -gt 0 ]; do
    case $1 in
    --qemu) [ $# -gt 1 ] || die "--qemu takes a program"; qemu=$2; shift ;;
    --qemu=*) qemu=${1#*=} ;;
    --modules) print=modules ;;
    --sanitize=address,undefined) sanitize=${1#*=} ;;
    --sanitize=*) die "--sanitize takes address,undefined" ;;
    --help) usage; exit ;;
    *) die "unknown option $1; see $program --help" ;;
    esac
    shift
done

# As Debian does, as far as it decides where things are, how QEMU's structures lie in memory, and the stamp.
options=(
    --target-list=x86_64-softmmu --without-default-features
    --enable-{modules,module-upgrades,opengl,pixman,system,tcg,kvm}
    --prefix=/usr --libdir=/usr/lib/x86_64-linux-gnu --libexecdir=/usr/lib/qemu --sysconfdir=/etc --localstatedir=/var
    --disable-{relocatable,docs,werror,install-blobs,download,strip}
)

in_root() {
    "$scripts/in-root.sh" --stock-qemu -- "$@"
}

# What configuring QEMU makes, and the headers that it generates; they are all that is kept.
# shellcheck disable=SC2317
make_headers() {
    mkdir "$work/build" "$work/headers"
    cd "$work/build"
    in_root "$source/configure" "${options[@]}" || { tail -n 40 config.log; exit 1; }
    # One of QAPI's headers brings them all.
    in_root ninja config-poison.h qapi/qapi-types-ui.h
    cp --parents -P config-host.h config-poison.h qapi/*.h linux-headers/* "$work/headers"
    mv -T "$work/headers" "$headers"
}

# module_files: the names of what the module is built from, each with a zero byte.
module_files() {
    (cd "$top/qemu" &&
        find meson.build meson_options.txt module hw/display/virtio-gpu-venus include ui -type f -print0) |
        LC_ALL=C sort -z
}

manifest() {
    printf '%s\n' "$headers"
    module_files | (cd "$top/qemu" && xargs -0 sha256sum --)
    cat "$lib"/include/*.h "$lib"/lib/pkgconfig/*.pc
}

# shellcheck disable=SC2317
build() {
    mkdir "$work/src"
    module_files | (cd "$top/qemu" && xargs -0 cp --parents -t "$work/src" --)
    sync_tree "$work/src" "$dir/src"
    compiler_cache
    if ! [ -f "$dir/configured" ]; then
        rm -rf "$dir/build"
        in_root env PKG_CONFIG_PATH="$lib/lib/pkgconfig" meson setup --prefix="$prefix" --libdir=lib \
            -Dqemu_source="$source" -Dqemu_build="$headers" -Dqemu_package="Debian's QEMU $revision" \
            -Dc_link_args="-Wl,-rpath,$lib/lib" -Db_sanitize="${sanitize:-none}" "$dir/build" "$dir/src"
        touch "$dir/configured"
    fi
    in_root env DESTDIR="$work/install" meson install -C "$dir/build"
    sync_tree "$work/install$prefix" "$prefix"
}

says=$(in_root "$qemu" --version) || die "$qemu does not run, or is none of QEMU's programs"
says=${says%%$'\n'*}
case $says in
"QEMU emulator version 10.0."*" (Debian 1:"*")") ;;
*) die "the module is for the QEMU 10.0 of $debian_name, and $qemu says that it is \"$says\";" \
    "use build-qemu.sh, which builds a QEMU that has the device" ;;
esac
revision=${says#*(Debian }
revision=${revision%)}
options+=("--with-pkgversion=Debian $revision")

# Of no other source would the stamp be the same.
source=$(env -u QEMU_SRC "$scripts/qemu-source.sh" --package "$revision")
root=$("$scripts/host-root.sh" --stock-qemu)
lib=$("$scripts/build-lib.sh" --stock-qemu ${sanitize:+"--sanitize=$sanitize"})
root_and_source=$(root_key "$root"; printf '%s\n' "$source")

headers=$cache/qemu-headers/$( (printf '%s\n' "$root_and_source" "${options[@]}"; declare -f make_headers) | key_of)
if [ ! -d "$headers" ]; then
    need flock:util-linux
    lock qemu-headers
    if [ ! -d "$headers" ]; then
        mkdir -p "${headers%/*}"
        step_dir qemu-headers
        run_step "headers of Debian's QEMU $revision" make_headers
        remove_step_tmp
        prune "${headers%/*}" "$headers" 14
    fi
    unlock
fi
touch -c "$headers"
stamp=$(awk '$2 == "CONFIG_STAMP" { print "qemu_stamp" $3 }' "$headers/config-host.h")
# shellcheck disable=SC2016
in_root sh -c 'grep -q "$1" "$(command -v "$2")"' sh "$stamp" "$qemu" ||
    die "$qemu takes no modules of Debian's QEMU $revision, though it says that it is that; install Debian's package"

key=$( (printf '%s\n' "$top" "$root_and_source" "$lib"; declare -f build) | key_of)
dir=$cache/module/$key
prefix=$dir/prefix
wrapper=$prefix/bin/qemu-system-x86_64-venus
modules=$prefix/lib/qemu-venus
# Either is what is printed; shellcheck does not see it in ${!print}.
: "$wrapper" "$modules"
if [ "$(manifest)" != "$(cat "$dir/manifest" 2>/dev/null)" ]; then
    need flock:util-linux
    lock "module-$key"
    if [ "$(manifest)" != "$(cat "$dir/manifest" 2>/dev/null)" ]; then
        step_dir "module-$key"
        mkdir -p "$dir"
        manifest >"$work/manifest"
        rm -f "$dir/manifest"
        run_step "module for Debian's QEMU $revision${sanitize:+ ($sanitize)}" build
        mv "$work/manifest" "$dir/manifest"
        prune "$cache/module" "$dir" 14
    fi
    unlock
fi
touch -c "$dir"
printf '%s\n' "${!print}"
