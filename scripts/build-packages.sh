#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds Debian's packages of packaging/debian with dpkg-buildpackage, in a root that has what they say that they need
# and no more. Prints the directory that they are in. What has not changed is not built again.
#
# usage: build-packages.sh [--qemu REVISION]
#   --qemu REVISION  the module is for that revision of Debian's QEMU, such as 1:10.0.13+ds-0+deb13u1; without it,
#                    for the one that Debian 13 has on that day
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

revision=
case ${1:-} in
--help) usage; exit ;;
--qemu) [ $# = 2 ] || die "--qemu takes a revision, such as 1:10.0.13+ds-0+deb13u1"; revision=$2 ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

# stock_revision: what Debian 13's apt would install as QEMU. Asked once a day; where it cannot be asked, what it was.
stock_revision() {
    local file=$cache/packages/qemu-revision found
    local apt=(-o Dir::Etc::SourceList="$root/etc/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::PreferencesParts="$root/etc/apt/preferences.d" -o APT::Architecture=amd64
        -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$root/var/lib/dpkg/status"
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3)
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    apt-get "${apt[@]}" update
    found=$(apt-cache "${apt[@]}" policy qemu-system-x86 | sed -n 's/^ *Candidate: //p')
    [ -n "$found" ] || die "Debian 13 has no qemu-system-x86"
    echo "$found" >"$file.new"
    mv "$file.new" "$file"
}

# What goes into the packages: the names, each with a zero byte.
source_files() (
    cd "$top"
    find LICENSE README.md CHANGELOG.md meson.build meson_options.txt include src tools qemu packaging \
        -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z
)

manifest() {
    printf '%s\n' "$revision" "$source"
    source_files | (cd "$top" && xargs -0 sha256sum --)
}

# shellcheck disable=SC2317
build() {
    mkdir -p "$work/build/source"
    source_files | (cd "$top" && xargs -0 cp --parents -t "$work/build/source" --)
    cp -a "$work/build/source/packaging/debian" "$work/build/source/debian"
    cd "$work/build/source"
    "$scripts/in-root.sh" --packages env QEMU_SRC="$source" LC_ALL=C.UTF-8 dpkg-buildpackage -b -us -uc
    mkdir "$work/debs"
    mv ../*.deb ../*.buildinfo ../*.changes "$work/debs"
    rm -rf "$dir"
    mv -T "$work/debs" "$dir"
}

root=$("$scripts/host-root.sh" --packages)
mkdir -p "$cache/packages"
if [ -z "$revision" ]; then
    need apt-get:apt flock:util-linux
    lock qemu-revision
    if [ -z "$(find "$cache/packages" -name qemu-revision -mtime 0)" ]; then
        step_dir qemu-revision
        try_step "QEMU's revision in $debian_name" stock_revision
    fi
    revision=$(cat "$cache/packages/qemu-revision") ||
        die "cannot tell which QEMU $debian_name has; give --qemu REVISION"
    unlock
fi
source=$(env -u QEMU_SRC "$scripts/qemu-source.sh" --package "$revision")
key=$( (manifest; root_key "$root"; declare -f build) | key_of)
dir=$cache/packages/$key
if [ ! -d "$dir" ]; then
    need flock:util-linux
    lock "packages-$key"
    if [ ! -d "$dir" ]; then
        step_dir "packages-$key"
        run_step "packages for Debian's QEMU $revision" build
        prune "$cache/packages" "$dir" 14 '????????????????'
    fi
    unlock
fi
touch -c "$dir"
printf '%s\n' "$dir"
