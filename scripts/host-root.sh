#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the path of the system to build and run in: / where this machine's own virglrenderer, Mesa and
# compilers will do, else a Debian 13 that it makes in the cache (about a minute, 1.2 GB).
#
# usage: host-root.sh [--why | --without-egl | --stock-qemu | --cross | --tidy | --gnustep]
#   --why          say which it is and why, on stderr
#   --without-egl  the same Debian without libEGL, libGL and their kin, to prove that nobody needs them
#   --stock-qemu   the same Debian with its own QEMU, which our module is loaded into
#   --cross        another, small Debian 13, in which programs for aarch64 guests are built
#   --tidy         another, small Debian 13, which has clang-tidy and what the library includes
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
# Debian's own QEMU with what it depends on, and of its windows SDL's: the others need a lot.
stock_qemu=(qemu-system-x86)
stock_qemu_windows=(qemu-system-gui qemu-system-modules-opengl)
stock_qemu_modules=(ui-sdl.so ui-opengl.so)
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
    make_debian "$place" tar "$(IFS=,; echo "${cross_packages[*]}")" --architectures=amd64,arm64 |
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

# Only what they hold: to run QEMU from there, no package has to be set up.
make_root_with_qemu() {
    local apt=(-o Dir::Etc::SourceList="$root/etc/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::PreferencesParts="$root/etc/apt/preferences.d"
        -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$root/var/lib/dpkg/status"
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3)
    local package module
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    cd "$work/cache/archives"
    apt-get "${apt[@]}" update
    apt-get "${apt[@]}" install --download-only --no-install-recommends -y "${stock_qemu[@]}"
    cp -al "$root" "$work/root"
    for package in *.deb; do
        echo "$package"
        dpkg-deb -x "$package" "$work/root"
    done
    mkdir "$work/windows"
    cd "$work/windows"
    apt-get "${apt[@]}" download "${stock_qemu_windows[@]}"
    for package in *.deb; do
        dpkg-deb -x "$package" .
    done
    for module in "${stock_qemu_modules[@]}"; do
        cp -a usr/lib/*/qemu/"$module" "$work"/root/usr/lib/*/qemu/
    done
    mv -T "$work/root" "$root_with_qemu"
}

why=
without_egl=
with_qemu=
cross=
tidy=
gnustep=
case ${1:-} in
--why) why=1 ;;
--without-egl) without_egl=1 ;;
--stock-qemu) with_qemu=1 ;;
--cross) cross=1 ;;
--tidy) tidy=1 ;;
--gnustep) gnustep=1 ;;
--help) usage; exit ;;
'') ;;
*) die "unknown option $1; see $program --help" ;;
esac

lacks=
[ -z "$cross$tidy$gnustep" ] || HOST_ROOT=debian
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
if [ -z "$lacks" ] && [ -z "$without_egl$cross" ]; then
    [ -z "$why" ] || say "host root: this machine's own system"
    [ -z "$with_qemu" ] || command -v qemu-system-x86_64 >/dev/null ||
        die "this machine has no QEMU; install it (on Debian: apt-get install qemu-system-x86)"
    echo /
    exit
fi

make=make_root
name="host root"
if [ -n "$cross" ]; then
    packages=("${cross_packages[@]}")
    make=make_cross_root
    name="root for aarch64 programs"
elif [ -n "$tidy" ]; then
    packages=("${tidy_packages[@]}")
    name="root for clang-tidy"
elif [ -n "$gnustep" ]; then
    packages=("${gnustep_packages[@]}")
    name="root with GNUstep"
fi
key=$( (printf '%s\n' "$debian_suite" "${packages[@]}"; declare -f make_debian "$make") | key_of)
root=$cache/root/$key
[ -z "$why" ] || say "host root: $debian_name in $root, as this machine has: ${lacks:-all it needs}"
if [ ! -d "$root" ]; then
    need mmdebstrap flock:util-linux tar
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
if [ -n "$with_qemu" ]; then
    root_with_qemu=$root-stock-qemu-$( (
        printf '%s\n' "${stock_qemu[@]}" "${stock_qemu_windows[@]}" "${stock_qemu_modules[@]}"
        declare -f make_root_with_qemu) | key_of)
    if [ ! -d "$root_with_qemu" ]; then
        need apt-get:apt dpkg-deb:dpkg
        lock host-root
        if [ ! -d "$root_with_qemu" ]; then
            step_dir host-root
            run_step "host root with $debian_name's QEMU" make_root_with_qemu
        fi
        unlock
    fi
    root=$root_with_qemu
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
touch -c "$root"
printf '%s\n' "$root"
