# SPDX-License-Identifier: MIT
"""A program that means harm (guest/hostile.c), in the guest's most ordinary user's hands: who else notices?

Each test has three programs of the same guest at work beside it: one computes and checks its results, one draws a frame
again and again, which has to be the host's to the last, and one waits for fences and says for how long. Meanwhile the monitor is asked ten times a second. Nothing of the hostile
program may be left in the device or in the render server afterwards; what the device logs of it is its due.
"""

import json
import threading
import time

from venusvm.harness import VENUS, expect, host_tools, json_on_host, need_patch
from venusvm.processes import render_servers

# What has the render node's group and nothing else.
NOBODY = "setpriv --reuid=nobody --regid=nogroup --groups=$(stat -c %g /dev/dri/renderD128) --inh-caps=-all"
# How long the others may stand still, and QEMU's monitor: many times what it takes, on a host that has other work.
# What hangs is held up for ten seconds or for ever (render-timeout, docs/design.md); a busy machine takes one or two.
PAUSE_MS, MONITOR_S = 5000, 5
# More than any control queue has places (QEMU 10.0.13 gives each 1024): a program whose commands all fit may have ended,
# and with it its context, before it is ended for holding them.
MORE_THAN_FIT = 3000
FRAME, ENDED = ["--width", 160, "--height", 120], "/tmp/hostile-ended"
LIVE = ("contexts", "resources", "blobs", "mapped", "fences-pending")


def servers(guest):
    """The processes of the render server: itself, and one for each context."""
    return set(render_servers(guest.process.pid))


class Monitor(threading.Thread):
    """Asks QEMU's monitor again and again, and knows the longest that it took to answer."""

    def __init__(self, guest):
        super().__init__(daemon=True)
        self.guest, self.longest, self.asked, self.ended = guest, 0.0, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.1):
            begin = time.monotonic()
            self.guest.monitor.ask("query-status")
            self.longest = max(self.longest, time.monotonic() - begin)
            self.asked += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join(10)


def left_alone(case, mode, rounds, seconds=6):
    """Runs a mode of the hostile program beside three others and checks on them; returns how the counters changed."""
    guest = case.guest
    before, processes = guest.stats(), servers(guest)
    compute = guest.spawn(f"{VENUS} compute --matrix 32 --count 2000 --size 1 --frames 1000000 --seconds {seconds}")
    fences = guest.spawn(f"fence_ring --rounds 1000000 --seconds {seconds}")
    guest.run(f"rm -f {ENDED}")
    drawing = guest.spawn(f"{VENUS} frame {' '.join(map(str, FRAME))} --loop 1000000 --until {ENDED}")
    case.wait_for(lambda: (guest.stat("contexts") >= before["contexts"] + 3, guest.stats()), "three contexts at work")
    with Monitor(guest) as monitor:
        result = json.loads(guest.run(f"{VENUS} {NOBODY} hostile {mode} --rounds {rounds}").output)
        guest.run(f"touch {ENDED}")  # it draws once more
        others = (compute, drawing, fences)
        expect(not any(job.status for job in others), "the other programs to go on",
               "".join(job.output + job.errors for job in others))
        for job in others:
            job.wait(seconds + 60)
    for job in others:
        expect(job.status == 0, f"'{job.command}' to end with 0", f"{job.status}: {(job.output + job.errors)[-1000:]}")
    drawn, wanted = json.loads(drawing.output), json_on_host([host_tools() / "frame", *FRAME])
    expect(drawn["crc32"] == wanted["crc32"], f"the host's frame, which has the checksum {wanted['crc32']}", drawn)
    waited = json.loads(fences.output)["round_trip_ms"]
    case.note(f"{result['taken']} calls taken, {result['refused']} refused in {result['seconds']} s; "
              f"another drew {drawn['frame_ms']['count']} frames; "
              f"a fence of a third took {waited['max']:.0f} ms at most, the monitor {1e3 * monitor.longest:.0f} ms")
    expect(waited["max"] < PAUSE_MS, f"no pause of {PAUSE_MS} ms", waited)
    expect(monitor.asked and monitor.longest < MONITOR_S, f"a monitor that answers within {MONITOR_S} s",
           monitor.longest)
    case.wait_for(lambda: (all(guest.stat(name) <= before[name] for name in LIVE), guest.stats()),
                  f"no more of each of {', '.join(LIVE)} than before: {before}")
    case.wait_for(lambda: (not servers(guest) - processes, servers(guest)), f"no process but {processes}")
    return {name: value - before[name] for name, value in guest.stats().items()}


def test_garbage(case):
    """streams of random numbers end the contexts that they are sent to, and no others"""
    more = left_alone(case, "garbage", 64)
    expect(more["contexts-lost"] > 0, "contexts that were lost", more)


def test_edits(case):
    """so do commands that are cut short, or wrong in one word"""
    more = left_alone(case, "edits", 52)
    expect(more["contexts-lost"] > 0, "contexts that were lost", more)


def test_sizes(case):
    """blobs of absurd sizes are refused"""
    more = left_alone(case, "sizes", 2)
    expect(more["command-errors"] > 0, "commands that were refused", more)


def test_large(case):
    """command streams in more pieces than QEMU takes are refused"""
    need_patch(case, "virtio: let a device refuse a request in too many pieces")
    more = left_alone(case, "large", 2)
    expect(more["command-errors"] == 4 and not more["contexts-lost"], "four commands that were refused", more)


def test_strangers(case):
    """a stream that names another context's resource, or none, ends its own context; the other's memory is as it was"""
    more = left_alone(case, "strangers", 24)
    expect(more["contexts-lost"] == 24, "each context that was lost, and not the one whose resource it is", more)


def test_handles(case):
    """blobs that are mapped twice, closed while mapped and while a fence waits: nothing is left, nobody is lost"""
    more = left_alone(case, "handles", 24)
    expect(not more["contexts-lost"] and not more["command-errors"], "no context lost and no command refused", more)


def test_killed(case):
    """of processes that are killed at work nothing is left"""
    more = left_alone(case, "killed", 24)
    # How far each comes within 100 ms is for the host's speed to say.
    expect(more["contexts-created"] and more["blobs-created"], "contexts and blobs of theirs", more)


def test_fences(case):
    """fences on rings that have no queue end their context"""
    more = left_alone(case, "fences", 2000)
    expect(more["contexts-lost"] == 1, "one context that was lost", more)


def test_pending(case):
    """fences that never signal do not keep others out of the queue: their context is ended"""
    more = left_alone(case, "pending", MORE_THAN_FIT)
    expect(more["contexts-lost"] == 1, "one context that was lost", more)
    expect("places of the control queue: its process is ended" in case.guest.qemu_log(), "the log to say why",
           case.guest.last_words())


def test_contexts(case):
    """more contexts than there may be are refused, those that are there go on"""
    more = left_alone(case, "contexts", 2000, seconds=10)
    expect(more["contexts-created"] < 300 and more["command-errors"] > 0, "contexts that were refused", more)


def test_deadlock(case):
    """a context's threads that wait for each other stop nobody else; work for it does not fill the queue"""
    more = left_alone(case, "deadlock", MORE_THAN_FIT)
    expect(more["contexts-lost"] == 1, "one context that was lost", more)
