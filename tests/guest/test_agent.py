# SPDX-License-Identifier: MIT
"""The agent that every other test talks to: what goes through it arrives whole."""

import hashlib
import os

from venusvm.harness import expect, guests


def test_bytes_both_ways(case):
    """5 MB of any bytes reach a command's stdin and come back from its stdout"""
    sent = os.urandom(5_000_000)
    job = case.guest.run("cat", stdin=sent)
    expect(job.stdout == sent, hashlib.sha256(sent).hexdigest(),
           f"{len(job.stdout)} bytes, {hashlib.sha256(job.stdout).hexdigest()}")


def test_outcomes(case):
    """exit status, signals and the two outputs are told apart"""
    job = case.guest.run("echo out; echo err >&2; exit 7", check=False)
    seen = (job.status, job.output, job.errors)
    expect(seen == (7, "out\n", "err\n"), "status 7, 'out' and 'err'", seen)
    job = case.guest.run("kill -9 $$", check=False)
    expect(job.status == -9, "status -9 for a command that was killed", job.status)
    job = case.guest.spawn("sleep 100 | sleep 100")
    job.signal(15)
    expect(job.wait(10).status == -15, "status -15 for a command that we ended", job.status)


def test_many_at_once(case):
    """forty commands at once, each with its own output; one too many is refused"""
    jobs = [case.guest.spawn(f"sleep 1; echo {number}") for number in range(40)]
    seen = [job.wait(60).output for job in jobs]
    expect(seen == [f"{number}\n" for number in range(40)], "each number once", seen)
    jobs = [case.guest.spawn("sleep 600") for _ in range(64)]
    refused = case.guest.spawn("sleep 600").wait(60)
    expect(refused.status == 126 and all(job.status is None for job in jobs),
           "64 commands to run and the next to end with status 126", [refused.status, *(job.status for job in jobs)])
    for job in jobs:
        job.signal(9)
    expect(all(job.wait(60).status == -9 for job in jobs), "all to end when they are killed",
           [job.status for job in jobs])


def test_left_behind(case):
    """a command ends when its shell does, even if something that it started has not"""
    job = case.guest.run("sleep 30 & echo started", timeout=10)
    expect(job.output == "started\n", "'started'", job.output)
    case.guest.run("pkill -x sleep")


def test_timeout(case):
    """a command that takes too long is reported with what it printed so far"""
    try:
        case.guest.run("echo so far; sleep 60", timeout=1)
    except guests.GuestError as error:
        expect("so far" in str(error), "the output in the error", error)
        expect("the device has seen up to" in str(error), "where everybody stands", error)
    else:
        expect(False, "an error", "none")
    still = case.guest.standstill()
    expect(not still, "a device that was only looked at, and goes on", still)
