#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles QEMU's part of the device for macOS, warnings being errors, and prints TAP: a point for each file.

That is each C file under qemu/ that is the device's, and the lines that our patch adds to ui/cocoa.m. The headers are
those of Debian's QEMU, configured for Linux, with what macOS lacks taken out of its configuration; GLib's and pixman's
are Linux', too. So this says that the sources use nothing that macOS does not have. Nothing is linked.

usage: build-darwin-qemu.py [--arch aarch64 | x86_64]     aarch64, if none is given
"""

import argparse
import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
TOP = SCRIPTS.parent
OVERLAY = TOP / "qemu"
STANDINS = TOP / "tests" / "darwin"
PATCH = OVERLAY / "patches" / "ours" / "0008-ui-cocoa-say-which-view-shows-a-console.patch"

# Of QEMU's configuration for Linux, what is not so on macOS.
ONLY_LINUX = re.compile(r"^#define (CONFIG_(LINUX\w*|ACCEPT4|EPOLL\w*|EVENTFD|FALLOCATE\w*|MEMFD|OPENGL|PIPE2|PRCTL\w*|"
                        r"SIGNALFD|SYSMACROS)|HAVE_STRCHRNUL|HOST_X86_64)\b.*\n", re.M)


def made_by(script, *options):
    return Path(subprocess.run([SCRIPTS / script, *options], check=True, text=True, stdout=subprocess.PIPE).stdout.strip())


def in_root(*command, **options):
    return subprocess.run([SCRIPTS / "in-root.sh", "--", *command], text=True, check=False, **options)


def added(patch):
    """What a patch adds: for each file, its pieces, in order."""
    files = {}
    for line in patch.splitlines():
        if line.startswith("+++ b/"):
            pieces = files.setdefault(line[6:], [])
        elif line.startswith("@@"):
            pieces.append([])
        elif line.startswith("+") and not line.startswith("+++"):
            pieces[-1].append(line[1:])
    return {name: ["\n".join(piece) + "\n" for piece in pieces] for name, pieces in files.items()}


def prepare(work, configured, arch):
    """QEMU's headers as for macOS, and what the patch adds to them and to cocoa.m."""
    headers = work / "headers"
    shutil.copytree(configured, headers)
    config = headers / "config-host.h"
    text = ONLY_LINUX.sub("", config.read_text())
    config.write_text(f"{text}\n#define CONFIG_DARWIN\n#define CONFIG_COCOA\n#define HOST_{arch.upper()} 1\n")
    pieces = added(PATCH.read_text())
    (work / "ui").mkdir()
    (work / "ui" / "cocoa-view.h").write_text(pieces["include/ui/cocoa-view.h"][0])
    for number, piece in enumerate(pieces["ui/cocoa.m"], 1):
        (work / f"added-{number}.h").write_text(piece)
    return headers


def options_for(arguments, configured, headers, arch):
    """What the module's build compiles a file with, but where macOS has it differently."""
    taken = []
    for word in arguments:
        word = word.replace(str(configured), str(headers)).replace("/host/include/x86_64", f"/host/include/{arch}")
        if word.startswith("-I/usr/"):
            taken += ["-isystem", word[2:]]  # their warnings are theirs
        elif word.startswith(("-I", "-i", "-D", "/")):
            taken.append(word)
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--arch", choices=("aarch64", "x86_64"), default="aarch64")
    arch = parser.parse_args().arch
    cross = (made_by("build-darwin.sh", "--arch", arch).parent / "cross.ini").read_text()
    compiler = ast.literal_eval(re.search(r"^c = (.*)", cross, re.M)[1])
    module = made_by("build-module.sh").parents[2] / "build"
    commands = json.loads(in_root("ninja", "-t", "compdb", cwd=module, stdout=subprocess.PIPE).stdout)
    ours = {Path(entry["file"]).name: shlex.split(entry["command"]) for entry in commands
            if re.search(r"src/(ui|hw/display/virtio-gpu-venus)/[\w-]+\.c$", entry["file"])}
    files = sorted(path for folder in ("ui", "hw/display/virtio-gpu-venus") for path in (OVERLAY / folder).glob("*.c"))
    files.append(STANDINS / "cocoa.m")
    print(f"1..{len(files)}", flush=True)
    status = 0
    cache = Path(compiler[0]).parents[1] / "cache"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        some = ours["native-window.c"]
        configured = next(word[2:] for word in some if re.fullmatch(r"-I.*/qemu-headers/\w+", word))
        headers = prepare(work, configured, arch)
        for number, file in enumerate(files, 1):
            options = options_for(ours.get(file.name, some)[1:], configured, headers, arch)
            if file.name in ("native-window.c", "cocoa.m"):
                options.remove("-DVENUS_UNPATCHED_QEMU")
            done = in_root("env", f"ZIG_GLOBAL_CACHE_DIR={cache}", f"ZIG_LOCAL_CACHE_DIR={cache}", *compiler, *options,
                           "-UNDEBUG", "-std=gnu11", "-fwrapv", "-fno-strict-aliasing", "-Wall", "-Werror",
                           "-I", work, "-F", STANDINS / "frameworks", "-c", file, "-o", work / "out.o",
                           cwd=module, capture_output=True)
            print(f"{'not ' if done.returncode else ''}ok {number} - {file.name} compiles for macOS on {arch}", flush=True)
            for line in done.stderr.splitlines() if done.returncode else ():
                print("#", line)
            status |= done.returncode != 0
    return status


if __name__ == "__main__":
    sys.exit(main())
