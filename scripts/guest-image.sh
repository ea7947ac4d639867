#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the guest that the demo and the tests boot, and prints the directory it is in: vmlinuz,
# initrd.img and disk.img (a Debian 13 with Mesa's Venus driver and Zink, vulkan-tools, vkmark, weston with
# Xwayland, Xorg, mpv and other programs that know nothing of us; an ext4 without partitions). About a minute
# and a half, 1.2 GB.
#
# usage: guest-image.sh [--arch ARCH] [--variant VARIANT]
#   --arch ARCH        of the guest's processor: x86_64 (the default) or aarch64
#   --variant VARIANT  a newer guest: backports (Debian 13 with the kernel of its backports) or forky (the next
#                      Debian, as it is on that day); small: what the demo needs and no more, its packages unpacked
#                      and not installed, for x86_64 (half a minute, 0.7 GB); 16k: for aarch64, with a kernel whose
#                      pages are of 16 KiB, as a Mac has them; or host-16k: no guest but a host with that kernel, in
#                      which host-16k.sh runs the library's tests
# GUEST_IMAGE=DIR: your own directory of that layout instead, for x86_64, and small.
#
# The image holds nothing of ours but /sbin/venus-init, which hands over to /opt/venus/init on a second
# disk, the one with the label venus-tools. So a change to a guest program does not make a new image.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

arch=x86_64
variant=
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage; exit ;;
    --arch) [ $# -gt 1 ] || die "--arch takes a processor"; arch=$2; shift ;;
    --arch=*) arch=${1#*=} ;;
    --variant) [ $# -gt 1 ] || die "--variant takes backports, forky, small, 16k or host-16k"; variant=$2; shift ;;
    --variant=*) variant=${1#*=} ;;
    *) die "unknown option $1; see $program --help" ;;
    esac
    shift
done
case $arch in
x86_64) debian_arch=amd64 ;;
aarch64) debian_arch=arm64 ;;
*) die "--arch takes x86_64 or aarch64, not $arch" ;;
esac

packages=(
    "linux-image-$debian_arch" kmod busybox-static udev procps util-linux
    mesa-vulkan-drivers vulkan-tools vkmark weston seatd libdrm-tests
    vulkan-validationlayers
    # programs that know nothing of us: X, films, OpenGL by Zink
    xserver-xorg-core xwayland mpv ffmpeg libgl1-mesa-dri mesa-utils glmark2-es2-wayland
    # what draws a desktop by Vulkan, and by OpenGL on the bare display
    labwc kmscube
)

# What a variant does in the new root before apt reads its lists there.
variant_options=()
case $variant in
'') ;;
backports)
    variant_options=(--setup-hook="printf 'Package: linux-image-* linux-base\nPin: release n=$debian_suite-backports\nPin-Priority: 900\n' \
        >\"\$1/etc/apt/preferences.d/linux\"")
    ;;
16k)
    [ "$arch" = aarch64 ] || die "--variant 16k goes with --arch aarch64: other processors have pages of 4 KiB"
    packages[0]=linux-image-arm64-16k
    ;;
host-16k)
    [ "$arch" = aarch64 ] || die "--variant host-16k goes with --arch aarch64: other processors have pages of 4 KiB"
    packages=(
        linux-image-arm64-16k kmod busybox-static mount udev procps util-linux python3 binutils
        virgl-server libvirglrenderer1 mesa-vulkan-drivers vulkan-tools vulkan-validationlayers libcmocka0
        libxcb1 libwayland-client0 libdrm2 edid-decode
    )
    ;;
forky)
    debian_suite=forky
    debian_name="Debian forky"
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | grep -vx vkmark) # which it does not have
    # It has no backports yet. What a mirror has of it may be past its date, as a snapshot's is.
    variant_options=(--setup-hook="sed -i '/backports/d; s/^deb /deb [check-valid-until=no] /' \"\$1/etc/apt/sources.list\"")
    ;;
small)
    [ "$arch" = x86_64 ] || die "the variant small is for x86_64"
    packages=(
        '?essential' "linux-image-$debian_arch" kmod busybox-static mount udev procps util-linux
        mesa-vulkan-drivers vulkan-tools vkmark weston seatd
    )
    ;;
*) die "--variant takes backports, forky, small, 16k or host-16k, not $variant" ;;
esac

# What a virtual machine never has; a third of the kernel's modules.
excluded=(sound drivers/media drivers/infiniband drivers/net/wireless drivers/net/ethernet
    drivers/gpu/drm/amd drivers/gpu/drm/i915 drivers/gpu/drm/nouveau drivers/gpu/drm/radeon
    drivers/gpu/drm/xe)

# Runs in the guest's root as /sbin/venus-init, when the kernel is told init=/sbin/venus-init.
# shellcheck disable=SC2016
venus_init='#!/bin/sh
# Process 1 of the guest: mounts what every program expects, finds the disk with our tools, becomes
# their init.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
disk=$(blkid -L venus-tools) || disk=/dev/vdb
if mount -o ro "$disk" /opt/venus && [ -x /opt/venus/init ]; then
    exec /opt/venus/init "$@"
fi
echo "venus-init: no disk with the label venus-tools and an init on it; here is a shell"
exec setsid -c sh -i </dev/console >/dev/console 2>&1
'

# The initrd: loads what it takes to see the disk, mounts it, becomes its init.
# shellcheck disable=SC2016
initrd_init='#!/bin/busybox sh
export PATH=/bin
busybox mkdir -p /proc /dev /disk
busybox mount -t proc proc /proc
busybox mount -t devtmpfs devtmpfs /dev
disk=/dev/vda init=/sbin/init
for word in $(busybox cat /proc/cmdline); do
    case $word in
    root=*) disk=${word#root=} ;;
    init=*) init=${word#init=} ;;
    esac
done
while read -r module; do
    busybox insmod "/modules/$module"
done </modules/order
tries=0
until busybox mount -t ext4 -o noatime "$disk" /disk 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 200 ]; then
        echo "initrd: cannot mount $disk"
        exec busybox sh
    fi
    busybox usleep 50000
done
busybox umount /proc
busybox mount -o move /dev /disk/dev
exec busybox switch_root /disk "$init"
'

# Makes $1/boot/initrd.img of busybox, the modules and the script above. Runs in the guest's root, with $1
# empty; if that is for another processor, on this machine, with $1 that root.
# shellcheck disable=SC2016
make_initrd='
set -eu
kernel=$(ls "$1/usr/lib/modules")
initrd=$1/initrd
mkdir -p "$initrd/bin" "$initrd/modules"
cp "$1/bin/busybox" "$initrd/bin/busybox"
cat >"$initrd/init"
chmod 755 "$initrd/init"
for module in virtio_pci virtio_blk ext4; do
    modprobe --dirname "$1/" --show-depends --set-version "$kernel" "$module"
done | while read -r what path rest; do
    [ "$what" = insmod ] || continue
    name=${path##*/}
    name=${name%.xz}
    [ ! -e "$initrd/modules/$name" ] || continue
    case $path in
    *.xz) busybox xzcat "$path" ;;
    *) cat "$path" ;;
    esac >"$initrd/modules/$name"
    echo "$name"
done >"$initrd.order"
mv "$initrd.order" "$initrd/modules/order"
cd "$initrd"
find . | busybox cpio -o -H newc >"$1/boot/initrd.img"
rm -r "$initrd"
'

# A root whose packages are only unpacked: that for another processor, none of whose programs can run here, and the
# small one, as that is fast.
# What these two do to the root $1 is, as far as the guest needs it, what installing them would have done:
# before anything is unpacked, and afterwards.
# shellcheck disable=SC2016
lay_out='
set -eu
for name in bin sbin lib; do
    mkdir -p "$1/usr/$name"
    [ -e "$1/$name" ] || ln -s "usr/$name" "$1/$name"
done
'

# shellcheck disable=SC2016
set_up='
set -eu
for name in passwd group; do
    cp "$1/usr/share/base-passwd/$name.master" "$1/etc/$name"
done
[ -e "$1/bin/sh" ] || ln -s dash "$1/bin/sh"
for kernel in "$1"/usr/lib/modules/*; do
    depmod -b "$1" "${kernel##*/}"
done
# Of the libraries that there are several of, the one that is there.
for library in blas/libblas.so.3 lapack/liblapack.so.3; do
    for path in "$1"/usr/lib/*/"$library"; do
        [ ! -e "$path" ] || ln -sf "$library" "${path%/*/*}/${library##*/}"
    done
done
'

# Runs on this machine, as root of the user namespace if we are not root, with the guest's root as $1:
# the only place where its files have their right owners.
# shellcheck disable=SC2016
finish='
set -eu
PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$1/opt/venus"
printf %s "$VENUS_INIT" >"$1/sbin/venus-init"
chmod 755 "$1/sbin/venus-init"
echo venus >"$1/etc/hostname"
if [ -n "$SET_UP" ]; then
    sh -c "$SET_UP" set-up "$1"
    printf %s "$INITRD_INIT" | sh -c "$MAKE_INITRD" make-initrd "$1"
else
    printf %s "$INITRD_INIT" | chroot "$1" sh -c "$MAKE_INITRD" make-initrd ""
fi
cp -L "$1"/boot/vmlinuz-* "$OUT/vmlinuz"
mv "$1/boot/initrd.img" "$OUT/initrd.img"
rm -rf "$1"/boot/* "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/usr/share/doc/*
size=$(du -smx "$1" | cut -f1)
# A bind mount does not show what is mounted below: /proc, /sys and /dev of mmdebstrap.
mkdir "$OUT/../view"
unshare --mount sh -euc "
    mount --bind \"$1\" \"$OUT/../view\"
    mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -m 0 -L venus-guest -d \"$OUT/../view\" \
        \"$OUT/disk.img\" $((size + size / 8 + 512))m"
chmod 644 "$OUT"/*
'

make_image() {
    local option options=("${variant_options[@]}")
    for option in "${excluded[@]}"; do
        options+=(--dpkgopt="path-exclude=/usr/lib/modules/*/kernel/$option/*")
    done
    mkdir -m 1777 "$place/tmp" "$place/out"
    export OUT=$place/out VENUS_INIT=$venus_init INITRD_INIT=$initrd_init MAKE_INITRD=$make_initrd
    export SET_UP=$set_up
    if [ -z "$set_up" ]; then
        options+=(--customize-hook="$finish")
    else
        options+=(--variant=extract "--architectures=$debian_arch" --include='?essential'
            --setup-hook="$lay_out" --extract-hook="$finish")
    fi
    make_debian "$place/tmp" null "$(IFS=,; echo "${packages[*]}")" \
        "${options[@]}" >/dev/null
    mkdir "$work/image"
    cp --sparse=always "$place/out"/* "$work/image/"
    mv -T "$work/image" "$image"
}

# What does not fit make_debian, as it is not for installing; all that runs here runs in the root with Debian's QEMU.
make_small_image() {
    local apt name option
    debian_apt "$work/apt"
    "${apt[@]}" install --download-only -y "${packages[@]}"
    mkdir "$work/root" "$work/image"
    sh -c "$lay_out" lay-out "$work/root"
    unpack_debs "$work/root" "$work"/apt/cache/archives/*.deb
    for option in "${excluded[@]}"; do
        rm -rf "$work"/root/usr/lib/modules/*/kernel/"$option"
    done
    # Which a package would have made as it was set up.
    mkdir -p "$work"/root/{dev,proc,sys,run,tmp,root,boot}
    "$scripts/in-root.sh" --stock-qemu -- env OUT="$work/image" VENUS_INIT="$venus_init" INITRD_INIT="$initrd_init" \
        MAKE_INITRD="$make_initrd" SET_UP="$set_up" sh -c "$finish" finish "$work/root" </dev/null
    rmdir "$work/view"
    mv -T "$work/image" "$image"
}

if [ -n "${GUEST_IMAGE:-}" ] && { [ "$arch$variant" = x86_64 ] || [ "$variant" = small ]; }; then
    for file in vmlinuz initrd.img disk.img; do
        [ -r "$GUEST_IMAGE/$file" ] || die "GUEST_IMAGE=$GUEST_IMAGE has no $file"
    done
    cd "$GUEST_IMAGE" && pwd -P
    exit
fi

name="guest image"
make=make_image
how=(make_debian)
if [ "$variant" = small ]; then
    name="small guest image"
    make=make_small_image
    how=(debian_apt unpack_debs)
elif [ "$arch" = x86_64 ]; then
    lay_out=
    set_up=
else
    name="guest image for $arch"
fi
[ "$variant" != backports ] || name="$name with backports' kernel"
[ "$variant" != host-16k ] || name="aarch64 host with pages of 16 KiB"
[ "$variant" != 16k ] || name="$name with pages of 16 KiB"
key=$( (
    printf '%s\n' "$debian_suite" "${packages[@]}" "${excluded[@]}" "$venus_init" "$initrd_init" \
        "$make_initrd" "$finish" "$lay_out$set_up" "${variant_options[@]}"
    declare -f "${how[@]}" "$make"
) | key_of)
image=$cache/guest/$key
if [ ! -d "$image" ]; then
    need flock:util-linux
    if [ "$variant" = small ]; then
        need apt-get:apt dpkg-deb:dpkg xargs:findutils tar
    else
        need mmdebstrap mke2fs:e2fsprogs
        [ -z "$set_up" ] || need depmod:kmod busybox:busybox-static
    fi
    lock guest-image
    if [ ! -d "$image" ]; then
        mkdir -p "$cache/guest"
        step_dir guest-image
        open_dir guest-image
        run_step "$name ($debian_name)" "$make"
        prune "$cache/guest" "$image" 14
    fi
    unlock
fi
touch -c "$image"
printf '%s\n' "$image"
