#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the micro guest, and prints the directory it is in: vmlinuz and initrd.img, which is all of it: busybox, the
# modules that a virtual GPU takes, Mesa's Venus driver, vulkaninfo, the programs of guest/, and the libraries that they
# need. It has no disk, no compositor and no other driver. Ten seconds, 17 MB; a change of guest/ takes three.
#
# usage: micro-guest.sh
# All of it but the kernel is what the root with Debian's QEMU has, so with that, and a kernel that was fetched before,
# no network is needed.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

case ${1:-} in
--help) usage; exit ;;
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
    local apt package module version path
    debian_apt "$work/apt"
    package=$(apt-cache "${apt[@]:1}" depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
    mkdir "$work/download" "$work/root" "$work/kernel"
    cd "$work/download"
    "${apt[@]}" download "$package"
    unpack_debs "$work/root" "$work"/download/*.deb
    cp "$work"/root/boot/vmlinuz-* "$work/kernel/vmlinuz"
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

# Runs in the root with Debian's QEMU: puts the programs $3... into the tree $1, with the driver that the file $2
# names and every library that they need, and makes $1.img of it.
# shellcheck disable=SC2016
fill='
set -euo pipefail
tree=$1 driver=$2
shift 2
library=$(sed -n "s/.*\"library_path\": *\"\(.*\)\".*/\1/p" "$driver")
case $library in
/*) ;;
*) library=$(echo /usr/lib/*/"$library") ;;
esac
mkdir -p "$tree"/{bin,usr/bin,usr/lib} "$tree${driver%/*}"
ln -s usr/lib "$tree/lib"
ln -s usr/lib "$tree/lib64"
cp "$driver" "$tree$driver"
cp /usr/bin/busybox "$tree/bin/"
cp /usr/bin/vulkaninfo "$tree/usr/bin/"
loader=$(echo /usr/lib/*/libvulkan.so.1)
strip --strip-unneeded "$@" 2>/dev/null || true
strip --strip-debug "$tree"/modules/*.ko
# Of scripts it complains.
needs=$(ldd /usr/bin/vulkaninfo "$library" "$loader" "$@" 2>/dev/null || true)
if grep "not found" <<<"$needs"; then
    exit 1
fi
{
    printf "%s\n" "$library" "$loader"
    awk "\$2 == \"=>\" { print \$3 } NF == 2 && \$1 ~ /^\\// { print \$1 }" <<<"$needs"
} | grep -v ":\$" | LC_ALL=C sort -u | while IFS= read -r path; do
        to=$tree$(echo "$path" | sed "s,^/lib64/,/usr/lib/,; s,^/lib/,/usr/lib/,; s,^/usr/lib64/,/usr/lib/,")
        mkdir -p "${to%/*}"
        [ -e "$to" ] || cp -L "$path" "$to"
    done
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
    in_root bash -c "$fill" fill "$tree" "$driver" "$tree"/opt/venus/*
    cp "$kernel/vmlinuz" "$work/guest/vmlinuz"
    mv "$tree.img" "$work/guest/initrd.img"
    mv -T "$work/guest" "$guest"
}

tools=$("$scripts/tools-disk.sh" --dir)
root=$(HOST_ROOT=debian "$scripts/host-root.sh" --stock-qemu)
key=$( (printf '%s\n' "$debian_suite" "${modules[@]}"; declare -f debian_apt unpack_debs make_kernel) | key_of)
kernel=$cache/micro/kernel-$key
key=$( (
    printf '%s\n' "$kernel" "${root##*/}" "$tools" "$fill" "$driver"
    declare -f make_guest
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
        run_step "kernel of the micro guest ($debian_name)" make_kernel
        remove_step_tmp
    fi
    if [ ! -d "$guest" ]; then
        step_dir micro-guest
        run_step "micro guest" make_guest
        prune "$cache/micro" "$guest" 14
    fi
    unlock
fi
touch -c "$guest" "$kernel"
printf '%s\n' "$guest"
