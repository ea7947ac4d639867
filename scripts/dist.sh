#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes the tarball of a release, out/virtio-gpu-venus-VERSION.tar.xz, and prints its path. It holds what is committed,
# with the date of the last commit, so one commit makes one tarball, to the last byte. What it holds builds with no
# network.
#
# usage: dist.sh
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

case ${1:-} in
--help) usage; exit ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

need git xz:xz-utils
git=(git -C "$top" -c "safe.directory=$top" -c tar.umask=0022)
version=$("${git[@]}" show HEAD:meson.build 2>/dev/null | sed -n "s/^ *version: '\(.*\)',$/\1/p")
[ -n "$version" ] || die "$top is no git repository, or has no release in meson.build: a tarball is made of a commit"
[ -z "$("${git[@]}" status --porcelain)" ] || say "$program: what is not committed is not in the tarball"
name=virtio-gpu-venus-$version
mkdir -p "$top/out"
new=$top/out/.$name.$$
step_tmp+=("$new")
# git sorts the files, and gives them the commit's date. Modes are not left to a setting of the user's.
"${git[@]}" archive --format=tar --prefix="$name/" HEAD | xz -6 --threads=1 >"$new"
mv "$new" "$top/out/$name.tar.xz"
printf '%s\n' "$top/out/$name.tar.xz"
