#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs a command in the system that host-root.sh chose: with its programs and libraries, but this
# machine's files (the checkout, the cache, the home, /tmp), devices, network, X and Wayland. The
# command takes this process's place, so that its signals and its exit status are its own.
#
# usage: in-root.sh [--die-with-parent] [SYSTEM] [--] COMMAND [ARGUMENT...]
#   --die-with-parent  kill the command when the process that called us is gone
#   --without-egl      in a copy of that system that has no libEGL and no libGL
#   --next-virglrenderer  in a copy of it with the next Debian's virglrenderer
#   --stock-qemu       in the small system that has Debian's own QEMU
#   --libvirt          in one that has Debian's libvirt too
#   --cross            in the small system that builds for aarch64
#   --arm-host         in the small system that builds the library for aarch64 and emulates a machine to run it on
#   --tidy             in the small system that has clang-tidy
#   --packages         in the small system that builds packages
#   --gnustep          in the small system that has GNUstep
#   --root DIRECTORY   in that system, a Debian 13
# A Debian 13 root is seen read-only. Its mounts are in a private namespace and go with the command.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

root=
root_options=()
prefix=()
while [ $# -gt 0 ]; do
    case $1 in
    --die-with-parent) prefix=(setpriv --pdeathsig KILL) ;;
    --without-egl | --next-virglrenderer | --stock-qemu | --libvirt | --cross | --arm-host | --tidy | --packages | --gnustep)
        root_options=("$1")
        ;;
    --root) [ -d "${2:-}/usr" ] || die "--root takes the directory of a system"; root=$(cd "$2" && pwd -P); shift ;;
    --help) usage; exit ;;
    --) shift; break ;;
    -*) die "unknown option $1; see $program --help" ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || die "no command given; see $program --help"

[ -n "$root" ] || root=$("$scripts/host-root.sh" "${root_options[@]}")
trap - INT TERM HUP EXIT
if [ "$root" = / ]; then
    exec "${prefix[@]}" "$@"
fi

# Only what programs in there can make sense of: a setting for this machine's libraries may not fit.
environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
while IFS= read -r name; do
    case $name in
    HOME | USER | LOGNAME | TERM | COLORTERM | NO_COLOR | LANG | LC_* | TZ | CI | TMPDIR | XDG_* | \
        DISPLAY | XAUTHORITY | WAYLAND_DISPLAY | SDL_* | G_* | GLIB_* | QTEST_* | QEMU_* | \
        VK_* | MESA_* | LP_* | LVP_* | VKR_* | VN_* | VIRGL_* | VENUS_* | VGV_* | RENDER_SERVER* | \
        ASAN_* | LSAN_* | TSAN_* | UBSAN_* | CMOCKA_* | MESON_* | NINJA_* | CCACHE_* | DEBUGINFOD_* | \
        GUEST_IMAGE | HOST_ROOT)
        environment+=("$name=${!name}")
        ;;
    esac
done < <(compgen -e)

# As root a mount namespace is enough; as anybody else it takes a user namespace to own it.
namespace=(--mount)
if [ "$(id -u)" != 0 ]; then
    namespace=(--user --map-root-user --mount)
    unshare "${namespace[@]}" true 2>/dev/null ||
        die "this system lets only root make namespaces (user namespaces are off): run as root"
fi

# Runs in the new namespace. Puts together, on a tmpfs: the root's own system directories, read-only;
# everything else of this machine; and whatever of ours lies in a system directory's place.
# shellcheck disable=SC2016
mounts='
set -eu
PATH=$PATH:/usr/sbin:/sbin
root=$1 keep=$2
shift 2
here=$PWD
new=$root/mnt
mount -t tmpfs -o mode=755 tmpfs "$new"
for path in /* /.[!.]*; do
    name=${path#/}
    case $name in
    usr | bin | sbin | lib | lib?? | libx32 | etc | var | boot | lost+found | "*" | .*"*") continue ;;
    esac
    if [ -L "$path" ]; then
        cp -P "$path" "$new/$name"
    elif [ -d "$path" ]; then
        mkdir "$new/$name"
        mount --rbind "$path" "$new/$name"
    fi
done
for name in usr etc var; do
    mkdir "$new/$name"
    mount --bind "$root/$name" "$new/$name"
    mount -o remount,bind,ro "$new/$name"
done
for name in bin sbin lib lib64; do
    ln -s "usr/$name" "$new/$name"
done
for name in var/tmp etc/hosts etc/resolv.conf etc/passwd etc/group; do
    if [ -e "/$name" ] && [ -e "$new/$name" ]; then
        mount --bind "/$name" "$new/$name"
    fi
done
mount -t tmpfs tmpfs "$new/var/cache"
old_ifs=$IFS
IFS=:
for path in $keep; do
    case $path in
    /usr/* | /etc/* | /var/tmp/* | /boot/*) continue ;;
    /var/*)
        # Only of /var do we put anything over the root own directory, in a tmpfs of its own.
        first=${path#/var/}
        first=/var/${first%%/*}
        [ -d "$path" ] || continue
        mountpoint -q "$new$first" || mount -t tmpfs tmpfs "$new$first"
        mkdir -p "$new$path"
        mount --rbind "$path" "$new$path"
        ;;
    esac
done
IFS=$old_ifs
cd "$new"
pivot_root . .
umount -l .
cd "$here"
exec "$@"
'
exec unshare "${namespace[@]}" -- sh -c "$mounts" in-root "$root" "$top:$cache:$PWD" \
    env -i "${environment[@]}" "${prefix[@]}" "$@"
