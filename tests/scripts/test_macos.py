# SPDX-License-Identifier: MIT
"""What a Mac gets: the build by its dry run and with stand-ins of a Mac's programs. No Mac is needed, and none is tried."""

import contextlib
import io
import os
import plistlib
import re
import shlex
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path
from unittest import mock

from venusvm.guest import GuestError
from venusvm import mac_report
from venusvm.console import Console, Ended, TooLong
from venusvm.launchers import alpine, common

TOP = Path(__file__).resolve().parents[2]
SCRIPTS = TOP / "scripts"
PACKAGING = TOP / "packaging"
FOR_A_MAC = [SCRIPTS / "build-macos.sh", SCRIPTS / "macos-report.sh"]

# What bash 3.2 lacks, or what it understands otherwise.
NEWER_BASH = {"mapfile": r"\b(mapfile|readarray)\b", "associative arrays": r"\b(declare|local|typeset) -[a-z]*[An]",
              "changing case": r"\$\{\w+(\^|,)", "&>>": r"&>>", "|&": r"\|&", "coproc": r"\bcoproc\b",
              "a variable for a descriptor": r"\{\w+\}[<>]", "negative index": r"\[-\d+\]", "[[ -v": r"\[\[? -v ",
              "${x@Q}": r"\$\{[\w@*\[\]]+@[A-Za-z]\}", "EPOCHSECONDS": r"\bEPOCH(SECONDS|REALTIME)\b", "wait -n": r"\bwait -n\b",
              # With set -u an empty array ends the script.
              "arrays": r"\$\{\w+\[@\]\}",
              # With set -e only a simple command that fails ends the script, and a pipeline into a loop is none.
              "set -e and a loop": r"^( *)\S.*\| while .*\n(?:\1 .*\n)+\1done$"}
# What the programs of GNU have, and macOS' have not.
GNU = {"sed -i": r"\bsed -i\b", "readlink -f": r"\breadlink -f\b", "find -printf": r"-printf\b", "cp --": r"\bcp --\w",
       "stat -c": r"\bstat -c\b", "sort -z": r"\bsort -\w*z", "sha256sum": r"\bsha256sum\b", "nproc": r"\bnproc\b",
       "timeout": r"^\s*timeout \d", "date +%N": r"\bdate .*%N", "grep -P": r"\bgrep -\w*P", "mktemp -p": r"\bmktemp .*-p\b",
       # Where the line that begins a range is deleted, the range does not begin.
       "sed: a range from a deleted line": r"\bsed .*/d; *\d+,", "base64 -w": r"\bbase64 -w",
       "setsid": r"\bsetsid\b", "flock": r"\bflock\b", "env -C": r"\benv -C\b"}


def versions(name):
    return re.search(rf"(?m)^{name}=(\S+)$", (SCRIPTS / "versions.sh").read_text(encoding="utf-8"))[1]


class OldBash(unittest.TestCase):
    def test_nothing_is_newer_than_macos_own(self):
        for script in FOR_A_MAC:
            text = "\n".join(line for line in script.read_text(encoding="utf-8").splitlines()
                             if not line.lstrip().startswith("#"))
            for what, pattern in {**NEWER_BASH, **GNU}.items():
                with self.subTest(script=script.name, what=what):
                    self.assertEqual([match[0] for match in re.finditer(pattern, text, re.M)], [])


class Build(unittest.TestCase):
    """The build, with a home of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-macos-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def start(self, *words):
        return subprocess.run([SCRIPTS / "build-macos.sh", *words], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)

    def commands(self, *words):
        """The command lines of a dry run, as lists of words; it leaves nothing behind."""
        done = self.start("--dry-run", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])
        return [shlex.split(line, comments=True) for line in done.stdout.splitlines()]

    def at(self, commands, *words):
        """Where the one command is that has those words."""
        found = [i for i, command in enumerate(commands) if set(words) <= set(command)]
        self.assertEqual(len(found), 1, words)
        return found[0]


class DryRun(Build):
    def test_the_order(self):
        commands = self.commands("--prefix", "/opt/it")
        virgl, library = self.at(commands, "setup", "-Dvenus=true"), self.at(commands, "setup", "-Dtests=false", str(TOP))
        patches = [i for i, command in enumerate(commands) if command[0] == "patch"]
        copies = [i for i, command in enumerate(commands) if command[0] == "cp"]
        configure = self.at(commands, "--enable-hvf")
        signing = self.at(commands, "codesign")
        self.assertLess(self.at(commands, "brew"), virgl)
        self.assertLess(patches[0], virgl)
        self.assertLess(virgl, library)
        self.assertLess(library, patches[1])
        self.assertLess(max(patches), min(copies))
        self.assertLess(max(copies), configure)
        self.assertEqual(signing, len(commands) - 1)
        self.assertEqual(commands[signing - 1], ["xattr", "-c", commands[signing][-1]])

    def test_virglrenderer(self):
        """the version that is pinned, with all that a Mac needs and no OpenGL"""
        commands = self.commands()
        self.at(commands, "fetch", versions("virglrenderer_macos_git"), versions("virglrenderer_macos_ref"))
        self.at(commands, "checkout", versions("virglrenderer_macos_commit"))
        setup = commands[self.at(commands, "setup", "-Dvenus=true")]
        for option in ("-Dvulkan-dload=false", "-Drender-server-worker=process", "-Dplatforms=",
                       "-Dminigbm_allocation=false"):
            self.assertIn(option, setup)

    def test_qemu(self):
        commands = self.commands("--prefix", "/opt/it")
        self.at(commands, "curl", versions("qemu_macos_url"))
        configure = commands[self.at(commands, "--enable-hvf")]
        for option in ("--enable-virtio-gpu-venus", "--enable-cocoa", "--disable-opengl", "--disable-virglrenderer",
                       "--prefix=/opt/it", "--without-default-features",
                       # libfdt has no pkg-config file that QEMU asks for
                       "--extra-cflags=-I/opt/homebrew/include", "--extra-ldflags=-L/opt/homebrew/lib"):
            self.assertIn(option, configure)
        signing = commands[-1]
        self.assertEqual(signing[signing.index("--entitlements") + 1],
                         str(PACKAGING / "macos" / "hypervisor.entitlements"))
        self.assertRegex(signing[-1], r"^/opt/it/bin/qemu-system-(aarch64|x86_64)$")

    def test_every_patch_and_file_goes_into_qemu(self):
        commands = self.commands()
        patches = [Path(command[-1]) for command in commands if command[0] == "patch"]
        ours = PACKAGING / "macos" / "patches"
        self.assertEqual(patches, [*sorted(ours.glob("virglrenderer-*")),
                                   *sorted((TOP / "qemu/patches/upstream").glob("*.patch")),
                                   *sorted((TOP / "qemu/patches/ours").glob("*.patch")),
                                   *sorted((TOP / "qemu/patches/macos").glob("*.patch"))])
        self.assertEqual(set(ours.iterdir()) - set(patches), set())
        copied = {command[1] for command in commands if command[0] == "cp"}
        device = TOP / "qemu/hw/display/virtio-gpu-venus"
        self.assertLessEqual({str(path) for path in device.iterdir()}, copied)
        self.assertFalse([path for path in copied if "/module/" in path or "/patches/" in path])
        folders = {command[-1] for command in commands if command[:2] == ["mkdir", "-p"]}
        self.assertLessEqual({os.path.dirname(command[2]) for command in commands if command[0] == "cp"}, folders)

    def test_the_version_is_one_that_the_patches_are_for(self):
        known = re.search(r"(?m)^qemu_versions=\((.*)\)$", (SCRIPTS / "versions.sh").read_text(encoding="utf-8"))[1]
        self.assertIn(versions("qemu_macos_version"), known.split())
        self.assertIn(f"qemu-{versions('qemu_macos_version')}.tar.xz", versions("qemu_macos_url"))

    def test_options(self):
        commands = self.commands("--jobs", "3", "--tests", "--no-brew")
        self.assertFalse([command for command in commands if command[0] == "brew"])
        self.assertEqual([command[command.index("-j") + 1] for command in commands if "-j" in command], ["3"] * 4)
        self.assertGreater(self.at(commands, "setup", "-Dtests=true"), self.at(commands, "codesign"))
        self.assertIn("cmocka", self.commands("--tests")[self.at(self.commands("--tests"), "brew")])

    def test_a_prefix_with_a_blank(self):
        commands = self.commands("--prefix", "/a b")
        self.assertIn("--prefix=/a b", commands[self.at(commands, "setup", str(TOP))])

    def test_what_is_missing_is_said_with_what_to_do(self):
        if os.uname().sysname == "Darwin":
            self.skipTest("this is a Mac")
        done = self.start("--dry-run")
        self.assertIn("not here: this is no Mac: on Linux use scripts/build-qemu.sh\n", done.stderr)
        done = self.start()
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertEqual(done.stderr, "build-macos.sh: this is no Mac: on Linux use scripts/build-qemu.sh\n")


# Stand-ins: each notes how it was called, and does what those behind it count on.
PROGRAMS = {
    "uname": 'if [ "$1" = -m ]; then echo arm64; else echo Darwin; fi',
    "sw_vers": "echo 26.1",
    "xcode-select": "echo /Library/Developer",
    "sysctl": "echo 8",
    "brew": 'if [ "$1" = --prefix ]; then echo /opt/homebrew; fi',
    "python3": 'if [ "$1" = -m ]; then mkdir -p "$3/bin"; cp "$STAND_INS/true" "$3/bin/pip"; fi',
    "git": "",
    "patch": "",
    "true": "",
    "curl": 'while [ "$1" != --output ]; do shift; done; echo archive >"$2"',
    "shasum": "cat >/dev/null",  # or whoever writes to it may be ended by a signal
    "tar": 'while [ "$1" != -C ]; do shift; done; mkdir -p "$2/qemu-VERSION"; '
           'cp "$STAND_INS/true" "$2/qemu-VERSION/configure"',
    "meson": 'if [ "$1" = setup ]; then mkdir -p "$2"; touch "$2/build.ninja"; fi',
    "ninja": 'case $* in *install) mkdir -p "$HOME/prefix/bin"; cp "$STAND_INS/qemu" "$HOME/prefix/bin/qemu-system-aarch64"; '
             'touch "$HOME/prefix/bin/qemu-system-aarch64.icon";; esac',
    "qemu": 'echo \'name "virtio-gpu-venus-pci", bus PCI\'',
    # The icon that QEMU's build gives the program is an attribute of it; here it is a file beside it.
    "xattr": 'if [ "$1" = -c ]; then rm -f "$2.icon"; fi',
    "codesign": 'while [ $# -gt 1 ]; do shift; done; ! [ -e "$1.icon" ]',
}


class StandIns(Build):
    """The build as on a Mac, with stand-ins for all that it runs but the shell's own and POSIX' tools."""

    def setUp(self):
        super().setUp()
        self.bin, self.log = self.folder / "bin", self.folder / "log"
        self.bin.mkdir()
        for name, body in PROGRAMS.items():
            self.program(name, body.replace("VERSION", versions("qemu_macos_version")))
        self.environment.update(PATH=f"{self.bin}:{os.environ['PATH']}", STAND_INS=str(self.bin), LOG=str(self.log))

    def program(self, name, body):
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "${{0##*/}} $*" >>"$LOG"\n{body}\n', encoding="utf-8")
        path.chmod(0o755)

    def build(self, *words):
        """What the build printed, and the programs that it called."""
        self.log.write_text("", encoding="utf-8")
        done = self.start("--prefix", str(self.folder / "prefix"), *words)
        return done, self.log.read_text(encoding="utf-8").splitlines()

    def test_it_ends_with_qemu(self):
        done, called = self.build()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, f"{self.folder}/prefix/bin/qemu-system-aarch64\n")
        self.assertTrue([line for line in called if line.startswith("configure ") and "aarch64-softmmu" in line])
        self.assertTrue([line for line in called if line.startswith("codesign ")])
        source = self.folder / f".cache/virtio-gpu-venus/macos/source/qemu-{versions('qemu_macos_version')}"
        self.assertTrue((source / "hw/display/virtio-gpu-venus/virtio-gpu-venus.c").is_file())

    def test_it_is_signed_without_its_icon(self):
        """codesign signs nothing that has a resource fork or the Finder's attributes, as QEMU's build gives it; so too where
        all has been built before"""
        icon = self.folder / "prefix" / "bin" / "qemu-system-aarch64.icon"
        for _ in range(2):
            done, called = self.build()
            self.assertEqual(done.returncode, 0, done.stderr)
            signing = [line.split()[0] for line in called if line.startswith(("xattr ", "codesign "))]
            self.assertEqual(signing, ["xattr", "codesign"])
            self.assertFalse(icon.exists())
            icon.touch()

    def test_as_the_formula_calls_it(self):
        """with no brew in the PATH, but where it is"""
        (self.bin / "brew").unlink()
        self.assertIn("there is no Homebrew", self.build()[0].stderr)
        self.environment["HOMEBREW_PREFIX"] = "/brewed"
        done, called = self.build("--no-brew")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue([line for line in called if line.startswith("meson setup") and "-I/brewed/include" in line])

    def test_what_is_done_is_not_done_again(self):
        self.build()
        done, called = self.build()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse([line for line in called if line.startswith(("git ", "curl ", "configure ", "patch ", "ninja "))])
        self.assertTrue([line for line in called if line.startswith("meson compile")])

    def test_what_failed_is_done_again(self):
        self.program("ninja", "exit 1")
        done, _ = self.build()
        self.assertEqual((done.returncode, done.stdout), (3, ""), done.stderr)
        self.assertRegex(done.stderr.splitlines()[-1], "^build-macos.sh: this failed: ninja ")
        self.program("ninja", PROGRAMS["ninja"])
        done, called = self.build()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue([line for line in called if line.startswith("configure ")])
        self.assertFalse([line for line in called if line.startswith("git ")])

    def test_a_patch_that_does_not_apply(self):
        self.program("patch", 'case $* in *accel-hvf*) exit 1;; esac')
        done, called = self.build()
        self.assertEqual(done.returncode, 3)
        self.assertFalse([line for line in called if line.startswith("configure ")])

    def test_another_archive(self):
        self.program("shasum", "cat >/dev/null; exit 1")
        done, called = self.build()
        self.assertEqual(done.returncode, 3)
        self.assertIn("is not what it was: remove it, and try again", done.stderr)
        self.assertFalse([line for line in called if line.startswith("tar ")])

    def test_a_qemu_without_the_device(self):
        self.program("qemu", "echo nothing")
        done, _ = self.build()
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn("does not run, or lacks the device", done.stderr)

    def test_a_python_that_reads_no_toml(self):
        """Apple's, before Homebrew's in PATH; one that Homebrew has just installed will do"""
        self.program("python3", '[ "$1" != -c ] || exit 1; ' + PROGRAMS["python3"])
        done, called = self.build()
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertEqual(done.stderr.splitlines()[-1],
                         "build-macos.sh: there is no python3 of 3.11 or newer, which QEMU's build needs: brew install python, and "
                         "put /opt/homebrew/bin first in PATH")
        self.assertFalse([line for line in called if line.startswith(("git ", "meson ", "curl "))])
        self.program("brew", PROGRAMS["brew"] +
                     '\nif [ "$1" = install ]; then cp "$STAND_INS/newer" "$STAND_INS/python3"; fi')
        self.program("newer", PROGRAMS["python3"])
        done, _ = self.build()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_a_mac_lacks(self):
        for name, body, says in (("sw_vers", "echo 12.7", "macOS is older than 13"),
                                 ("xcode-select", "exit 2", "run xcode-select --install")):
            with self.subTest(name):
                kept = (self.bin / name).read_text(encoding="utf-8")
                self.program(name, body)
                done, called = self.build()
                self.assertEqual((done.returncode, done.stderr.count("\n")), (3, 1))
                self.assertIn(says, done.stderr)
                self.assertFalse([line for line in called if line.startswith("brew install")])
                (self.bin / name).write_text(kept, encoding="utf-8")


class Alpine(unittest.TestCase):
    """run-alpine.sh as on a Mac, by its dry run."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-macos-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.disk = self.folder / "disk.img"
        self.disk.write_bytes(b"\0" * 4096)
        self.firmware("share")
        self.start_with(HOME=str(self.folder), FIRMWARE_DIRS=str(self.folder / "share"))

    def start_with(self, **environment):
        patch = mock.patch.dict(os.environ, environment, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

    def firmware(self, share):
        """As QEMU installs it, Homebrew's and ours."""
        folder = self.folder / share / "qemu"
        folder.mkdir(parents=True)
        for name in ("edk2-aarch64-code.fd", "edk2-arm-vars.fd", "edk2-x86_64-code.fd", "edk2-i386-vars.fd"):
            (folder / name).write_bytes(b"")
        return folder

    def main(self, *words, arch="aarch64", dry=True):
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
            self.status = alpine.main(["run", "--disk", str(self.disk), *(["--dry-run"] if dry else []), *words],
                                      common.Host(mac=True, arch=arch))
        return shlex.split(out.getvalue())

    def value(self, words, option):
        return words[words.index(option) + 1]

    def test_apple_processor(self):
        words = self.main()
        self.assertEqual(words[0], "qemu-system-aarch64")
        self.assertEqual(self.value(words, "-accel"), "hvf")
        self.assertEqual(self.value(words, "-cpu"), "host")
        self.assertEqual(self.value(words, "-M"), "virt,highmem=on,memory-backend=mem")
        self.assertEqual(self.value(words, "-object"), "memory-backend-shm,id=mem,size=2G,share=on")
        self.assertEqual(self.value(words, "-display"), "none")
        self.assertIn("virtio-gpu-venus-pci,id=gpu,hostmem=1G,xres=1280,yres=800", words)

    def test_intel_processor(self):
        words = self.main(arch="x86_64")
        self.assertEqual((words[0], self.value(words, "-accel")), ("qemu-system-x86_64", "hvf"))
        self.assertEqual(self.value(words, "-M"), "q35,memory-backend=mem")

    def test_the_other_processor_is_emulated(self):
        self.assertIn("tcg", self.value(self.main("--arch", "x86_64"), "-accel"))

    def test_window(self):
        """Cocoa's, for which neither DISPLAY nor WAYLAND_DISPLAY is set"""
        self.assertEqual(self.value(self.main("--window"), "-display"), "cocoa")

    def test_firmware_of_our_own_qemu(self):
        del os.environ["FIRMWARE_DIRS"]
        ours = self.firmware(".cache/virtio-gpu-venus/macos/prefix/share")
        with mock.patch.object(common, "PLACES_ON_A_MAC", str(self.folder / "share")):
            code, _ = common.find_firmware(None, "aarch64", None, common.Host(True, "aarch64"))
            self.assertEqual(code.parent, ours)
            (ours / "edk2-arm-vars.fd").unlink()
            code, _ = common.find_firmware(None, "aarch64", None, common.Host(True, "aarch64"))
            self.assertEqual(code.parent, self.folder / "share" / "qemu")

    def test_no_firmware(self):
        os.environ["FIRMWARE_DIRS"] = str(self.folder / "nowhere")
        with self.assertRaises(SystemExit) as ended:
            self.main()
        self.assertIn("install qemu (brew install qemu), or give --firmware", str(ended.exception))

    def test_firmware_of_the_qemu_that_was_asked_for(self):
        """as of the formula's, which is linked nowhere"""
        del os.environ["FIRMWARE_DIRS"]
        theirs = self.firmware("keg/share")
        with mock.patch.object(common, "PLACES_ON_A_MAC", str(self.folder / "share")):
            code, _ = common.find_firmware(None, "aarch64", None, common.Host(True, "aarch64"),
                                           str(self.folder / "keg" / "bin" / "qemu-system-aarch64"))
        self.assertEqual(code.parent, theirs)

    def test_short_addresses(self):
        """the window is as large as what QEMU has a place for, and a larger one is refused"""
        qemu = self.folder / "qemu-system-aarch64"
        for high, asked, gets in (("echo pcie-mmio-high", (), "1G"), (":", (), "256M"), (":", ("--hostmem", "128M"), "128M"),
                                  (":", ("--hostmem", "512M"), None), ("echo pcie-mmio-high", ("--hostmem", "4G"), "4G"),
                                  ("exit 1", (), "1G")):
            with self.subTest(high=high, asked=asked):
                qemu.write_text('#!/bin/sh\ncase "$*" in *"-monitor stdio"*) cat >/dev/null; echo pcie-mmio; '
                                f'{high};; *) echo "$*" >{self.folder}/words;; esac\n', encoding="utf-8")
                qemu.chmod(0o755)
                words = ("--ssh", "off", "--qemu", str(qemu), *asked)
                if gets is None:
                    with self.assertRaisesRegex(GuestError, "no place for --hostmem 512M, .*: use 256M"):
                        self.main(*words, dry=False)
                    continue
                with mock.patch("signal.signal"):
                    self.main(*words, dry=False)
                self.assertIn(f"hostmem={gets},", (self.folder / "words").read_text(encoding="utf-8"))

    def test_homebrews_places(self):
        for prefix in ("/opt/homebrew", "/usr/local"):
            for place in (f"{prefix}/share", f"{prefix}/opt/qemu/share"):
                self.assertIn(place, common.PLACES_ON_A_MAC.split(":"))

    def test_the_qemu_that_was_built(self):
        """it is run as it is, in no root; where it is not, what builds it is said"""
        with self.assertRaisesRegex(GuestError, "run scripts/build-macos.sh, or give --qemu"):
            self.main(dry=False)
        qemu = self.folder / ".cache/virtio-gpu-venus/macos/prefix/bin/qemu-system-aarch64"
        qemu.parent.mkdir(parents=True)
        qemu.write_text(f"#!/bin/sh\necho \"$@\" >{self.folder}/words\nexit 7\n", encoding="utf-8")
        qemu.chmod(0o755)
        with mock.patch("signal.signal"):
            self.main("--ssh", "off", dry=False)
        self.assertEqual(self.status, 7)
        self.assertIn("-accel hvf", (self.folder / "words").read_text(encoding="utf-8"))


class Serial(unittest.TestCase):
    """A guest's shell on a pipe: here a shell of this machine's."""

    def start(self, script):
        console = Console(["sh", "-c", script])
        self.addCleanup(console.close)
        return console

    def booted(self):
        console = self.start("echo booting; sleep 0.2; printf 'guest# '; exec sh 2>&1")
        console.boot(20)
        return console

    def test_status_and_output(self):
        console = self.booted()
        self.assertEqual(console.run("echo one; echo two >&2; (exit 3)", 20), (3, "one\ntwo\n"))
        self.assertEqual(console.run("true", 20), (0, ""))

    def test_too_long(self):
        console = self.booted()
        with self.assertRaises(TooLong):
            console.run("sleep 2", 0.2)
        self.assertEqual(console.run("echo after", 20)[1].splitlines()[-1], "after")

    def test_its_end(self):
        console = self.booted()
        with self.assertRaises(Ended):
            console.run("exit 1", 20)
        with self.assertRaises(Ended):
            self.start("echo no shell here").boot(20)

    def test_nothing_is_left(self):
        console = self.booted()
        child = int(console.run("sleep 1000 & echo $!", 20)[1])
        console.close()
        with self.assertRaises(ProcessLookupError):
            for _ in range(100):
                os.kill(child, 0)
                time.sleep(0.05)


COUNTS = '{"pages": 10, "stale": %d, "wrong": 0, "later": 0}'
TIMES = '{"median": 0.5, "p99": 1.5}'
# What a Mac and a guest have, where all is well.
A_MAC = {
    "sw_vers": "printf 'ProductName:\\t\\tmacOS\\nProductVersion:\\t26.1\\n'",
    "uname": "echo Darwin",
    "sysctl": 'case $2 in hw.pagesize) echo 16384;; kern.hv_support) echo 1;; *) echo some;; esac',
    "brew": "echo molten-vk 1.4.2",
    "clang": "echo clang",
    "vulkaninfo": "echo 'deviceName = Apple M9'",
    "codesign": "echo '[Key] com.apple.security.hypervisor'",
    "meson": "printf 'Ok:                 28\\nFail:               0\\n'",
    "qemu": 'case "$*" in *--version*) echo QEMU 10.2.2;; *"-device help"*) echo \'name "virtio-gpu-venus-pci"\';; '
            '*"-monitor stdio"*) cat >/dev/null; echo alias pcie-mmio; echo alias pcie-mmio-high;; '
            '*) echo "${VENUS_GPU_IOSURFACE-swapchain} $*" >>"$WORDS"; place=${*#*unix:}; place=${place%%,*}; '
            'case "$*" in *unix:*) "$PYTHON" "$MONITOR" "$place" >/dev/null 2>&1 & while ! [ -S "$place" ]; do sleep 0.05; done;; esac; '
            'PATH=$GUEST:$PATH; printf "guest# "; exec sh 2>&1;; esac',
}
# QEMU's monitor, of which the report asks for counters: a hundred frames more each time.
MONITOR = r"""
import json, os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + ".new")
listener.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1])
file = listener.accept()[0].makefile("rw", encoding="utf-8")
def say(what):
    print(json.dumps(what), file=file, flush=True)
say({"QMP": {}})
names = "present-frames", "present-dropped", "present-us-500", "present-us-1000", "present-us-more"
round = 0
for line in file:
    asked = json.loads(line)
    if asked["execute"] == "qom-list":
        round += 1
        say({"return": [{"name": "stat-" + name} for name in names] + [{"name": "hostmem"}]})
    elif asked["execute"] == "qom-get":
        name = asked["arguments"]["property"]
        say({"return": round * 100 if name in ("stat-present-frames", "stat-present-us-1000") else 0})
    else:
        say({"return": {}})
"""
A_GUEST = {
    "getconf": "echo 16384",
    "dmesg": "echo drm",
    "vulkaninfo": "echo 'deviceName = Virtio-GPU Venus (Apple M9)'; echo 'VK_KHR_swapchain : extension'",
    "coherency": f"echo '{{\"device_to_cpu\": {COUNTS % 0}, \"cpu_to_device\": {COUNTS % 0}}}'",
    "fence_ring": f"echo '{{\"round_trip_ms\": {TIMES}}}'",
    "queue_sync": f"echo '{{\"wait_ms\": {TIMES}}}'",
    "vk_memory": f'echo "{{\\"others_mapped\\": $4, \\"cycle_ms\\": {{0}}, \\"map_ms\\": {{0}}}}"'.replace(
        "{0}", TIMES.replace('"', '\\"')),
    "triangle": "echo '{\"crc32\": \"0badcafe\"}'",
    "compute": "echo '{}'",
    "vkcube_anim": "echo '{\"frames\": 120, \"fps\": 60}'",
    "wl": "echo '{\"frames\": 120, \"fps\": 60}'",
}


class Report(unittest.TestCase):
    """The first run's report, on a Mac and a guest of stand-ins."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="venus-macos-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        for name in ("mac", "guest", "disks", "build"):
            (self.folder / name).mkdir()
        for name in ("disks/vmlinuz", "disks/initrd.img", "disks/disk.img", "disks/tools.img", "build/build.ninja",
                     "driver.json"):
            (self.folder / name).write_bytes(b"")
        for where, programs in (("mac", A_MAC), ("guest", A_GUEST)):
            for name, body in programs.items():
                self.program(where, name, body)
        environment = {"PATH": f"{self.folder}/mac:{os.environ['PATH']}", "HOME": str(self.folder),
                       "GUEST": str(self.folder / "guest"), "WORDS": str(self.folder / "words"),
                       "MONITOR": str(self.folder / "monitor.py"), "PYTHON": sys.executable}
        (self.folder / "monitor.py").write_text(MONITOR, encoding="utf-8")
        for patch in (mock.patch.dict(os.environ, environment, clear=True),
                      mock.patch.object(mac_report, "manifests", lambda: [str(self.folder / "driver.json")])):
            patch.start()
            self.addCleanup(patch.stop)

    def program(self, where, name, body):
        path = self.folder / where / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def report(self, *words, mac=True, build=False):
        """What each step has come to, by its name; the report and the exit status are kept."""
        path = self.folder / "out" / "report.txt"
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
            self.status = mac_report.main(
                [*([] if build else ["--no-build"]), "--output", str(path), "--qemu", str(self.folder / "mac" / "qemu"), "--build-dir",
                 str(self.folder / "build"), "--guest", str(self.folder / "disks"), *words],
                common.Host(mac, "aarch64"))
        self.said, self.text = out.getvalue(), path.read_text(encoding="utf-8")
        lines = re.findall(r"(?m)^(PASS|FAIL|SKIP) ((?:disks: )?[^:\n]+): (.*)$", self.text)
        return {name: (status, why) for status, name, why in lines}

    def test_all_is_well(self):
        steps = self.report()
        self.assertEqual({name: step for name, step in steps.items() if step[0] != "PASS"},
                         {"build": ("SKIP", "as asked for"), "build of the tests": ("SKIP", "as asked for")})
        self.assertEqual(self.status, 0)
        self.assertEqual(len(steps), 25)
        self.assertEqual(steps["disks: boot"][1].split(", ")[1], "pages of 16384 bytes")
        self.assertIn("23 passed, 0 failed, 2 skipped", self.said)
        self.assertIn("open an issue of the project", self.said)
        self.assertNotIn(str(self.folder), self.text)

    def test_a_fresh_mac(self):
        """what the build has Homebrew install is looked for behind it: it is in the report, and its absence before no failure"""
        driver = self.folder / "driver.json"
        driver.unlink()
        for name in ("brew", "vulkaninfo"):
            self.program("mac", name, f"[ -e '{driver}' ] || exit 1; {A_MAC[name]}")
        self.program("mac", "build-macos.sh", f"touch '{driver}'")
        with mock.patch.object(mac_report, "SCRIPTS", self.folder / "mac"):
            steps = self.report(build=True)
        self.assertEqual({name: step for name, step in steps.items() if step[0] != "PASS"}, {})
        self.assertEqual(steps["Homebrew"][1], "molten-vk 1.4.2")
        self.assertEqual(steps["vulkaninfo"][1], "Apple M9")
        self.assertEqual(self.status, 0)

    def test_how_the_guest_is_run(self):
        self.report()
        words = (self.folder / "words").read_text(encoding="utf-8")
        for some in ("-accel hvf", "-cpu host", "virt,highmem=on,memory-backend=mem", "memory-backend-shm",
                     "console=ttyAMA0", "venus.shell", "snapshot=on"):
            self.assertIn(some, words)

    def test_windows(self):
        """the same frames in both ways, each in a guest of its own"""
        steps = self.report()
        for way in ("a swapchain", "IOSurfaces"):
            self.assertEqual(steps[f"disks: window, by {way}"],
                             ("PASS", "120 frames on the bare display, 60.0 a second; 100 presented, 0 dropped; "
                                      "until then, in ms: median 0.750, 99 % 0.995"))
        words = (self.folder / "words").read_text(encoding="utf-8").splitlines()
        self.assertEqual([line.split()[0] for line in words], ["swapchain", "swapchain", "1"])
        for line, window in zip(words, (False, True, True)):
            self.assertEqual("-display cocoa" in line and "present=swapchain" in line, window)

    def test_a_window_that_is_not_painted_as_asked_for(self):
        said = "virtio-gpu-venus: output 0 is presented by a swapchain, in spite of VENUS_GPU_IOSURFACE: it lacks some"
        for name, body, status, says in (
                ("vkcube_anim", f'echo "{said}" >&2; ' + A_GUEST["vkcube_anim"], "SKIP", said),
                ("vkcube_anim", "echo nothing", "FAIL", "printed no result"),
                ("vkcube_anim", "kill -9 $PPID", "FAIL", "QEMU has ended")):
            with self.subTest(says):
                self.program("guest", name, body)
                self.assertEqual(self.report()["disks: window, by IOSurfaces"][0], status)
                self.assertIn(says, self.text)

    def test_the_first_thing_in_a_guest_is_coherency(self):
        names = list(self.report())
        self.assertEqual(names[names.index("disks: boot") + 1], "disks: coherency, without feedback")

    def test_what_only_a_mac_can_tell_is_first(self):
        """the library's tests come behind the guests"""
        names = list(self.report())
        self.assertEqual(names[names.index("disks: window, by IOSurfaces") + 1:],
                         ["build of the tests", "unit tests", "renderer tests"])

    def test_short_addresses(self):
        """guests get the largest window that QEMU has a place for"""
        steps = self.report()
        self.assertEqual(steps["place of blobs"], ("PASS", "hostmem=1G"))
        self.program("mac", "qemu", A_MAC["qemu"].replace("echo alias pcie-mmio-high", ":"))
        steps = self.report()
        self.assertEqual(steps["place of blobs"][1].split(",")[0], "hostmem=256M")
        self.assertEqual([line for line in (self.folder / "words").read_text(encoding="utf-8").splitlines()[3:]
                          if "hostmem=256M" not in line], [])

    def test_ctrl_c(self):
        """what was found until then is in the report"""
        def interrupt(_):
            raise KeyboardInterrupt
        with mock.patch.object(mac_report, "GUEST_STEPS", (("coherency", mac_report.coherency("")), ("fences", interrupt))):
            steps = self.report()
        self.assertEqual(self.status, 130)
        self.assertEqual(list(steps)[-1], "the report")
        self.assertEqual(steps["disks: coherency"][0], "PASS")

    def test_stale_pages(self):
        """they fail where they were seen, and nothing else does"""
        self.program("guest", "coherency",
                     f"echo '{{\"device_to_cpu\": {COUNTS % 7}, \"cpu_to_device\": {COUNTS % 0}}}'; exit 1")
        steps = self.report()
        self.assertEqual({name for name, step in steps.items() if step[0] == "FAIL"},
                         {"disks: coherency, without feedback", "disks: coherency"})
        self.assertIn("device to cpu: of 10 pages 7 stale", steps["disks: coherency"][1])
        self.assertEqual(self.status, 1)

    def test_a_program_that_hangs_with_feedback(self):
        """it is stopped; the next step has a guest"""
        self.program("guest", "coherency", 'case $VN_PERF in "") sleep 1000;; *) '
                     + A_GUEST["coherency"] + ";; esac")
        steps = self.report("--limit", "2")
        self.assertEqual(steps["disks: coherency, without feedback"][0], "PASS")
        self.assertEqual(steps["disks: coherency"], ("FAIL", "it did not end in 2 s"))
        self.assertEqual(steps["disks: fences"][0], "PASS")

    def test_qemu_that_ends(self):
        """it is started again for the steps behind"""
        self.program("guest", "coherency", "kill -9 $PPID")
        steps = self.report()
        self.assertEqual(steps["disks: coherency"], ("FAIL", "QEMU has ended"))
        self.assertEqual(steps["disks: boot again"][0], "PASS")
        self.assertEqual(steps["disks: swapchain"][0], "PASS")

    def test_qemu_that_does_not_start(self):
        self.program("mac", "qemu", "echo hv_vm_create failed; exit 1")
        steps = self.report()
        self.assertEqual(steps["disks: boot"], ("FAIL", "QEMU has ended"))
        self.assertEqual(steps["disks: coherency"], ("SKIP", "there is no guest that runs"))
        self.assertIn("hv_vm_create failed", self.text)

    def test_what_a_guest_has_wrong(self):
        for name, body, step, says in (
                ("triangle", "echo \"{\\\"crc32\\\": \\\"$(date +%s)$$\\\"}\"", "triangle", "differ"),
                ("triangle", f"echo '{{\"crc32\": \"{zlib.crc32(bytes(640 * 480 * 4)):08x}\"}}'", "triangle", "all zeros"),
                ("vulkaninfo", "echo 'deviceName = llvmpipe'", "vulkaninfo", "no device of Venus'"),
                ("vulkaninfo", "echo 'deviceName = Virtio-GPU Venus'", "swapchain", "no VK_KHR_swapchain"),
                ("vk_memory", "echo '{\"others_mapped\": 31}'", "memory, 64 more mapped", "31 of 64"),
                ("fence_ring", "echo 'fence_ring: no such ioctl' >&2; exit 1", "fences", "no such ioctl"),
                ("compute", "echo nothing", "compute", "printed no result, but: nothing")):
            with self.subTest(says):
                kept = (self.folder / "guest" / name).read_text(encoding="utf-8")
                self.program("guest", name, body)
                status, why = self.report()[f"disks: {step}"]
                self.assertEqual(status, "FAIL")
                self.assertIn(says, why)
                (self.folder / "guest" / name).write_text(kept, encoding="utf-8")

    def test_what_a_mac_has_wrong(self):
        for name, body, step, says in (
                ("sysctl", "echo 0", "macOS", "no hypervisor"),
                ("codesign", "echo nothing", "QEMU's signature", "lacks the entitlement"),
                ("vulkaninfo", "echo nothing", "vulkaninfo", "names no device"),
                ("meson", "printf 'Ok:  3\\nFail:  1\\n'; exit 1", "unit tests", "Ok 3, Fail 1"),
                ("meson", "echo 'No suitable tests defined.'", "renderer tests", "no test ran")):
            with self.subTest(says):
                kept = (self.folder / "mac" / name).read_text(encoding="utf-8")
                self.program("mac", name, body)
                status, why = self.report("--limit", "30")[step]
                self.assertEqual(status, "FAIL")
                self.assertIn(says, why)
                (self.folder / "mac" / name).write_text(kept, encoding="utf-8")

    def test_no_driver(self):
        (self.folder / "driver.json").unlink()
        self.assertEqual(self.report()["Vulkan drivers"][0], "FAIL")

    def test_elsewhere_what_needs_a_mac_is_skipped(self):
        steps = self.report(mac=False)
        self.assertEqual({name for name, step in steps.items() if step[0] == "SKIP"},
                         {"macOS", "Homebrew", "Vulkan drivers", "build", "build of the tests", "QEMU's signature",
                          "disks: window, by a swapchain", "disks: window, by IOSurfaces"})
        self.assertEqual(steps["macOS"][1], "this is no Mac")

    def test_a_guest_that_is_not_whole(self):
        (self.folder / "disks" / "tools.img").unlink()
        self.assertEqual(self.report()["disks: boot"], ("SKIP", "~/disks has no tools.img"))


class Files(unittest.TestCase):
    def test_formula(self):
        """it depends on what build-macos.sh would install, and leaves the rest to that"""
        text = (PACKAGING / "homebrew" / "virtio-gpu-venus.rb").read_text(encoding="utf-8")
        done = subprocess.run([SCRIPTS / "build-macos.sh", "--dry-run"], capture_output=True, text=True, check=True)
        packages = re.search(r"(?m)^brew install (.*)$", done.stdout)[1].split()
        # No package of the script's, which takes the Python that comes with meson; a formula finds what it names itself.
        self.assertEqual(sorted(re.findall(r'(?m)^ *depends_on "([^"]+)"', text)), sorted([*packages, "python@3.13"]))
        self.assertIn('ENV.prepend_path "PATH", Formula["python@3.13"].opt_libexec/"bin"\n', text)
        self.assertEqual(text.count("scripts/build-macos.sh\""), 1)

    def test_the_places_of_drivers(self):
        """MoltenVK's as its package installs it, in each of Homebrew's prefixes; and KosmicKrisp's"""
        places = mac_report.manifests()
        for prefix in ("/opt/homebrew", "/usr/local"):
            for folder in (prefix, f"{prefix}/opt/molten-vk"):
                for kind in ("etc", "share"):
                    self.assertIn(f"{folder}/{kind}/vulkan/icd.d/MoltenVK_icd.json", places)
        self.assertTrue([place for place in places if "kosmickrisp" in place])

    def test_the_page_names_the_feedback_that_the_first_run_does_without(self):
        page = (TOP / "docs" / "macos.md").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r"`(VN_PERF=[^`]*)`", page), [mac_report.NO_FEEDBACK])

    def test_entitlements(self):
        with open(PACKAGING / "macos" / "hypervisor.entitlements", "rb") as file:
            self.assertEqual(plistlib.load(file), {"com.apple.security.hypervisor": True})


del Build  # what all of them share is no test

if __name__ == "__main__":
    unittest.main()
