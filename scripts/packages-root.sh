#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes a fresh Debian 13 with apt and no more, has apt install our packages there as docs/packages.md says, and puts
# it into a directory for in-root.sh --root. Prints how long apt took, in seconds: for the packages, and for the newer
# Mesa.
#
# usage: packages-root.sh [--recommends] DIRECTORY
#   --recommends  with what they recommend, as apt does unless told otherwise: QEMU's windows and 300 packages more
# Nothing of it is kept elsewhere: what is tried is what Debian has now.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

recommends=false
if [ "${1:-}" = --recommends ]; then
    recommends=true
    shift
fi
case ${1:-} in
--help) usage; exit ;;
'' | -*) die "give it a directory, which it makes; see $program --help" ;;
esac
root=$1
[ ! -e "$root" ] || die "$root exists already"

# Run in the new system.
# shellcheck disable=SC2016
install='set -e
export DEBIAN_FRONTEND=noninteractive
begin=$(date +%s)
apt-get -o "APT::Install-Recommends=$2" install -y /tmp/debs/*.deb
packages=$(date +%s)
apt-get -o "APT::Install-Recommends=$2" install -y -t "$1-backports" mesa-vulkan-drivers
echo "$((packages - begin)) $(($(date +%s) - packages))" >/seconds
rm -r /tmp/debs'

# shellcheck disable=SC2317
make_fresh_root() {
    mkdir -p "$work/root"
    # mmdebstrap may do this as another user.
    mkdir "$place/debs"
    find "$debs" -name '*.deb' ! -name '*-dev_*' ! -name '*-dbgsym_*' -exec cp -t "$place/debs" {} +
    make_debian "$place" tar apt \
        --setup-hook="rm \"\$1/etc/apt/preferences.d/mesa\"" \
        --customize-hook="copy-in '$place/debs' /tmp" \
        --customize-hook="chroot \"\$1\" env -u APT_CONFIG sh -c '$install' sh $debian_suite $recommends" |
        tar -x -C "$work/root" --exclude='./dev/*'
    mkdir -p "$work/root/mnt"
    mkdir -p "$(dirname "$root")"
    mv -T "$work/root" "$root"
}

debs=$("$scripts/build-packages.sh")
need mmdebstrap flock:util-linux tar
lock fresh-root
step_dir fresh-root
open_dir fresh-root
run_step "fresh $debian_name with our packages" make_fresh_root
cat "$root/seconds"
