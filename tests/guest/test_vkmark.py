# SPDX-License-Identifier: MIT
"""Unmodified vkmark under weston runs its scenes to a score."""

import re

from venusvm.harness import expect


def test_vkmark_scores(case):
    """vkmark runs vertex, texture and cube scenes to a score"""
    case.need("vkmark")
    scenes = " ".join(f"-b {scene}:duration=2" for scene in ("vertex", "texture", "cube"))
    job = case.guest.run(f"wl vkmark --winsys wayland -s 400x300 {scenes}", timeout=240, check=False)
    text = job.output + job.errors
    scores = [int(n) for n in re.findall(r"FPS: *(\d+)", text)]
    final = re.search(r"vkmark Score: *(\d+)", text)
    expect(job.status == 0 and final, "vkmark to end with a score",
           f"status {job.status}: {text[-1500:]}")
    case.note(f"score {final[1]}; frames per second: {scores}")
    expect(len(scores) == 3 and min(scores) > 0, "frames in each of 3 scenes", text[-1500:])
