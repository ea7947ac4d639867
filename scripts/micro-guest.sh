#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the micro guest, and prints the directory it is in: vmlinuz and initrd.img, which is all of it: busybox, the
# modules that a virtual GPU takes, Mesa's Venus driver, vulkaninfo, the programs of guest/, and the libraries that they
# need. It has no disk, no compositor and no other driver. Ten seconds, 17 MB; a change of guest/ takes three.
#
# usage: micro-guest.sh [--newest]
#   --newest  with the newest that there is today: the kernel of Debian 13's backports, and Mesa of Debian's unstable
# All of it but the kernel is what the root with Debian's QEMU has, so with that, and a kernel that was fetched before,
# no network is needed.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

newest=
case ${1:-} in
--help) usage; exit ;;
--newest) newest=1 ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

# The display, the agent's port, keys and a pointer; the rest is in the kernel itself.
modules=(virtio_pci virtio_gpu virtio_console virtio_input evdev)
driver=/usr/share/vulkan/icd.d/virtio_icd.json

in_root() {
    HOST_ROOT=debian "$scripts/in-root.sh" --stock-qemu -- "$@"
}

# The kernel, and of its modules those that are wanted, with those that they need, in the order in which they load.
# shellcheck disable=SC2317
make_kernel() {
    local apt package packages module version path
    debian_apt "$work/apt"
    [ -z "$newest" ] ||
        printf '%s\n' '' 'Package: linux-image-*' "Pin: release n=$debian_suite-backports" 'Pin-Priority: 900' >>"$work/apt/preferences"
    package=$(apt-cache "${apt[@]:1}" depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
    # Newer kernels are in several packages.
    mapfile -t packages < <(apt-cache "${apt[@]:1}" depends "$package" |
        awk '$1 == "Depends:" && $2 ~ /^linux-(base|binary|modules)-[0-9]/ { print $2 }')
    mkdir "$work/download" "$work/root" "$work/kernel"
    cd "$work/download"
    "${apt[@]}" download "$package" "${packages[@]}"
    unpack_debs "$work/root" "$work"/download/*.deb
    path=$(echo "$work"/root/usr/lib/modules/*/vmlinuz) # where newer packages have it
    [ -e "$path" ] || path=$(echo "$work"/root/boot/vmlinuz-*)
    cp "$path" "$work/kernel/vmlinuz"
    ln -s usr/lib "$work/root/lib"
    version=$(ls "$work/root/usr/lib/modules")
    in_root depmod -b "$work/root" "$version"
    mkdir "$work/kernel/modules"
    for module in "${modules[@]}"; do
        in_root modprobe --dirname "$work/root" --show-depends --set-version "$version" "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while IFS= read -r path; do
        module=${path##*/}
        module=${module%.xz}
        case $path in
        *.xz) xz -dc "$path" ;;
        *) cat "$path" ;;
        esac >"$work/kernel/modules/$module"
        echo "$module" >>"$work/kernel/modules/order"
    done
    mv -T "$work/kernel" "$kernel"
}

# What Mesa and vulkaninfo are of in the newest guest: packages that are only unpacked.
# shellcheck disable=SC2317
make_userland() {
    local apt
    debian_apt "$work/apt" sid
    printf '%s\n' 'Package: *' 'Pin: release n=sid' 'Pin-Priority: 990' >"$work/apt/preferences"
    "${apt[@]}" install --download-only -y mesa-vulkan-drivers vulkan-tools
    mkdir -p "$work/userland/usr/lib"
    ln -s usr/lib "$work/userland/lib"
    unpack_debs "$work/userland" "$work"/apt/cache/archives/*.deb
    rm -r "$work/apt"
}

# Runs in the root with Debian's QEMU: puts the programs $4... into the tree $1, with the driver that the file $3
# names and every library that they need, and makes $1.img of it. $2 is where driver, libraries and vulkaninfo are from:
# nothing, which is that root, or another directory.
# shellcheck disable=SC2016
fill='
set -euo pipefail
tree=$1 from=$2 driver=$3
shift 3
library=$(sed -n "s/.*\"library_path\": *\"\(.*\)\".*/\1/p" "$from$driver")
case $library in
/*) library=$from$library ;;
*) library=$(echo "$from"/usr/lib/*/"$library") ;;
esac
# As ldd, by the dynamic linker that is there.
needed_by() {
    local file
    [ -n "$from" ] || { ldd "$@"; return; }
    for file in "$@"; do
        "$from"/usr/lib/*/ld-linux-x86-64.so.2 --list --library-path "$(echo "$from"/usr/lib/*-linux-gnu)" "$file"
    done
}
mkdir -p "$tree"/{bin,usr/bin,usr/lib} "$tree${driver%/*}"
ln -s usr/lib "$tree/lib"
ln -s usr/lib "$tree/lib64"
cp "$from$driver" "$tree$driver"
cp /usr/bin/busybox "$tree/bin/"
cp "$from/usr/bin/vulkaninfo" "$tree/usr/bin/"
loader=$(echo "$from"/usr/lib/*/libvulkan.so.1)
strip --strip-unneeded "$@" 2>/dev/null || true
strip --strip-debug "$tree"/modules/*.ko
# Of scripts it complains.
needs=$(needed_by "$from/usr/bin/vulkaninfo" "$library" "$loader" "$@" 2>/dev/null || true)
if grep "not found" <<<"$needs"; then
    exit 1
fi
{
    printf "%s\n" "$library" "$loader"
    awk "\$2 == \"=>\" { print \$3 } NF == 2 && \$1 ~ /^\\// { print \$1 }" <<<"$needs"
} | grep -v ":\$" | LC_ALL=C sort -u | while IFS= read -r path; do
        to=$tree$(echo "${path#"$from"}" | sed "s,^/lib64/,/usr/lib/,; s,^/lib/,/usr/lib/,; s,^/usr/lib64/,/usr/lib/,")
        mkdir -p "${to%/*}"
        [ -e "$to" ] || cp -L "$path" "$to"
    done
linker=ld-linux-x86-64.so.2 # where programs look for it
[ -e "$tree/usr/lib/$linker" ] || ln -s "$(basename "$(dirname "$loader")")/$linker" "$tree/usr/lib/$linker"
find "$tree" -exec touch -h -d @0 {} +
cd "$tree"
find . | LC_ALL=C sort | busybox cpio -o -H newc | gzip -9n >"$tree.img"
'

# shellcheck disable=SC2317
make_guest() {
    local tree=$work/tree
    mkdir -p "$tree/opt" "$work/guest"
    cp -r "$tools" "$tree/opt/venus"
    cp -r "$kernel/modules" "$tree/modules"
    cp "$top/guest/micro-init" "$tree/init"
    [ -z "$newest" ] || make_userland
    in_root bash -c "$fill" fill "$tree" "${newest:+$work/userland}" "$driver" "$tree"/opt/venus/*
    cp "$kernel/vmlinuz" "$work/guest/vmlinuz"
    mv "$tree.img" "$work/guest/initrd.img"
    mv -T "$work/guest" "$guest"
}

tools=$("$scripts/tools-disk.sh" --dir)
root=$(HOST_ROOT=debian "$scripts/host-root.sh" --stock-qemu)
key=$( (printf '%s\n' "$debian_suite$newest" "${modules[@]}"; declare -f debian_apt unpack_debs make_kernel) | key_of)
kernel=$cache/micro/kernel-$key
key=$( (
    printf '%s\n' "$kernel" "${root##*/}" "$tools" "$fill" "$driver"
    declare -f make_guest make_userland
    cat "$top/guest/micro-init"
) | key_of)
guest=$cache/micro/$key
if [ ! -d "$guest" ] || [ ! -d "$kernel" ]; then
    need flock:util-linux apt-get:apt dpkg-deb:dpkg xz:xz-utils
    lock micro-guest
    touch -c "$kernel"
    mkdir -p "$cache/micro"
    if [ ! -d "$kernel" ]; then
        step_dir micro-guest
        run_step "kernel of the micro guest ($debian_name${newest:+, backports})" make_kernel
        remove_step_tmp
    fi
    if [ ! -d "$guest" ]; then
        step_dir micro-guest
        run_step "micro guest${newest:+ with the newest Mesa}" make_guest
        prune "$cache/micro" "$guest" 14
    fi
    unlock
fi
touch -c "$guest" "$kernel"
printf '%s\n' "$guest"
