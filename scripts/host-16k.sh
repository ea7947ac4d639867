#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the library's unit and renderer tests in an emulated aarch64 machine whose kernel has pages of 16 KiB, as a Mac
# has them. What the machine says goes to stdout: a line for each test when it ended. Half an hour.
#
# usage: host-16k.sh [--results FILE] [NAME...]
#   --results FILE  keep what the tests said there, a line of JSON for each (tests/host-16k/run-tests.py)
#   NAME...         only the tests that have one of these names
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

results=
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage; exit ;;
    --results) [ $# -gt 1 ] || die "--results takes a file"; results=$(realpath -m "$2"); shift ;;
    -*) die "unknown option $1; see $program --help" ;;
    *) break ;;
    esac
    shift
done

# The disk with the build, less what only the compiler wants, and what runs its tests.
# shellcheck disable=SC2317
make_disk() {
    mkdir -p "$work/disk/tree"
    tar -c -C "$home" --exclude='*.o' --exclude='*.a' src build | tar -x -C "$work/disk/tree"
    cp "$top"/tests/host-16k/* "$work/disk"
    chmod 755 "$work/disk/init"
    echo "$home" >"$work/disk/home"
    echo "$@" >"$work/disk/names"
    # What tests write goes there too.
    "$scripts/in-root.sh" --arm-host -- mke2fs -q -t ext4 -O ^has_journal -m 0 -L venus-tools -d "$work/disk" "$work/disk.img" \
        $(($(du -sm "$work/disk" | cut -f1) * 2 + 256))m
    rm -rf "$work/disk"
}

build=$("$scripts/build-lib.sh" --arch=aarch64 --build-dir)
image=$("$scripts/guest-image.sh" --arch aarch64 --variant host-16k)
home=${build%/build}
lock "host-16k-${home##*/}"
step_dir "host-16k-${home##*/}"
run_step "disk with the tests" make_disk "$@"
[ -n "$results" ] || results=$work/results
: >"$results"
# Processors without what costs an emulator much and changes nothing here; snapshots of disks are in TMPDIR. In the
# background, as bash acts upon a signal at once only while it waits for such.
TMPDIR=$work "$scripts/in-root.sh" --die-with-parent --arm-host -- qemu-system-aarch64 -nodefaults -no-user-config \
    -M virt,gic-version=3 -accel tcg,thread=multi -cpu max,pauth-impdef=on,sve=off,sme=off -smp "$(nproc)" -m 4G \
    -display none -serial stdio -no-reboot -kernel "$image/vmlinuz" -initrd "$image/initrd.img" \
    -append "console=ttyAMA0 root=/dev/vda init=/sbin/venus-init quiet panic=-1" \
    -drive "if=none,id=system,format=raw,snapshot=on,file=$image/disk.img" -device virtio-blk-pci,drive=system \
    -drive "if=none,id=tests,format=raw,cache=unsafe,file=$work/disk.img" -device virtio-blk-pci,drive=tests \
    -device virtio-serial-pci -chardev "file,id=results,path=$results" -device virtserialport,chardev=results,name=results \
    </dev/null &
wait $!
tail -n 1 "$results" | grep -q '"ended": true' || die "the machine ended before the tests did; what it said last is above"
