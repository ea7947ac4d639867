# SPDX-License-Identifier: MIT
"""The QEMU program itself: what it needs, and what it says to a person who got something wrong."""

import re
import subprocess

import guest as vm

GUEST = None
FOREIGN = re.compile(r"lib(EGL|GL|GLX|GLESv2|OpenGL|gbm|epoxy)\b")


def needed(path):
    done = subprocess.run([vm.SCRIPTS / "in-root.sh", "--", "readelf", "-d", path], check=True,
                          stdout=subprocess.PIPE, text=True)
    return re.findall(r"\(NEEDED\).*\[(.*)\]", done.stdout)


def test_libraries():
    """QEMU and libvenusgpu need no library of OpenGL, EGL or GBM of their own"""
    qemu = vm.made_by("build-qemu.sh")
    library = vm.made_by("build-lib.sh") / "lib" / "libvenusgpu.so"
    assert any(name.startswith("libvenusgpu") for name in needed(qemu)), needed(qemu)
    for path in (qemu, library):
        found = [name for name in needed(path) if FOREIGN.match(name)]
        assert not found, f"{path.name} needs {found}"


def start(*options, in_root=()):
    """Starts QEMU with a stopped machine and a monitor on stdin that is told to quit."""
    qemu = vm.made_by("build-qemu.sh")
    command = [vm.SCRIPTS / "in-root.sh", *in_root, "--", qemu, "-nodefaults", "-M", "q35", "-accel",
               "tcg", "-display", "none", "-S", "-monitor", "stdio", *options]
    return subprocess.run([str(word) for word in command], input="quit\n", capture_output=True,
                          text=True, timeout=60, check=False)


def test_without_egl():
    """QEMU starts with the device where there is no libEGL and no libGL"""
    done = start("-device", "virtio-gpu-venus-pci", in_root=["--without-egl"])
    assert done.returncode == 0, done.stderr


def test_mistakes():
    """A wrong option gets a line that says what is wrong and what to do"""
    for options, expected in (
            (["-device", "virtio-gpu-venus-pci,hostmem=300M"], "use 256M or 512M"),
            (["-device", "virtio-gpu-venus-pci,max_outputs=17"], "use 1 to 16"),
            (["-device", "virtio-gpu-venus-pci,render-server=/nowhere"], "virgl_render_server"),
            (["-device", "virtio-gpu-venus-pci", "-device", "virtio-gpu-venus-pci"], "max_outputs")):
        done = start(*options)
        text = done.stderr.strip()
        assert done.returncode != 0, f"{options} was accepted"
        assert expected in text, f"{options} gets:\n{text}\nwhich does not say '{expected}'"
        assert len(text.splitlines()) <= 2, f"{options} gets more than two lines:\n{text}"
