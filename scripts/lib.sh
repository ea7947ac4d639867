# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the other scripts share: where the cache is, one line of progress per step, locks, steps that
# can be interrupted and started again, the host's tools, the Debian mirror. Sourced, never run.
#
# A step makes something in the cache. It works in a directory of its own under $cache/tmp and ends
# with one rename, so a thing in the cache is either whole or not there. A lock per thing keeps two
# runs apart; whoever holds it may remove what an earlier, killed run left under $cache/tmp.
# A script prints its result (a path) on stdout and everything else on stderr.

# shellcheck source=scripts/versions.sh
. "${BASH_SOURCE[0]%/*}/versions.sh"

top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd -P)
# shellcheck disable=SC2034 # for those who source this
scripts=$top/scripts
cache=${XDG_CACHE_HOME:-${HOME:?is not set}/.cache}/virtio-gpu-venus
program=${0##*/}

# Where an unprivileged mmdebstrap works: as other users, for whom a home is closed.
open_base=$cache/tmp
[ "$(id -u)" = 0 ] || open_base=/var/tmp/virtio-gpu-venus-$(id -u)

say() { printf '%s\n' "$*" >&2; }

# die: says why in one line. With this status those who called us know that it has been said.
said=3
die() {
    say "$program: $*"
    exit "$said"
}

# usage: prints the script's own first comment, for --help.
usage() {
    sed -n '/^# SPDX/d; 2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# key_of: a short name for what is on stdin.
key_of() {
    sha256sum | cut -c1-16
}

# --- Running a step -----------------------------------------------------------------------------

step_pid=   # process group of the step that runs now
step_rc=0   # exit status of the last one
step_tmp=() # what to remove should we be stopped

# stopped SIGNAL: passes the signal on to the step, tidies up, and dies of that signal.
stopped() {
    trap '' INT TERM HUP
    if [ -n "$step_pid" ]; then
        kill -TERM -- "-$step_pid" 2>/dev/null || true
    fi
    # shellcheck disable=SC2046 # other scripts that we started
    kill $(jobs -p) 2>/dev/null || true
    wait
    remove_step_tmp
    trap - "$1" EXIT
    kill "-$1" $$
}

remove_step_tmp() {
    local dir
    for dir in "${step_tmp[@]}"; do
        remove_tree "$dir"
    done
    step_tmp=()
}

trap 'stopped INT' INT
trap 'stopped TERM' TERM
trap 'stopped HUP' HUP
trap remove_step_tmp EXIT
trap '[ $? = "$said" ] || say "$program: line $LINENO failed: $BASH_COMMAND"' ERR

# remove_tree DIR: rm -rf, also of what an unprivileged mmdebstrap left (it belongs to sub-uids).
remove_tree() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    rm -rf -- "$1" 2>/dev/null && return 0
    [ "$(id -u)" = 0 ] || ! command -v mmdebstrap >/dev/null ||
        mmdebstrap --unshare-helper rm -rf -- "$1" 2>/dev/null || true
    rm -rf -- "$1" || say "$program: could not remove $1"
}

# run_step NAME COMMAND...: one line when it starts and one with the time it took. What the command
# prints goes to a log; when it fails, the log's end and its path are shown and we exit.
run_step() {
    try_step "$@"
    [ "$step_rc" = 0 ] || exit "$said"
}

# try_step: the same, but leaves its exit status in step_rc, for the caller to deal with. Neither may
# be called in a condition: bash would then ignore set -e in the command too.
try_step() {
    local name=$1 log start=$SECONDS
    shift
    mkdir -p "$cache/log"
    log=$cache/log/$(printf %s "$name" | tr -c 'A-Za-z0-9.\n' - | tr -s - | sed 's/-$//')-$$.log
    say "==> $name ..."
    # A process group of its own, so that all of it can be stopped.
    set -m
    # shellcheck disable=SC2030,SC2031
    (
        set -euo pipefail
        trap - INT TERM HUP EXIT
        "$@"
    ) >"$log" 2>&1 </dev/null &
    step_pid=$!
    set +m
    step_rc=0
    wait "$step_pid" || step_rc=$?
    if [ "$step_rc" != 0 ]; then
        kill -TERM -- "-$step_pid" 2>/dev/null || true # what it left running, if it was killed
        tail -n 20 "$log" | sed 's/^/    | /' >&2
        say "$program: $name failed after $((SECONDS - start)) s; the whole log: $log"
    else
        say "    $name: done in $((SECONDS - start)) s"
    fi
    step_pid=
}

# lock NAME: from here to the end of the script, or to unlock, nobody else holds NAME. What a killed run
# of it left behind is removed.
lock() {
    local old
    mkdir -p "$cache/lock" "$cache/tmp" 2>/dev/null || die "cannot write to $cache: set XDG_CACHE_HOME"
    exec {lock_fd}>"$cache/lock/$1"
    if ! flock -n "$lock_fd"; then
        say "    waiting for another run that makes the same ($1)"
        # In the background, as bash acts upon a signal at once only while it waits for such.
        flock "$lock_fd" &
        wait $!
    fi
    for old in "$cache/tmp/$1".* "$open_base/$1".*; do
        remove_tree "$old"
    done
}

unlock() {
    exec {lock_fd}>&-
}

# step_dir NAME: sets work to an empty directory for the step NAME, whose lock the caller holds.
step_dir() {
    work=$cache/tmp/$1.$$
    mkdir "$work"
    step_tmp+=("$work")
}

# open_dir NAME: sets place to one that any user may reach and write to.
open_dir() {
    mkdir -p "$open_base"
    [ -O "$open_base" ] || die "$open_base is somebody else's; remove it"
    place=$open_base/$1.$$.open
    mkdir -m 1777 "$place"
    step_tmp+=("$place")
}

# prune DIR KEEP DAYS [PATTERN]: removes the entries of DIR, but KEEP, that were not used for DAYS.
prune() {
    local entry
    find "$1" -mindepth 1 -maxdepth 1 -name "${4:-*}" ! -path "$2" -mtime "+$(($3 - 1))" |
        while IFS= read -r entry; do
            remove_tree "$entry"
        done
}

# sync_tree FROM TO: makes TO the same as FROM. Touches only what differs, each file with one rename and
# a new date, so that a build sees what changed and nothing else, whatever dates the files of FROM have.
sync_tree() {
    local file
    rm -rf "$2".new.*
    if [ ! -e "$2" ]; then
        cp -a "$1" "$2.new.$$"
        mv -T "$2.new.$$" "$2"
        return
    fi
    list_tree "$1" >"$work/sync-from"
    list_tree "$2" >"$work/sync-to"
    LC_ALL=C comm -13 <(cut -f2 "$work/sync-from" | LC_ALL=C sort) \
        <(cut -f2 "$work/sync-to" | LC_ALL=C sort) | (cd "$2" && xargs -r -d '\n' rm -f --)
    LC_ALL=C comm -23 "$work/sync-from" "$work/sync-to" | cut -f2 | while IFS= read -r file; do
        mkdir -p "$2/${file%/*}"
        cp -P --preserve=mode "$1/$file" "$2/$file.new"
        mv -f "$2/$file.new" "$2/$file"
    done
}

# list_tree DIR: a line of content, mode, a tab and the name for each file and link.
list_tree() (
    cd "$1"
    {
        find . -type f -print0 | xargs -0 -r sha256sum -- | sed 's/  /\t/'
        find . -type f -perm -u+x -printf 'x\t%p\n'
        find . -type l -printf '%l\t%p\n'
    } | LC_ALL=C sort
)

# compiler_cache: one for all builds of all checkouts, which lie in other directories but alike inside. QEMU's
# build names those directories to the compiler, so what is below the cache counts as seen from where it runs.
compiler_cache() {
    export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$cache CCACHE_MAXSIZE=3G
    export CCACHE_COMPILERCHECK=content CCACHE_NOHASHDIR=1
}

# root_key ROOT: what identifies the system that host-root.sh chose: builds made in another are not to
# be trusted in this one.
root_key() {
    if [ "$1" = / ]; then
        { gcc --version; pkg-config --modversion virglrenderer vulkan glib-2.0; } 2>&1 | key_of
    else
        printf '%s\n' "${1##*/}"
    fi
}

# qemu_patches: prints the paths of the patches for QEMU, in the order in which they are applied: those that
# are meant for QEMU itself, then our own; in each folder by name.
qemu_patches() {
    local folder
    for folder in upstream ours; do
        find "$top/qemu/patches/$folder" -name '*.patch' | LC_ALL=C sort
    done
}

# --- The host -----------------------------------------------------------------------------------

# need COMMAND[:PACKAGE]...: the host's commands. Root on a Debian gets what is missing installed;
# anybody else is told what to install.
need() {
    PATH=$PATH:/usr/sbin:/sbin
    [ -n "$(missing "$@")" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        die "this machine lacks $(missing "$@"); install them (on Debian: apt-get install $(missing "$@"))"
    fi
    lock host-tools
    if [ -n "$(missing "$@")" ]; then
        # shellcheck disable=SC2046 # a word for each package
        run_step "host tools ($(missing "$@"))" install_packages $(missing "$@")
    fi
    unlock
}

# missing COMMAND[:PACKAGE]...: prints the packages of those commands that there are not.
missing() {
    local item names=()
    for item in "$@"; do
        command -v "${item%%:*}" >/dev/null || names+=("${item##*:}")
    done
    echo "${names[*]}"
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    local lists=(/var/lib/apt/lists/*Packages*)
    if [ ! -e "${lists[0]}" ]; then
        apt-get update
    fi
    # The lists may be older than the mirror: a second try with new ones.
    apt-get install -y --no-install-recommends "$@" ||
        { apt-get update && apt-get install -y --no-install-recommends "$@"; }
}

# debian_mirror: the address of Debian's packages, as this host's apt has it.
debian_mirror() {
    local uri=
    if [ -n "${DEBIAN_MIRROR:-}" ]; then
        printf '%s\n' "${DEBIAN_MIRROR%/}"
        return
    fi
    if command -v apt-get >/dev/null; then
        # The origin is known only once the lists were fetched; without it the path must do.
        # shellcheck disable=SC2016 # apt expands these
        uri=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' \
            2>/dev/null | awk -F'|' '
                $1 == "Debian" && $2 == "Debian" { print $3; exit }
                $1 !~ /[a-z]/ && $3 ~ /\/debian\/?$/ && other == "" { other = $3 }
                END { if (other != "") print other }' | head -n 1)
        case $uri in
        mirror+file:*) uri=$(awk '/^[a-z]+:/ { print $1; exit }' "${uri#mirror+file:}") ;;
        esac
    fi
    [ -n "$uri" ] ||
        die "this host's apt names no Debian mirror; set DEBIAN_MIRROR to the address of one"
    printf '%s\n' "${uri%/}"
}

# make_debian WORK FORMAT PACKAGE,... [OPTION...]: a Debian with Mesa from backports, by mmdebstrap.
# FORMAT is tar (on stdout) or null (then an option's hook takes what it wants). WORK is for its
# temporary files; it must be open to all, as unprivileged it works as another user.
make_debian() {
    local work=$1 format=$2 packages=$3 mirror pin
    local mmdebstrap=(unshare --mount -- mmdebstrap --mode=root)
    shift 3
    mirror=$(debian_mirror)
    # As root mmdebstrap mounts /proc and the like where everybody sees it, so we give it a namespace.
    [ "$(id -u)" = 0 ] || mmdebstrap=(mmdebstrap --mode=unshare)
    pin="Package: src:mesa\nPin: release n=$debian_suite-backports\nPin-Priority: 900\n"
    # INITRD=No: the kernel package's hook is not to make an initrd; those who need one make their own.
    TMPDIR=$work INITRD=No "${mmdebstrap[@]}" --variant=minbase \
        --format="$format" --include="$packages" \
        --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' \
        --setup-hook="printf '$pin' >\"\$1/etc/apt/preferences.d/mesa\"" \
        "$@" "$debian_suite" - \
        "deb $mirror $debian_suite main" \
        "deb $mirror $debian_suite-updates main" \
        "deb [check-valid-until=no] $mirror $debian_suite-backports main"
}

# debian_apt WORK [SUITE...]: sets apt to an apt-get of its own, with WORK for its files, which knows the packages of a
# Debian with Mesa from backports, as make_debian has it, and of those suites too, and of no package that would be
# installed.
debian_apt() {
    local mirror suite
    mirror=$(debian_mirror)
    mkdir -p "$1"/lists/partial "$1"/cache/archives/partial
    printf 'deb %s main\n' "$mirror $debian_suite" "$mirror $debian_suite-updates" >"$1/sources.list"
    for suite in "$debian_suite-backports" "${@:2}"; do
        printf 'deb [check-valid-until=no] %s main\n' "$mirror $suite" >>"$1/sources.list"
    done
    printf '%s\n' 'Package: src:mesa' "Pin: release n=$debian_suite-backports" 'Pin-Priority: 900' >"$1/preferences"
    : >"$1/status"
    apt=(apt-get -o Dir::State="$1" -o Dir::State::Lists="$1/lists" -o Dir::State::Status="$1/status"
        -o Dir::Cache="$1/cache" -o Dir::Etc::SourceList="$1/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::Preferences="$1/preferences" -o Dir::Etc::PreferencesParts=/dev/null
        -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Install-Recommends=false
        -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3)
    "${apt[@]}" update
}

# unpack_debs ROOT DEB...: what the packages hold, but for what only people read; on all processors.
unpack_debs() {
    local root=$1
    shift
    # shellcheck disable=SC2016
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" bash -euo pipefail -c '
        dpkg-deb --fsys-tarfile "$1" | tar -x -C "$0" --keep-directory-symlink --no-same-owner --exclude=./usr/share/doc \
            --exclude=./usr/share/man --exclude=./usr/share/locale --exclude=./usr/share/info' "$root"
}
