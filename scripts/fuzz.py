#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the targets of fuzz/ for a while, and says what they reached: docs/fuzzing.md.

usage: fuzz.py [--seconds N] [--seed N] [--target NAME]... [--jobs N] [--place DIRECTORY] [--no-coverage] [--shrink]

Each target runs for so many seconds (60), as many at a time as there are processors. What it finds on the way is kept
in out/fuzz/TARGET/corpus (or in another place than out/fuzz), where the next run begins. What makes it
fail is kept in out/fuzz/TARGET, and printed with the command that does it again. Lines and branches of src/ that were
reached are in out/fuzz/coverage.txt, by file. --shrink makes fuzz/seeds anew: the fewest inputs that reach as much.
The exit status is 1 if anything failed.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from venusvm.guest import SCRIPTS, TOP

SEEDS = TOP / "fuzz" / "seeds"
IN_ROOT = [str(SCRIPTS / "in-root.sh"), "--die-with-parent", "--"]
MOST_BYTES = 4096  # of an input
# How long one input may take: where other processes are asked, as long as the device itself waits, and more.
PATIENCE_S = 150

children = set()


def stop(signum, _frame):
    for child in list(children):
        child.terminate()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def run(command, log=None, **options):
    """Runs a command, with its output in a file or returned."""
    with open(log or os.devnull, "wb") as file:
        child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                 stdout=file if log else subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        children.add(child)
        printed = child.communicate()[0]
        children.discard(child)
    return child.returncode, (printed or b"").decode(errors="replace")


def built(option):
    done = subprocess.run([SCRIPTS / "build-lib.sh", option], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return Path(done.stdout.strip()) / "fuzz"


def targets(build):
    return sorted(path.name.removeprefix("fuzz-") for path in build.glob("fuzz-*") if path.is_file())


def environment():
    """The one that sanitizers and drivers find; see tests/meson.build about the loader."""
    settings = {"ASAN_OPTIONS": "handle_abort=0:detect_leaks=1:allocator_may_return_null=1:quarantine_size_mb=64",
                "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", "VK_LOADER_DISABLE_DYNAMIC_LIBRARY_UNLOADING": "1"}
    return dict(os.environ, **settings)


class Outcome:
    """What became of a target: how many inputs it ran, what it failed with."""

    def __init__(self, target, status, log, seconds):
        self.target, self.status, self.log, self.seconds = target, status, log, seconds
        text = log.read_text(encoding="utf-8", errors="replace")
        runs = re.findall(r"number_of_executed_units: (\d+)", text)
        self.runs = int(runs[-1]) if runs else 0
        self.failures = re.findall(r"Test unit written to (\S+)", text)
        self.why = next(iter(re.findall(r"^(complaint: .*|steps: .*|SUMMARY: .*|.*runtime error: .*)$", text, re.M)), "")
        self.failed = status != 0


def fuzz(target, build, args):
    """Runs one target."""
    place = args.place / target
    corpus = place / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    status, _ = run([*IN_ROOT, build / f"fuzz-{target}", f"-max_total_time={args.seconds}", f"-seed={args.seed}",
                     f"-max_len={MOST_BYTES}", f"-timeout={PATIENCE_S}", "-rss_limit_mb=4096", "-print_final_stats=1",
                     f"-artifact_prefix={place}/", corpus, *[path for path in (SEEDS / target,) if path.is_dir()]],
                    place / "log", env=environment())
    return Outcome(target, status, place / "log", time.monotonic() - begin)


def each(names, jobs, work):
    """Calls work(name) for each, so many at a time. Returns the results in order."""
    results, turn = {}, threading.Semaphore(jobs)

    def one(name):
        with turn:
            results[name] = work(name)

    threads = [threading.Thread(target=one, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[name] for name in names]


def cover(names, place):
    """Has the targets run all that is known again, and writes what they reached, by file."""
    build = built("--fuzz=coverage")
    profiles, objects = [], []
    for name in names:
        profile = place / name / "reached.profraw"
        folders = [path for path in (place / name / "corpus", SEEDS / name) if path.is_dir()]
        run([*IN_ROOT, "env", f"LLVM_PROFILE_FILE={profile}", build / f"fuzz-{name}", "-runs=0", f"-max_len={MOST_BYTES}",
             *folders], place / name / "coverage.log", env=environment())
        if profile.exists():
            profiles.append(profile)
            objects += ["-object", build / f"fuzz-{name}"]
    if not profiles:
        return "nothing was reached"
    run([*IN_ROOT, "llvm-profdata", "merge", "-o", place / "reached.profdata", *profiles])
    _, text = run([*IN_ROOT, "llvm-cov", "report", "-instr-profile", place / "reached.profdata", *objects[1:]])
    for profile in profiles:
        profile.unlink()
    return table(text)


def table(report):
    """llvm-cov's report without what is not the library's: lines and branches, by file."""
    rows, total = [], [0, 0, 0, 0]
    floors = sorted(path.name for path in (TOP / "src").iterdir() if path.is_dir())
    for line in report.splitlines():
        words = line.split()
        name = re.search(rf"(?:^|/)(src/(?:{'|'.join(floors)})/[\w.-]+\.[ch])$", words[0]) if len(words) == 13 else None
        if not name:
            continue
        numbers = [int(word) for word in (words[7], words[8], words[10], words[11])]
        total = [a + b for a, b in zip(total, numbers)]
        rows.append((name[1], numbers))
    rows.append(("src", total))
    return "".join(f"{name:32} {share(lines, missed):>7} of {lines:5} lines  {share(branches, unseen):>7} of {branches:5} "
                   "branches\n" for name, (lines, missed, branches, unseen) in rows if lines)


def share(count, missed):
    return f"{100 * (count - missed) / count:.1f} %" if count else "-"


def shrink(target, build, place):
    """Makes fuzz/seeds/TARGET anew: of all that is known, the fewest inputs that reach as much."""
    shrunk = place / target / "shrunk"
    shutil.rmtree(shrunk, ignore_errors=True)
    shrunk.mkdir(parents=True)
    folders = [path for path in (place / target / "corpus", SEEDS / target) if path.is_dir()]
    status, _ = run([*IN_ROOT, build / f"fuzz-{target}", "-set_cover_merge=1", "-use_counters=0", f"-max_len={MOST_BYTES}", shrunk, *folders],
                    place / target / "shrink.log", env=environment())
    if status:
        return f"{target}: not shrunk, see {place / target / 'shrink.log'}"
    shutil.rmtree(SEEDS / target, ignore_errors=True)
    (SEEDS / target).mkdir(parents=True)
    size = 0
    for number, path in enumerate(sorted(shrunk.iterdir(), key=lambda path: path.read_bytes())):
        (SEEDS / target / f"{number:03}").write_bytes(path.read_bytes())
        size += path.stat().st_size
    return f"{target}: {number + 1} seeds, {size} bytes"


def tell(outcome, build):
    print(f"{outcome.target:12} {outcome.runs:9} executions in {outcome.seconds:4.0f} s"
          f"{', FAILED: ' + (outcome.why or f'status {outcome.status}') if outcome.failed else ''}")
    for failure in outcome.failures if outcome.failed else ():
        print(f"    scripts/in-root.sh {build / f'fuzz-{outcome.target}'} {failure}")
    if outcome.failed:
        print(f"    log: {outcome.log}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; 0: another each time")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at a time")
    parser.add_argument("--place", type=Path, default=TOP / "out" / "fuzz", help="where all is kept (out/fuzz)")
    parser.add_argument("--no-coverage", action="store_true", help="do not look at what was reached")
    parser.add_argument("--shrink", action="store_true", help="make fuzz/seeds anew instead")
    args = parser.parse_args()
    args.place = args.place.absolute()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)

    build = built("--fuzz")
    names = targets(build)
    for name in args.target or ():
        if name not in names:
            parser.error(f"there is no target {name}; choose of {', '.join(names)}")
    names = args.target or names
    if args.shrink:
        print("\n".join(each(names, args.jobs, lambda name: shrink(name, build, args.place))))
        return 0
    outcomes = each(names, args.jobs, lambda name: fuzz(name, build, args))
    for outcome in outcomes:
        tell(outcome, build)
    if not args.no_coverage:
        text = cover(names, args.place)
        (args.place / "coverage.txt").write_text(text, encoding="utf-8")
        print(text.splitlines()[-1])
        print(f"by file: {args.place / 'coverage.txt'}")
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
