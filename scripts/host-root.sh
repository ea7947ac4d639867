#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the path of the system to build and run in: / where this machine's own virglrenderer, Mesa and
# compilers will do, else a Debian 13 that it makes in the cache (about a minute, 1.2 GB).
#
# usage: host-root.sh [--why | --without-egl | --next-virglrenderer | --stock-qemu | --libvirt | --cross | --arm-host |
#                     --tidy | --packages | --gnustep]
#   --why          say which it is and why, on stderr
#   --without-egl  the same Debian without libEGL, libGL and their kin, to prove that nobody needs them
#   --next-virglrenderer  the same with the virglrenderer that the next Debian has today; its version is in
#                  virglrenderer-version there. Exit status 4: it does not install on a Debian 13, or there is none
#   --stock-qemu   another, small Debian 13 with its own QEMU, what builds our module for that, and the guest's
#                  programs; its packages are only unpacked, which takes a quarter of a minute
#   --libvirt      the same with Debian's libvirt and virt-install too
#   --cross        another, small Debian 13, in which programs for aarch64 guests are built
#   --arm-host     another, in which the library and its tests are built for an aarch64 host, with the QEMU that
#                  emulates one
#   --tidy         another, small Debian 13, which has clang-tidy and what the library includes
#   --packages     another, small Debian 13, which has what packaging/debian builds with and no more, and lintian
#   --gnustep      another, small Debian 13, which has GNUstep: what of Objective-C is for macOS is tested in it
# HOST_ROOT=/ insists on this machine's own system, HOST_ROOT=debian on the Debian 13.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/lib.sh"

packages=(
    # compilers and build tools
    gcc clang libclang-rt-dev llvm libc6-dev meson ninja-build ccache pkgconf flex bison
    patch python3 python3-venv python3-pycotap gdb strace
    # what the library needs
    libvirglrenderer-dev virgl-server uthash-dev libcmocka-dev libvulkan-dev vulkan-tools
    vulkan-validationlayers glslang-tools mesa-vulkan-drivers libdrm-dev libxcb1-dev libwayland-dev
    wayland-protocols
    # what QEMU needs, and its firmware
    libglib2.0-dev libpixman-1-dev libfdt-dev zlib1g-dev libslirp-dev libsdl2-dev libpng-dev libseccomp-dev seabios
    qemu-system-data ipxe-qemu
    # what QEMU's archived OpenGL device needs, and only that
    libepoxy-dev libgbm-dev
    # what the demo and the tests need
    xvfb xauth xdotool weston e2fsprogs iproute2 procps edid-decode
)
# What builds guest/ for guests of another processor than ours.
cross_packages=(
    gcc-aarch64-linux-gnu meson ninja-build pkgconf glslang-tools wayland-protocols libwayland-bin e2fsprogs
    {libc6,libvulkan,libdrm,libwayland}-dev:arm64
)
# What builds the library and its tests for aarch64, and the machine that they run on (build-arm-host.sh).
arm_host_packages=(
    gcc-aarch64-linux-gnu libc6-dev meson ninja-build ccache pkgconf python3 glslang-tools wayland-protocols libwayland-bin
    {libc6,libvirglrenderer,libcmocka,libvulkan,libdrm,libxcb1,libwayland}-dev:arm64 uthash-dev
    qemu-system-arm e2fsprogs
)
# What clang-tidy needs to read the library. A root of its own, so that no other is made anew for it.
tidy_packages=(
    clang-tidy clang python3 meson ninja-build pkgconf libc6-dev libvirglrenderer-dev uthash-dev libvulkan-dev
    libdrm-dev libxcb1-dev libwayland-dev wayland-protocols glslang-tools
)
# What the presenter's Objective-C is tested with: AppKit as GNUstep has it, and a screen.
gnustep_packages=(
    gcc gobjc libc6-dev libgnustep-gui-dev gnustep-back-common gnustep-back0.32-cairo fonts-dejavu-core libvulkan-dev
    pkgconf valgrind xvfb xauth
)
# What builds packages: no more than what they say that they need, so that it is seen if they do not say all.
mapfile -t build_depends < <(sed -n '/^Build-Depends:/,/^[^ ]/ { s/^ \([^ (,]*\).*/\1/p }' "$top/packaging/debian/control")
packages_packages=(build-essential lintian "${build_depends[@]/#debhelper-compat/debhelper}")
# What runs Debian's own QEMU, builds the module for it, our library without its tests, and what is in guest/.
stock_packages=(
    '?essential'
    qemu-system-x86 seabios ipxe-qemu libsdl2-2.0-0
    gcc libc6-dev meson ninja-build ccache pkgconf python3 python3-pip python3-setuptools kmod mount e2fsprogs busybox-static
    libglib2.0-dev libpixman-1-dev libepoxy-dev
    libvirglrenderer-dev virgl-server uthash-dev libvulkan-dev mesa-vulkan-drivers vulkan-tools glslang-tools
    libdrm-dev libxcb1-dev libwayland-dev wayland-protocols
)
# Of its windows SDL's: the others need a lot.
stock_windows=(qemu-system-gui qemu-system-modules-opengl)
stock_modules=(ui-sdl.so ui-opengl.so)
# Debian's libvirt, its daemons of one piece and of many, its programs, and what reads AppArmor's profiles.
libvirt_packages=(
    libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-log libvirt-clients virtinst qemu-utils apparmor
    libvirt-daemon-driver-storage qemu-system-modules-spice iproute2 procps strace
)
commands=(gcc meson ninja pkg-config flex bison glslangValidator vulkaninfo patch python3 mke2fs
    Xvfb xdotool weston edid-decode)
modules=("virglrenderer >= $virglrenderer_least" cmocka vulkan glib-2.0 pixman-1 zlib slirp
    sdl2 libpng libseccomp libdrm xcb wayland-client)
servers=(/usr/libexec/virgl_render_server /usr/lib/virgl_render_server
    /usr/lib/*/virgl_render_server /usr/local/libexec/virgl_render_server)

# own_lacks: prints what keeps this machine's own system from being used to build and run; nothing when it
# will do.
own_lacks() {
    local name found=
    for name in "${commands[@]}"; do
        command -v "$name" >/dev/null || { echo "no $name"; return; }
    done
    for name in "${modules[@]}"; do
        pkg-config --exists "$name" || { echo "no development files of $name"; return; }
    done
    for name in "${servers[@]}"; do
        [ ! -x "$name" ] || found=1
    done
    [ -n "$found" ] || { echo "no virgl_render_server"; return; }
    for name in uthash.h libfdt.h; do
        echo "#include <$name>" | gcc -E - >/dev/null 2>&1 || { echo "no $name"; return; }
    done
}

# own_vulkan_lacks: the same of its Vulkan drivers. With a real GPU's any will do; lavapipe has what a
# guest's swapchain needs only of late.
own_vulkan_lacks() {
    vulkaninfo --summary 2>/dev/null | awk -v least="$mesa_least" '
        /deviceType/ { any = 1; if (!/_CPU/) real = 1 }
        /driverInfo/ && /Mesa/ { sub(/.*Mesa /, ""); if ($1 + 0 >= least + 0) fresh = 1 }
        END { if (!any) print "no Vulkan driver"
              else if (!real && !fresh) print "no GPU and a lavapipe older than Mesa " least }'
}

make_root() {
    mkdir "$work/root"
    make_debian "$place" tar "$(IFS=,; echo "${packages[*]}")" |
        tar -x -C "$work/root" --exclude='./dev/*'
    # Where in-root.sh mounts the root that it puts together.
    mkdir -p "$work/root/mnt"
    rm -rf "$work/root"/var/lib/apt/lists/*
    mv -T "$work/root" "$root"
}

make_cross_root() {
    mkdir "$work/root"
    make_debian "$place" tar "$(IFS=,; echo "${packages[*]}")" --architectures=amd64,arm64 |
        tar -x -C "$work/root" --exclude='./dev/*'
    mkdir -p "$work/root/mnt"
    rm -rf "$work/root"/var/lib/apt/lists/*
    mv -T "$work/root" "$root"
}

make_root_without_egl() {
    cp -al "$root" "$work/root"
    find "$work/root/usr/lib" \( -name 'libEGL*' -o -name 'libGL*' -o -name 'libOpenGL*' \) -delete
    mv -T "$work/root" "$root-without-egl"
}

# The virglrenderer of the next Debian in a copy of the root, with what it needs newer versions of: all but the C
# library, which nothing else there was tried with.
next_packages=(libvirglrenderer1 libvirglrenderer-dev virgl-server)
cannot_install=4
make_next_root() {
    local apt debs
    debian_apt "$work/apt"
    printf 'deb [check-valid-until=no] %s %s main\n' "$(debian_mirror)" "$debian_next" >>"$work/apt/sources.list"
    printf '%s\n' '' 'Package: *' "Pin: release n=$debian_next" 'Pin-Priority: 100' \
        '' 'Package: src:glibc' "Pin: release n=$debian_next" 'Pin-Priority: -1' >>"$work/apt/preferences"
    cp "$root/var/lib/dpkg/status" "$work/apt/status"
    "${apt[@]}" update
    # Which it is that cannot be had is apt's to say; what fails after that is no reason to do without.
    "${apt[@]}" install --simulate "${next_packages[@]/%//$debian_next}" || exit "$cannot_install"
    "${apt[@]}" install --download-only -y "${next_packages[@]/%//$debian_next}"
    debs=("$work"/apt/cache/archives/*.deb)
    cp -al "$root" "$work/root"
    rm -f "$work"/root/usr/lib/*/libvirglrenderer.*
    unpack_debs "$work/root" "${debs[@]}"
    dpkg-deb --field "$work"/apt/cache/archives/libvirglrenderer1_*.deb Version >"$work/root/virglrenderer-version"
    mv -T "$work/root" "$root-$next"
}

# Of what setting packages up would do, only what programs that are run from there need.
make_stock_root() {
    local apt name windows
    debian_apt "$work/apt"
    "${apt[@]}" install --download-only -y "${stock[@]}"
    mkdir -p "$work/root"/{mnt,usr/{bin,sbin,lib,lib64}}
    for name in bin sbin lib lib64; do
        ln -s "usr/$name" "$work/root/$name"
    done
    unpack_debs "$work/root" "$work"/apt/cache/archives/*.deb
    mkdir "$work/download" "$work/windows"
    cd "$work/download"
    "${apt[@]}" download "${stock_windows[@]}"
    unpack_debs "$work/windows" "$work"/download/*.deb
    for name in "${stock_modules[@]}"; do
        windows=("$work"/windows/usr/lib/*/qemu/"$name")
        cp -a "${windows[0]}" "$work"/root/usr/lib/*/qemu/
    done
    cd "$work/root"
    # base-files has it as a directory; sockets of services are looked for there.
    rmdir var/run
    ln -s /run var/run
    # What alternatives would be, the shell, and users.
    [ -e usr/bin/sh ] || ln -s dash usr/bin/sh
    ln -sf mawk usr/bin/awk
    ln -sf gcc usr/bin/cc
    for name in passwd group; do
        cp "usr/share/base-passwd/$name.master" "etc/$name"
    done
    # virt-install does not begin without that file.
    [ ! -d usr/share/ca-certificates ] ||
        find usr/share/ca-certificates -name '*.crt' -exec cat {} + >etc/ssl/certs/ca-certificates.crt
    : >etc/hosts
    : >etc/resolv.conf
    mv -T "$work/root" "$root"
}

why=
without_egl=
with_next=
with_qemu=
with_libvirt=
cross=
arm_host=
tidy=
for_packages=
gnustep=
case ${1:-} in
--why) why=1 ;;
--without-egl) without_egl=1 ;;
--next-virglrenderer) with_next=1 ;;
--stock-qemu) with_qemu=1 ;;
--libvirt) with_qemu=1 with_libvirt=1 ;;
--cross) cross=1 ;;
--arm-host) arm_host=1 ;;
--tidy) tidy=1 ;;
--packages) for_packages=1 ;;
--gnustep) gnustep=1 ;;
--help) usage; exit ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

lacks=
[ -z "$cross$arm_host$tidy$for_packages$gnustep" ] || HOST_ROOT=debian
case ${HOST_ROOT:-auto} in
auto | /) lacks=$(own_lacks) ;;
debian) lacks="HOST_ROOT=debian" ;;
*) die "HOST_ROOT=$HOST_ROOT is neither / nor debian" ;;
esac
if [ "${HOST_ROOT:-auto}" = / ]; then
    [ -z "$lacks" ] || die "HOST_ROOT=/ will not do, this machine has $lacks; unset it or install that"
elif [ -z "$lacks" ]; then
    lacks=$(own_vulkan_lacks)
fi
if [ -z "$lacks" ] && [ -z "$without_egl$cross$arm_host" ]; then
    [ -z "$why" ] || say "host root: this machine's own system"
    [ -z "$with_qemu" ] || command -v qemu-system-x86_64 >/dev/null ||
        die "this machine has no QEMU; install it (on Debian: apt-get install qemu-system-x86)"
    [ -z "$with_libvirt" ] || command -v libvirtd virtqemud virt-install >/dev/null ||
        die "this machine has no libvirt; install it (on Debian: apt-get install ${libvirt_packages[*]})"
    if [ -n "$with_next" ]; then
        say "$program: the next virglrenderer goes into a Debian 13, and this machine's own system is used"
        exit "$cannot_install"
    fi
    echo /
    exit
fi

make=make_root
name="host root"
if [ -n "$cross" ]; then
    packages=("${cross_packages[@]}")
    make=make_cross_root
    name="root for aarch64 programs"
elif [ -n "$arm_host" ]; then
    packages=("${arm_host_packages[@]}")
    make=make_cross_root
    name="root for an aarch64 host"
elif [ -n "$tidy" ]; then
    packages=("${tidy_packages[@]}")
    name="root for clang-tidy"
elif [ -n "$for_packages" ]; then
    packages=("${packages_packages[@]}")
    name="root for packages"
elif [ -n "$gnustep" ]; then
    packages=("${gnustep_packages[@]}")
    name="root with GNUstep"
fi
how=(make_debian)
tools=(mmdebstrap)
if [ -n "$with_qemu" ]; then
    stock=("${stock_packages[@]}")
    name="root with Debian's QEMU"
    if [ -n "$with_libvirt" ]; then
        stock+=("${libvirt_packages[@]}")
        name="root with Debian's QEMU and libvirt"
    fi
    packages=("${stock[@]}" "${stock_windows[@]}" "${stock_modules[@]}")
    make=make_stock_root
    how=(debian_apt unpack_debs)
    tools=(apt-get:apt dpkg-deb:dpkg xargs:findutils)
fi
key=$( (printf '%s\n' "$debian_suite" "${packages[@]}"; declare -f "${how[@]}" "$make") | key_of)
root=$cache/root/$key
[ -z "$why" ] || say "host root: $debian_name in $root, as this machine has: ${lacks:-all it needs}"
if [ ! -d "$root" ]; then
    need "${tools[@]}" flock:util-linux tar
    lock host-root
    if [ ! -d "$root" ]; then
        mkdir -p "$cache/root"
        step_dir host-root
        open_dir host-root
        run_step "$name ($debian_name)" "$make"
        prune "$cache/root" "$root" 14
    fi
    unlock
fi
if [ -n "$without_egl" ]; then
    if [ ! -d "$root-without-egl" ]; then
        lock host-root
        if [ ! -d "$root-without-egl" ]; then
            step_dir host-root
            run_step "host root without libEGL" make_root_without_egl
        fi
        unlock
    fi
    root=$root-without-egl
fi
if [ -n "$with_next" ]; then
    next=next-virglrenderer-$( (printf '%s\n' "$debian_next" "${next_packages[@]}"; declare -f make_next_root) | key_of)
    if [ ! -d "$root-$next" ]; then
        need apt-get:apt dpkg-deb:dpkg xargs:findutils
        lock host-root
        if [ ! -d "$root-$next" ]; then
            step_dir host-root
            try_step "the virglrenderer of Debian $debian_next" make_next_root
            [ "$step_rc" != "$cannot_install" ] || exit "$cannot_install"
            [ "$step_rc" = 0 ] || exit "$said"
        fi
        unlock
    fi
    root=$root-$next
fi
touch -c "$root"
printf '%s\n' "$root"
