# SPDX-License-Identifier: MIT
"""Two programs that draw at the same time: both get on, each in a context of its own."""

import json
import time

from venusvm.harness import expect, guests


def test_two_at_once(case):
    """two vkcubes at once both draw 120 frames, in two contexts more than before"""
    case.guest.run("wl")
    before = case.guest.stat("contexts")
    logs = ["/tmp/two-a.json", "/tmp/two-b.json"]
    jobs = [case.guest.spawn(f"wl {guests.frames_environment(log=log)} vkcube --wsi wayland "
                             "--width 250 --height 250 --c 120") for log in logs]
    most, deadline = 0, time.monotonic() + 120
    while any(job.status is None for job in jobs):
        most = max(most, case.guest.stat("contexts") - before)
        for job in jobs:
            if job.status is None:
                case.guest.check_alive()
        expect(time.monotonic() < deadline, "both to end within 120 s",
               [job.status for job in jobs])
        time.sleep(0.1)
    for job, log in zip(jobs, logs):
        expect(job.status == 0, "vkcube to end with status 0",
               f"status {job.status}: {(job.output + job.errors)[-1000:]}")
        drawn = json.loads(case.guest.run(f"cat {log}").output)
        case.note(f"{drawn['frames']} frames in {drawn['seconds']:.2f} s")
        expect(drawn["frames"] == 120, "120 frames", drawn)
    expect(most >= 2, "at least 2 contexts more than before at some time", f"{most} more")
    case.wait_for(lambda: (case.guest.stat("contexts") <= before, case.guest.stat("contexts")), f"stat-contexts <= {before}")
