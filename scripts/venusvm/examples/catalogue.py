# SPDX-License-Identifier: MIT
"""Runs the examples, each in the guest and where it can on the host, and writes the catalogue: docs/examples.md.

usage: examples.py [--list] [--seconds N] [--accel ACCEL] [--qemu PROGRAM] [NAME...]     NAME: an example's

What came of each is kept in out/examples: NAME.json, NAME.png. The page is written when there is a result of
every example, of this run or of one before; each says which. The exit status is 1 if something does not work.
"""

import argparse
import json
import time
import traceback
from pathlib import Path

from venusvm import guest as guests
from venusvm.examples import endurance, page, programs, software
from venusvm.examples.entry import Result
from venusvm.examples.stage import OUT, Stage
from venusvm.expect import Failed
from venusvm.guest import TOP

GROUPS = (("Our own programs", programs.ENTRIES), ("Unmodified software", software.ENTRIES),
          ("For a minute each", endurance.ENTRIES))
ENTRIES = [entry for _, entries in GROUPS for entry in entries]


def run(stage, entry):
    """An example's result, also when it has none."""
    try:
        result = entry.run(stage)
    except (Failed, guests.GuestError) as failure:
        result = Result(wrong=str(failure))
    except Exception:  # a mistake in one must not end the others
        result = Result(wrong=traceback.format_exc())
    try:
        gone = stage.tidy()
    except guests.GuestError as failure:
        gone = str(failure)
        stage.close()
    if gone:
        result.wrong = f"{result.wrong}\n{gone}".strip()
    return result


def keep(stage, entry, result):
    """What page.py shows, as a file."""
    kept = {"name": entry.name, "title": entry.title, "text": entry.text, "command": entry.command,
            "guest": entry.guest, "numbers": [list(map(str, number)) for number in result.numbers],
            "picture": str(Path(result.picture).relative_to(OUT)) if result.picture else None,
            "against_host": result.against_host, "wrong": result.wrong,
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "environment": stage.environment}
    stage.file(f"{entry.name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return kept


def load(entry):
    try:
        return json.loads((OUT / f"{entry.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_page():
    """Writes the catalogue if every example has a result; returns what to say."""
    groups = [(heading, [load(entry) for entry in entries]) for heading, entries in GROUPS]
    missing = [entry.name for entry in ENTRIES if not load(entry)]
    if missing:
        return f"docs/examples.md stays as it is: no result yet of {', '.join(missing)}"
    page.write(groups, TOP / "docs", OUT)
    return "wrote docs/examples.md"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], usage="%(prog)s [OPTION...] [NAME...]")
    parser.add_argument("name", nargs="*", help="run only these")
    parser.add_argument("--list", action="store_true", help="print the examples' names and commands and end")
    parser.add_argument("--seconds", type=int, default=60, help="how long those that go on for a time do (60)")
    parser.add_argument("--accel", help="kvm, hvf or tcg instead of what works")
    parser.add_argument("--qemu", metavar="PROGRAM",
                        help="another QEMU than the one that scripts/build-qemu.sh makes")
    arguments = parser.parse_args()
    unknown = set(arguments.name) - {entry.name for entry in ENTRIES}
    if unknown:
        parser.error(f"there is no example {', '.join(sorted(unknown))}; see --list")
    if arguments.list:
        print("\n".join(f"{entry.name:16} {entry.command}" for entry in ENTRIES))
        return 0

    guests.end_on_signals()
    stage, failed = Stage(arguments.accel, arguments.qemu, arguments.seconds), 0
    try:
        for entry in ENTRIES:
            if arguments.name and entry.name not in arguments.name:
                continue
            begin = time.monotonic()
            result = run(stage, entry)
            kept = keep(stage, entry, result)
            failed += bool(result.wrong)
            said = "DOES NOT WORK" if result.wrong else page.brief(kept).replace("\\", "")
            print(f"{entry.name:16} {said} ({time.monotonic() - begin:.0f} s)", flush=True)
            for line in result.wrong.splitlines():
                print(f"    {line}", flush=True)
    finally:
        stage.close()
    print(write_page())
    return 1 if failed else 0
