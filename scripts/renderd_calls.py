#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the system calls that render servers make, and compares them with the filter of venus-gpu-renderd.

usage: renderd_calls.py [--guest] [--only NAME]... [--add FILE]... [--keep FILE]

The renderer tests run with servers whose calls are counted (tests/renderd/seen.c), without a sandbox, so that what the filter would
stop is seen too. --guest has a guest's programs compute and draw as well. --only runs tests whose names have that in them, and may be
"none". --add adds counts that were kept, with --keep, on another machine of the same kind.

Printed is what was seen, with how often; what the filter allows and nobody made, by the groups of tools/renderd/calls.h; and what
was made and would be stopped: then the exit status is 1. Whether the tests pass is not looked at: counted calls are slow ones.
On a host with a GPU it says what the GPU's driver calls.
"""

import argparse
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from venusvm.guest import SCRIPTS, TOP

LISTS = TOP / "tools" / "renderd" / "calls.h"
CALLS, REQUESTS = 1024, 64  # of tests/renderd/seen.c
SERVER = "/usr/libexec/virgl_render_server"
# They look for servers by themselves, or start none.
LEFT_OUT = ("renderd", "doctor")
# The C library asks for it first, and is answered that there is no such call.
ASKED_FOR = {"clone3"}


class Lists:
    """What tools/renderd/calls.h has: groups as (section, reason, names), in order."""

    def __init__(self, text):
        self.groups = []
        section, reason = "", ""
        for kind, words, name in re.findall(r"/\* ?(-{4} (?:seen|margin|denied))?(.*?)\*/|^(?:ALLOWED|DENIED)\((\w+)\)", text, re.M | re.S):
            if kind:
                section = kind[5:]
            elif words:
                reason = " ".join(words.replace("\n *", " ").split())
            elif self.groups and self.groups[-1][:2] == (section, reason):
                self.groups[-1][2].append(name)
            else:
                self.groups.append((section, reason, [name]))

    def names(self, *sections):
        return [name for section, _, names in self.groups if section in sections for name in names]


class Seen:
    """Counts by the calls' names, and the requests of ioctl()."""

    def __init__(self, names):
        self.names, self.counts, self.requests = names, {}, set()

    def add(self, data):
        numbers = struct.unpack_from(f"<{CALLS + REQUESTS}I", data)
        for number, count in enumerate(numbers[:CALLS]):
            if count:
                name = self.names.get(number, str(number))
                self.counts[name] = self.counts.get(name, 0) + count
        self.requests |= {request for request in numbers[CALLS:] if request}


def numbered(headers):
    """The calls' names by their numbers, out of what the preprocessor knows."""
    return {int(number): name for name, number in re.findall(r"^#define __NR_(\w+)\s+(\d+)$", headers, re.M)}


def compare(lists, seen):
    """Lines to print, and what the filter would stop."""
    allowed, made = lists.names("seen", "margin"), set(seen.counts)
    stopped = sorted(made - set(allowed) - ASKED_FOR)
    lines = [f"seen: {len(made)} calls"]
    lines += [f"  {count:9d} {name}" for name, count in sorted(seen.counts.items(), key=lambda item: -item[1])]
    if seen.requests:
        lines.append("requests of ioctl: " + " ".join(f"{request:#x}" for request in sorted(seen.requests)))
    lines.append(f"allowed, and not seen: {len(set(allowed) - made)} calls")
    for section, reason, names in lists.groups:
        rest = [name for name in names if name not in made]
        if section == "margin" and rest:
            lines += [f"  {reason}", "    " + " ".join(rest)]
    for title, names in (("listed as seen, and not seen this time", set(lists.names("seen")) - made),
                         ("seen, and listed as margin", made & set(lists.names("margin")))):
        if names:
            lines.append(f"{title}: " + " ".join(sorted(names)))
    lines.append("the filter would stop: " + (" ".join(stopped) or "nothing"))
    return lines, stopped


def in_root(*command, **options):
    return subprocess.run([SCRIPTS / "in-root.sh", "--die-with-parent", "--", *command], check=False, **options)


def all_names():
    done = in_root("cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null", stdout=subprocess.PIPE, text=True)
    return numbered(done.stdout + LISTS.read_text(encoding="utf-8").replace("SYS_", "__NR_"))


def run_tests(build, only):
    listed = in_root("meson", "test", "-C", build, "--no-rebuild", "--suite", "renderer", "--list", stdout=subprocess.PIPE,
                     stderr=subprocess.DEVNULL, text=True).stdout
    names = [line.split()[-1] for line in listed.splitlines() if " / " in line]
    names = [name for name in names if not name.startswith(LEFT_OUT) and (not only or any(word in name for word in only))]
    for name in names:
        print(f"running {name}", file=sys.stderr, flush=True)
        in_root("meson", "test", "-C", build, "--no-rebuild", "--suite", "renderer", "--logbase", "calls", name,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_guest():
    print("running programs in a guest", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, TOP / "tests" / "guest" / "run.py", "--module", "micro.micro", "examples.compute", "examples.gears"], check=False,
                   stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description="Counts the system calls of render servers, and compares them with renderd's filter.")
    parser.add_argument("--guest", action="store_true", help="a guest's programs too")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="of the renderer tests, these; or none")
    parser.add_argument("--add", action="append", default=[], type=Path, metavar="FILE", help="counts that were kept")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the counts there")
    args = parser.parse_args()
    build = Path(subprocess.run([SCRIPTS / "build-lib.sh", "--build-dir"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    seen = Seen(all_names())
    (TOP / "out").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOP / "out", prefix="calls-") as folder:
        counts, program = args.keep or Path(folder, "counts"), Path(folder, "server")
        program.write_text("#!/bin/sh\n"
                           f'exec {build}/tests/renderd/renderd-seen {counts.absolute()} {SERVER} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        os.environ["RENDER_SERVER_EXEC_PATH"] = str(program)
        os.environ["MESA_SHADER_CACHE_DIR"] = str(Path(folder, "cache"))
        run_tests(build, args.only)
        if args.guest:
            run_guest()
        for file in (*args.add, counts):
            if file.exists():
                seen.add(file.read_bytes())
    lines, stopped = compare(Lists(LISTS.read_text(encoding="utf-8")), seen)
    print("\n".join(lines))
    return 1 if stopped or not seen.counts else 0


if __name__ == "__main__":
    sys.exit(main())
