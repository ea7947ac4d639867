# SPDX-License-Identifier: MIT
"""Programs that go on for a time, after which QEMU and the render server must hold what they held before.

How growth is told from what is no growth:

- Each runs for a while first, unmeasured. The first use of something loads drivers, fills caches and has the
  guest's code translated, once.
- Descriptors, processes and the device's counters of what is alive must be exactly what they were.
- Memory cannot be: malloc() keeps pages for later, and where they lie is chance. It may be SLACK more. What
  that can hide is small since so much happens meanwhile: each result says how many bytes for each submit or
  thing the growth would be, and a leak of a page for each would be many times SLACK; if it would not (the
  program did too little, on a busy machine), the program runs once more, for longer.
- What is lost is lost in every run; what is only kept grows now and then, as tables do that double when they are
  full. So a run after which there is more is followed by another one. If there is more after each of RUNS, it
  is a leak.
- Left out are the guest's own memory; QEMU's translations of the guest's code, a cache of fixed size that
  fills up whatever the device does; and programs and libraries as they are on the disk, of which each process
  has the less the more others use them.
"""

import time

from venusvm import processes
from venusvm.examples.entry import Result, entry
from venusvm.expect import Failed, expect, wait_for
from venusvm.screen import VENUS

SLACK = 4.0   # MiB
PAGE = 4096   # bytes
TIMES = 4     # how many times SLACK a leak of a page each must at least amount to
RUNS = 3      # as many as may grow if the next one does not
ALIVE = ("contexts", "resources", "resources-2d", "blobs", "blob-bytes", "memory-bytes", "mapped", "mapped-bytes",
         "address-ranges", "fences-pending")
LONGER = (1, 2, 4, 8, 16)  # how many times longer than wanted a program may run to do enough
LONG = 100000000  # frames, more than anybody waits for


class Holdings:
    """What QEMU, its render server and the device hold."""

    def __init__(self, guest):
        pid = guest.process.pid
        self.stats = {name: guest.stat(name) for name in ALIVE}
        self.errors = guest.stat("command-errors") + guest.stat("contexts-lost")
        self.open = processes.descriptors(pid)
        kinds = processes.memory_of(pid)
        self.memory = sum(mib for kind, mib in kinds.items() if kind in ("private", "shared"))
        self.kinds = kinds

    def descriptors(self):
        return sum(sum(kinds.values()) for _, kinds in self.open.values())

    def unlike(self, other):
        """What is not as it is in the other, but for memory; empty if nothing."""
        words = [f"{name}: {value}, not {other.stats[name]}" for name, value in self.stats.items()
                 if value != other.stats[name]]
        for pid in sorted(self.open.keys() | other.open.keys()):
            (name, now), (_, before) = (side.get(pid, (None, {})) for side in (self.open, other.open))
            if not name:
                words.append(f"process {pid} has ended")
            elif pid not in other.open:
                words.append(f"a new process {pid}, {name}")
            elif now != before:
                words.append(f"{name} {pid}: more {dict(now - before)}, less {dict(before - now)}")
        return "; ".join(words)


def settled(guest, wanted=None):
    """What is held once that is what was wanted, or if nothing was, once it has not changed for a second."""
    held = None

    def question():
        nonlocal held
        before = wanted or held or Holdings(guest)
        time.sleep(0 if wanted else 1)
        held = Holdings(guest)
        changed = held.unlike(before)
        return not changed, changed

    time.sleep(2)
    wait_for(question, "what was held before, and no more" if wanted else "that nothing changes any more", timeout=20)
    return held


def endure(guest, command, things, seconds, warm_up, times=TIMES):
    """Runs a program twice or more, and looks what it left. Returns the last one's report, and what was held
    before each run but the first and after the last."""
    def once(duration):
        result = guest.run_json(f"{VENUS} {command} --frames {LONG} --seconds {duration}", timeout=duration + 300)
        expect(result["driver"] == "venus", "the device to be Venus", result)
        return result

    enough = times * SLACK * 2**20 / PAGE

    def do_enough():
        for longer in LONGER:
            result = {**once(longer * seconds), "ran_for": longer * seconds}
            if result[things] > enough:
                return result
        raise Failed(f"expected more than {enough:.0f} {things}, so that a page leaked for each could not be "
                     f"overlooked\n    seen {result[things]} in {result['ran_for']} s")

    once(warm_up)
    held = [settled(guest)]
    while len(held) <= RUNS:
        result = do_enough()
        held.append(settled(guest, held[0]))
        expect(held[-1].errors == held[0].errors, "no command refused and no context lost",
               held[-1].errors - held[0].errors)
        if held[-1].memory - held[-2].memory <= SLACK:
            return result, held
    raise Failed(f"expected at most {SLACK:.0f} MiB more after one of {RUNS} runs\n    seen " +
                 "; ".join(f"{one.memory:.1f} MiB ({kinds(one)})" for one in held))


def kinds(held):
    return ", ".join(f"{kind} {mib:.1f}" for kind, mib in sorted(held.kinds.items()))


def report(stage, entry, command, things, what):
    guest = stage.guest(entry.guest)
    entry.command = f"{command} --frames {LONG} --seconds {stage.seconds}"
    result, held = endure(guest, command, things, stage.seconds, max(5, stage.seconds // 4))
    before, after = held[-2:]
    grown = after.memory - before.memory
    memory = [("MiB of QEMU and render server, before and after", f"{before.memory:.1f}, {after.memory:.1f}"),
              ("that is, for each", f"{max(0, grown) * 2**20 / result[things]:.1f} bytes "
               f"(at most {SLACK:.0f} MiB in all are taken for chance)")]
    if len(held) > 2:
        memory.append(("MiB before the runs before, after which there was more once",
                       ", ".join(f"{one.memory:.1f}" for one in held[:-2])))
    return Result([(f"{what} in {result['ran_for']} s", f"{result[things]:,}"),
                   ("commands refused, contexts lost", str(after.errors - before.errors)),
                   *memory,
                   ("their descriptors", f"{before.descriptors()}, {after.descriptors()}"),
                   ("their processes", f"{len(before.open)}, {len(after.open)}"),
                   ("the device's contexts, resources, mapped blobs", ", ".join(
                       str(after.stats[name]) for name in ("contexts", "resources", "mapped")) + ", as before")],
                  against_host="the program checks what it does, and afterwards all is as it was before")


def lasting(name, title, text, command, things, what):
    """An Entry that goes on for a time."""
    return entry(name, title, text, f"{command} --frames {LONG} --seconds 60",
                 lambda stage, made: report(stage, made, command, things, what))


ENTRIES = [
    lasting("long-contexts", "32 contexts", "Processes and threads that take and give back memory all the time.",
            "multi_context --contexts 32", "pieces", "pieces of memory taken"),
    lasting("long-churn", "Resources without end", "Memories, buffers and images made, used, checked and freed.",
            "resource_churn", "made", "things made"),
    lasting("long-fences", "Fences without end", "Submits tied together by timelines, waited for by every means.",
            "fence_stress", "submits", "submits"),
]
