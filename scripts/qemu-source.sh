#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the path of QEMU's source, untouched, unpacked in the cache: Debian's source package with
# Debian's own patches (its firmware is stripped, and without them configure fails). Of the versions in
# versions.sh it is the first that the mirror still has; each file is checked by its hash. A mirror may have moved
# on from all of them: then it is what Debian 13 has on that day, checked by apt.
#
# usage: qemu-source.sh [VERSION | --package REVISION]
#   VERSION             is one of versions.sh's, such as 10.0.13
#   --package REVISION  the source of that package of Debian's and no other, such as 1:10.0.13+ds-0+deb13u1
# QEMU_SRC=DIR: your own source tree instead; nothing is fetched.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

# fetch URL FILE SHA256: through apt, so with its proxies and settings. Its usual user for downloads
# could not write here.
# shellcheck disable=SC2317
fetch() {
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=3 \
        download-file "$1" "$2" "SHA256:$3"
}

# shellcheck disable=SC2317
fetch_and_unpack() {
    local dsc=${qemu_dsc[$1]} pool sum size file
    pool=$(debian_mirror)/pool/main/q/qemu
    cd "$work"
    fetch "$pool/$dsc" "$dsc" "${qemu_dsc_sha256[$1]}"
    awk '/^[^ ]/ { on = ($1 == "Checksums-Sha256:") } on && /^ / && $3 !~ /\.asc$/ { print $1, $2, $3 }' \
        "$dsc" >files
    while read -r sum size file; do
        echo "$file: $size bytes"
        fetch "$pool/$file" "$file" "$sum"
    done <files
    # The hash of the .dsc was checked; whether its signer's key is on this machine says nothing more.
    dpkg-source --no-check -x "$dsc" source
    rm -rf source/roms # two thirds of it, and only for those who build firmware
    mv -T source "$sources/$1"
}

# fetch_by_apt PACKAGE PLACE [SECURITY]: what the release has now, or one revision of it (qemu=REVISION), with lists of
# apt's own. SECURITY: the address of the archive of security updates, to look there too.
# shellcheck disable=SC2317
fetch_by_apt() {
    local apt=(-o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache"
        -o APT::Sandbox::User=root -o Acquire::Retries=3)
    cd "$work"
    mkdir -p lists/partial cache/archives/partial
    {
        printf 'deb-src [check-valid-until=no] %s %s main\n' "$(debian_mirror)" "$debian_suite"
        [ -z "${3:-}" ] || printf 'deb-src %s %s-security main\n' "$3" "$debian_suite"
    } >sources.list
    apt-get "${apt[@]}" update
    apt-get "${apt[@]}" source --download-only "$1"
    dpkg-source --no-check -x qemu_*.dsc source
    rm -rf source/roms
    mv -T source "$2"
}

revision=
case ${1:-} in
--help) usage; exit ;;
--package)
    [ $# = 2 ] || die "--package takes a revision, such as 1:10.0.13+ds-0+deb13u1"
    revision=$2
    shift 2
    ;;
-*) die "unknown option $1; see $program --help" ;;
esac
if [ -n "${QEMU_SRC:-}" ]; then
    [ -x "$QEMU_SRC/configure" ] ||
        die "QEMU_SRC=$QEMU_SRC is not a QEMU source tree (it has no configure)"
    cd "$QEMU_SRC" && pwd -P
    exit
fi
# One that versions.sh knows, by its hash. Any other is signed by Debian, and its name is all that we know.
if [ -n "$revision" ]; then
    for version in "${qemu_versions[@]}"; do
        [ "${qemu_dsc[$version]}" != "qemu_${revision#*:}.dsc" ] || set -- "$version"
    done
fi
if [ -n "$revision" ] && [ $# = 0 ]; then
    sources=$cache/qemu-source/$debian_suite/${revision#*:}
    if [ ! -d "$sources" ]; then
        need dpkg-source:dpkg-dev xz:xz-utils patch flock:util-linux
        lock qemu-source
        for security in "" "$(debian_mirror)-security"; do
            [ ! -d "$sources" ] || break
            mkdir -p "${sources%/*}"
            step_dir qemu-source
            try_step "source of QEMU $revision" fetch_by_apt "qemu=$revision" "$sources" "$security"
            remove_step_tmp
        done
        unlock
    fi
    [ -d "$sources" ] || die "Debian has no source of QEMU $revision any more; update the QEMU that is installed"
    touch -c "$sources"
    printf '%s\n' "$sources"
    exit
fi
versions=("${qemu_versions[@]}")
asked=$#
if [ $# -gt 0 ]; then
    [ -n "${qemu_dsc[$1]:-}" ] || die "QEMU $1 is not known; choose of: ${qemu_versions[*]}"
    versions=("$1")
fi

# What the release had when a mirror had none of ours. It is kept: a newer one would be built anew.
newest=$cache/qemu-source/$debian_suite/newest
have_newest() {
    [ "$asked" = 0 ] && [ -d "$newest" ]
}

# The hash is part of the path: another package of the same version is another source.
for version in "${versions[@]}"; do
    sources=$cache/qemu-source/${qemu_dsc_sha256[$version]:0:16}
    if [ ! -d "$sources/$version" ] && ! have_newest; then
        need dpkg-source:dpkg-dev xz:xz-utils patch flock:util-linux
        lock qemu-source
        if [ ! -d "$sources/$version" ]; then
            mkdir -p "$sources"
            step_dir qemu-source
            try_step "source of QEMU $version" fetch_and_unpack "$version"
            remove_step_tmp
        fi
        unlock
    fi
    [ -d "$sources/$version" ] || continue
    touch -c "$sources"
    printf '%s\n' "$sources/$version"
    exit
done
if [ "$asked" = 0 ] && ! have_newest; then
    lock qemu-source
    if ! have_newest; then
        mkdir -p "${newest%/*}"
        step_dir qemu-source
        try_step "source of $debian_name's QEMU" fetch_by_apt qemu "$newest"
        remove_step_tmp
    fi
    unlock
fi
if have_newest; then
    touch -c "${newest%/*}"
    printf '%s\n' "$newest"
    exit
fi
die "the Debian mirror has no source package of QEMU ${versions[*]}; set DEBIAN_MIRROR or QEMU_SRC"
