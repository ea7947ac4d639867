# SPDX-License-Identifier: MIT
"""guest/frame.c draws the same offscreen frame in the guest and on the host: not a bit may differ.

Both end up in the same host driver, so there is no tolerance to allow for.
"""

from venusvm.harness import VENUS, expect, host_tools, json_on_host, picture


def test_frame_is_the_hosts(case):
    """a cube drawn offscreen in the guest is the host's, bit by bit"""
    for step in (0, 7):
        ours, theirs = case.file(f"host-{step}.png"), f"/tmp/frame-{step}.png"
        host = json_on_host([host_tools() / "frame", "--step", step, "--out", ours])
        guest = case.guest.run_json(f"{VENUS} frame --step {step} --out {theirs}")
        seen = picture.read_png(case.fetch(theirs, f"guest-{step}.png"))
        wanted = picture.read_png(ours)
        expect(wanted.colours() > 1000, "a frame with more than 1000 colours on the host", wanted)
        expect(seen.rgb == wanted.rgb and guest["crc32"] == host["crc32"],
               f"the host's frame ({ours})", picture.Difference(seen, wanted))


def test_frame_again_and_again(case):
    """fifty frames in a row are all the same"""
    result = case.guest.run_json(f"{VENUS} frame --loop 50")
    case.note(f"a frame of 640x480, drawn and read back: {result['frame_ms']['median']:.1f} ms")
    expect(result["frame_ms"]["count"] == 50, "50 frames", result)
