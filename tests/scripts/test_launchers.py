# SPDX-License-Identifier: MIT
"""The launchers of other systems by their dry run: what QEMU would be told, and what a person is told.

No image of these systems and no firmware is needed: empty files stand for them.
"""

import os
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
FIRMWARE = ("OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd", "AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd")


class Launcher(unittest.TestCase):
    """Runs one launcher in a folder of its own, with firmware unless a test takes it away."""

    script = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-launch-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        for name in FIRMWARE:
            self.make(f"share/{name}")
        self.make("disk.img", b"\0" * 4096)
        self.make("disk.qcow2", b"QFI\xfb" + b"\0" * 100)
        self.make("system.iso", b"\0" * 0x8001 + b"CD001")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "ACCEL": "tcg",
                            "FIRMWARE_DIRS": str(self.folder / "share")}

    def make(self, name, content=b""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def start(self, *words, dry=True):
        return subprocess.run([SCRIPTS / self.script, *words, *(["--dry-run"] if dry else [])],
                              cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)

    def words(self, *words):
        """QEMU's command line, of a dry run that leaves the folder as it was."""
        before = sorted(self.folder.rglob("*"))
        done = self.start(*words)
        self.assertEqual((done.returncode, done.stdout.count("\n")), (0, 1), done.stderr)
        self.assertEqual(sorted(self.folder.rglob("*")), before)
        return shlex.split(done.stdout)

    def values(self, words, option):
        return [words[i + 1] for i, word in enumerate(words) if word == option]

    def value(self, words, option):
        found = self.values(words, option)
        self.assertEqual(len(found), 1, f"{option} in {words}")
        return found[0]

    def refused(self, *words, says, dry=True):
        """The launcher ends and says why and what to do, in a line or two."""
        done = self.start(*words, dry=dry)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertTrue(done.stderr.startswith(f"{self.script}: "), done.stderr)
        self.assertLessEqual(done.stderr.count("\n"), 2, done.stderr)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, done.stderr)

    def check_every_launcher(self, *good):
        """What all of them have."""
        words = self.words(*good, "--memory", "3G", "--cpus", "5", "--hostmem", "4G", "--resolution",
                           "1920x1080", "--vnc", "5907", "--qemu-arg=-name", "--qemu-arg=a b")
        self.assertEqual(self.value(words, "-m"), "3G")
        self.assertEqual(self.value(words, "-smp"), "5")
        self.assertIn("size=3G,share=on", self.value(words, "-object"))
        gpu = [word for word in self.values(words, "-device") if "id=gpu" in word]
        self.assertEqual(gpu, ["virtio-vga-venus,id=gpu,hostmem=4G,xres=1920,yres=1080"])
        self.assertEqual(self.value(words, "-vnc"), "127.0.0.1:7")
        self.assertEqual(self.value(words, "-display"), "none")
        self.assertEqual(words[-2:], ["-name", "a b"])
        self.environment["DISPLAY"] = ":9"
        self.assertEqual(self.value(self.words(*good, "--window"), "-display"), "sdl,gl=off")

    def check_odd_options(self, *good):
        """What the launchers have in common they refuse in common, so one of them will do."""
        for odd, says in ((("--hostmem", "3G"), "power of two"), (("--hostmem", "64"), "power of two"),
                          (("--memory", "lots"), "512M or 4G"), (("--memory", "0"), "512M or 4G"),
                          (("--cpus", "0"), "1 to 64"), (("--cpus", "65"), "1 to 64"),
                          (("--resolution", "wide"), "1280x800"), (("--resolution", "1x1"), "1280x800"),
                          (("--vnc", "1"), "5900 to 5999"), (("--accel", "fast"), "choose from"),
                          (("--window",), "--vnc 5900"), (("--window", "--vnc", "5900"), "not allowed with"),
                          (("--mem", "2G"), "--mem 2G"), (("--qemu",), "--qemu")):
            with self.subTest(odd=odd):
                self.refused(*good, *odd, says=[says, "--help"])

    def check_accelerators(self, *good):
        for accel, cpu in (("tcg", "max"), ("kvm", "host"), ("hvf", "host")):
            words = self.words(*good, "--accel", accel)
            self.assertEqual(self.value(words, "-accel").split(",")[0], accel)
            self.assertEqual(self.value(words, "-cpu"), cpu)
        self.environment["ACCEL"] = "kvm"
        self.assertEqual(self.value(self.words(*good), "-accel"), "kvm")


class Alpine(Launcher):
    script = "run-alpine.sh"
    good = ("run", "--disk", "disk.img", "--arch", "x86_64")

    def test_options(self):
        self.check_every_launcher(*self.good)
        self.check_accelerators(*self.good)

    def test_run(self):
        """the disk boots: each kind of it, in each kind of machine"""
        for arch, machine, gpu in (("x86_64", "q35", "virtio-vga-venus"),
                                   ("aarch64", "virt", "virtio-gpu-venus-pci")):
            for disk, kind in (("disk.img", "raw"), ("disk.qcow2", "qcow2")):
                words = self.words("run", "--disk", disk, "--arch", arch)
                self.assertIn(f"qemu-system-{arch}", words)
                self.assertEqual(self.value(words, "-M"), f"{machine},memory-backend=mem")
                devices = self.values(words, "-device")
                self.assertIn(f"{gpu},id=gpu,hostmem=1G,xres=1280,yres=800", devices)
                self.assertIn("virtio-blk-pci,drive=disk,bootindex=1", devices)
                self.assertFalse([device for device in devices if "scsi" in device])
                path = self.folder / disk
                self.assertEqual(self.values(words, "-drive"), [
                    f"if=pflash,unit=0,format=raw,file={path}.code.fd,readonly=on",
                    f"if=pflash,unit=1,format=raw,file={path}.vars.fd",
                    f"if=none,id=disk,file={path},format={kind}"])

    def test_install(self):
        """the ISO boots, beside the disk, which need not be there"""
        for arch in ("x86_64", "aarch64"):
            for disk in ("new.img", "disk.img"):
                words = self.words("install", "--iso", "system.iso", "--disk", disk, "--arch", arch)
                drives, devices = self.values(words, "-drive"), self.values(words, "-device")
                self.assertIn(f"if=none,id=iso,file={self.folder}/system.iso,format=raw,media=cdrom,readonly=on",
                              drives)
                self.assertIn(f"if=none,id=disk,file={self.folder}/{disk},format=raw", drives)
                self.assertIn("scsi-cd,drive=iso,bootindex=0", devices)
                self.assertLess(devices.index("virtio-scsi-pci"), devices.index("scsi-cd,drive=iso,bootindex=0"))

    def test_network(self):
        """ssh is forwarded from this machine only, from the port that was asked for, or not"""
        self.assertEqual(self.value(self.words(*self.good), "-netdev"),
                         "user,id=net,hostfwd=tcp:127.0.0.1:2222-:22")
        self.assertEqual(self.value(self.words(*self.good, "--ssh", "2022"), "-netdev"),
                         "user,id=net,hostfwd=tcp:127.0.0.1:2022-:22")
        self.assertEqual(self.value(self.words(*self.good, "--ssh", "off"), "-netdev"), "user,id=net")
        for odd in ("22", "70000", "on", ""):
            self.refused(*self.good, "--ssh", odd, says="1024 to 65535, or off")

    def test_snapshot(self):
        self.assertTrue(self.values(self.words(*self.good, "--snapshot"), "-drive")[-1].endswith(",snapshot=on"))

    def test_strange_names(self):
        """a comma and a blank in a file's name are part of the name"""
        self.make("a, b.img", b"\0" * 4096)
        words = self.words("run", "--disk", "a, b.img", "--arch", "x86_64")
        self.assertIn(f"if=none,id=disk,file={self.folder}/a,, b.img,format=raw", words)

    def test_missing_files(self):
        self.refused("run", "--disk", "no.img", says=["no disk no.img", "install --iso"])
        self.refused("install", "--disk", "new.img", says="--iso FILE")
        self.refused("install", "--disk", "new.img", "--iso", "no.iso", says="no ISO no.iso")
        self.refused("install", "--disk", "nowhere/new.img", "--iso", "system.iso", says="no directory")
        self.refused("run", says="--disk")
        self.refused(says="mode")

    def test_files_in_the_wrong_place(self):
        self.refused("run", "--disk", "system.iso", says="install --iso")
        self.refused("install", "--disk", "new.img", "--iso", "disk.img", says="is no ISO")
        self.refused(*self.good, "--iso", "system.iso", says="goes with install")
        self.refused(*self.good, "--disk-size", "9G", says="goes with install")
        self.refused("install", "--iso", "system.iso", "--disk", "disk.img", "--disk-size", "9G",
                     says="there already")
        self.refused("install", "--iso", "system.iso", "--disk", "new.img", "--snapshot", says="goes with run")
        self.refused("install", "--iso", "system.iso", "--disk", "new.img", "--disk-size", "big",
                     says="512M or 4G")

    def test_firmware(self):
        """found where it is, or given; if missing, what to install"""
        self.environment["FIRMWARE_DIRS"] = f"{self.folder}/nowhere:{self.folder}/share"
        self.words(*self.good)
        self.environment["FIRMWARE_DIRS"] = str(self.folder / "nowhere")
        self.refused(*self.good, says=["no UEFI firmware for x86_64", "install ovmf", "--firmware CODE:VARS"])
        self.refused("run", "--disk", "disk.img", "--arch", "aarch64", says="install qemu-efi-aarch64")
        self.words(*self.good, "--firmware", "share/OVMF/OVMF_CODE_4M.fd:share/OVMF/OVMF_VARS_4M.fd")
        self.refused(*self.good, "--firmware", "share/OVMF/OVMF_CODE_4M.fd", says="CODE:VARS")
        self.refused(*self.good, "--firmware", "no:share/OVMF/OVMF_VARS_4M.fd", says="no firmware no")
        # one half of a pair is not enough
        (self.folder / "share/OVMF/OVMF_VARS_4M.fd").unlink()
        self.environment["FIRMWARE_DIRS"] = str(self.folder / "share")
        self.refused(*self.good, says="install ovmf")

    def test_architectures(self):
        """another architecture is emulated; none is invented"""
        del self.environment["ACCEL"]
        other = "x86_64" if os.uname().machine == "aarch64" else "aarch64"
        words = self.words("run", "--disk", "disk.img", "--arch", other)
        self.assertIn("tcg", self.value(words, "-accel"))
        self.assertEqual(self.value(words, "-cpu").split(",")[0], "max")
        self.refused("run", "--disk", "disk.img", "--arch", "riscv64", says="choose from")

    def test_real_start(self):
        """without --dry-run QEMU is run with those words; the disk and the firmware's copies are made"""
        qemu = self.make("qemu", b"#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n")
        qemu.chmod(0o755)
        (self.folder / "share/AAVMF/AAVMF_VARS.fd").write_bytes(b"vars")
        done = self.start("install", "--iso", "system.iso", "--disk", "new.img", "--disk-size", "3G",
                          "--arch", "aarch64", "--ssh", "off", "--qemu", "./qemu", dry=False)
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertIn("virt,memory-backend=mem", done.stdout.splitlines())
        self.assertEqual((self.folder / "new.img").stat().st_size, 3 << 30)
        copy = self.folder / "new.img.vars.fd"
        self.assertEqual(copy.stat().st_size, 64 << 20)
        with open(copy, "rb") as file:
            self.assertEqual(file.read(5), b"vars\0")
        # what the machine has remembered is not written over
        copy.write_bytes(b"remembered")
        self.start("run", "--disk", "new.img", "--arch", "aarch64", "--ssh", "off", "--qemu", "./qemu",
                   dry=False)
        self.assertEqual(copy.read_bytes(), b"remembered")


class Redox(Launcher):
    script = "run-redox.sh"

    def test_options(self):
        self.check_every_launcher("disk.img")

    def test_odd_options(self):
        self.check_odd_options("disk.img")

    def test_hard_disk(self):
        words = self.words("disk.img", "--snapshot")
        self.assertEqual(self.value(words, "-drive"),
                         f"if=none,id=disk,file={self.folder}/disk.img,format=raw,snapshot=on")
        self.assertIn("nvme,drive=disk,serial=redox,bootindex=0", self.values(words, "-device"))
        self.assertEqual(self.value(words, "-netdev"), "user,id=net")

    def test_live_disk(self):
        words = self.words("system.iso")
        self.assertIn("media=cdrom", self.value(words, "-drive"))
        self.assertIn("ide-cd,drive=disk,bootindex=0", self.values(words, "-device"))

    def test_uefi(self):
        words = self.words("disk.img", "--uefi")
        self.assertIn(f"if=pflash,unit=1,format=raw,file={self.folder}/disk.img.vars.fd",
                      self.values(words, "-drive"))
        self.environment["FIRMWARE_DIRS"] = str(self.folder / "nowhere")
        self.words("disk.img")
        self.refused("disk.img", "--uefi", says="install ovmf")
        self.refused("disk.img", "--firmware", "a:b", says="goes with --uefi")

    def test_missing_image(self):
        self.refused("no.img", says="no image no.img")
        self.refused(says="IMAGE")


del Launcher  # what all of them share is no test

if __name__ == "__main__":
    unittest.main()
