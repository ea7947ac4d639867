#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the first inputs of the targets made of records: what guests do, told as in records.h.

usage: fuzz/stories.py TARGET DIRECTORY

libFuzzer's own inputs come of these. Those that are checked in (fuzz/seeds) are the fewest that reach as much, as
"scripts/fuzz.py --shrink" finds them.
"""

import struct
import sys
from pathlib import Path

# The order of enum kind in commands.c and control.c.
KINDS = """
GET_DISPLAY_INFO RESOURCE_CREATE_2D RESOURCE_UNREF SET_SCANOUT RESOURCE_FLUSH TRANSFER_TO_HOST_2D RESOURCE_ATTACH_BACKING
RESOURCE_DETACH_BACKING GET_CAPSET_INFO GET_CAPSET GET_EDID RESOURCE_ASSIGN_UUID RESOURCE_CREATE_BLOB SET_SCANOUT_BLOB
CTX_CREATE CTX_DESTROY CTX_ATTACH_RESOURCE CTX_DETACH_RESOURCE OPENGL SUBMIT_3D RESOURCE_MAP_BLOB RESOURCE_UNMAP_BLOB
UPDATE_CURSOR MOVE_CURSOR BYTES ALTER SHORTEN ROOM PIECES OTHER_QUEUE
RESET HOLD ANSWER_FLUSH ANSWER_REGION ANSWER_TRANSLATION DROP_FRAME LOOK ADVANCE PREEMPT SET_OUTPUT READ_CONFIG
WRITE_CONFIG PRESENT READ_STATS GUEST_MEMORY WRITE_MEMORY FAIL_CALL FAIL_SYSTEM FENCES SIGNAL BUSY HANG BLOB_MEMORY CUT
LOG UDMABUF VULKAN FAIL_VULKAN RESIZE
""".split()
NUMBER = {name: number for number, name in enumerate(KINDS)}

FENCE, RING, RING_1, RING_2, AT_ONCE, AS_IT_IS = 1, 2, 4, 8, 16, 32
ON_RING = FENCE | RING | RING_1

# Bits of the header's a.
PRIVATE_RAM, NO_CALLBACKS, NO_REGIONS, TRANSLATES, TELLS_THREADS, REGIONS = 4, 7 << 3, 3 << 6, 256, 512, 1024
NO_WINDOW, POLLS, SYSTEM_FAILS, CALL_FAILS = 7 << 11, 1 << 16, 1 << 17, 1 << 18

# enum fake_memory, enum machine_hold, enum fake_call, enum fault
SHM, DMABUF, OPAQUE, PINNED, UNSEALABLE, SHORT, HOLE, SMALL = range(8)
HOLD_FLUSHES, HOLD_REGIONS, HOLD_FRAMES, HOLD_TRANSLATIONS, FAIL_REGIONS = 1, 2, 4, 8, 16
CALLS, FAULTS = 21, 5


def record(kind, id=0, other=0, flags=0, a=0, b=0, c=0):
    return struct.pack("<BBBBIII", NUMBER[kind], id, other, flags, a, b, c)


def header(a=1, b=0, c=0, id=0, other=0, flags=0):
    return struct.pack("<BBBBIII", 0, id, other, flags, a, b, c)


def rect(x, y, width, height):
    return x | y << 8 | width << 16 | height << 24


def pages(first, each=1, step=0):
    return first | (each - 1) << 8 | step << 12


def blob(id, kind=2, flags=1, size=2, entries=0, context=1, **more):
    return record("RESOURCE_CREATE_BLOB", id=id, other=context, a=kind | flags << 2 | size << 8 | entries << 16, **more)


CONTEXT = record("CTX_CREATE", other=1, a=5)
PICTURE = [record("RESOURCE_CREATE_2D", id=1, a=64 | 64 << 8, b=1),
           record("RESOURCE_ATTACH_BACKING", id=1, a=4, b=pages(0)),
           record("SET_SCANOUT", id=1, a=rect(0, 0, 64, 64)),
           record("TRANSFER_TO_HOST_2D", id=1, a=rect(0, 0, 64, 64)),
           record("RESOURCE_FLUSH", id=1, a=rect(0, 0, 64, 64))]
CURSOR = [record("RESOURCE_CREATE_2D", id=2, a=64 | 64 << 8, b=0),
          record("RESOURCE_ATTACH_BACKING", id=2, a=4, b=pages(8)),
          record("TRANSFER_TO_HOST_2D", id=2, a=rect(0, 0, 64, 64)),
          record("UPDATE_CURSOR", id=2, a=10, b=10, c=3), record("MOVE_CURSOR", a=20, b=20)]
GUEST_BLOB = [blob(3, kind=1, size=4, entries=4, b=pages(16)),
              record("SET_SCANOUT_BLOB", id=3, a=rect(0, 0, 64, 64), b=64 | 64 << 8),
              record("RESOURCE_FLUSH", id=3, a=rect(8, 8, 16, 16))]
HOST_BLOB = [CONTEXT, blob(4), record("RESOURCE_MAP_BLOB", id=4, a=3), record("LOOK"),
             record("RESOURCE_UNMAP_BLOB", id=4)]
HOST_FRAME = [CONTEXT, blob(5, size=4), record("RESOURCE_MAP_BLOB", id=5, a=8),
              record("SET_SCANOUT_BLOB", id=5, a=rect(0, 0, 64, 64), b=64 | 64 << 8),
              record("RESOURCE_FLUSH", id=5, a=rect(0, 0, 64, 64)), record("LOOK")]
SUBMIT = [CONTEXT, record("SUBMIT_3D", other=1, a=64), record("SUBMIT_3D", other=1, flags=ON_RING, a=64, c=7),
          record("SUBMIT_3D", other=1, flags=FENCE, a=64, c=8), record("ADVANCE", a=1)]
SHARE = [CONTEXT, *PICTURE, record("CTX_ATTACH_RESOURCE", id=1, other=1),
         record("WRITE_MEMORY", a=100, b=77, c=500), record("TRANSFER_TO_HOST_2D", id=1, a=rect(0, 0, 64, 64)),
         record("RESOURCE_FLUSH", id=1, a=rect(0, 0, 64, 64)), record("CTX_DETACH_RESOURCE", id=1, other=1),
         record("CTX_ATTACH_RESOURCE", id=1, other=1), record("RESOURCE_UNREF", id=1)]
QUESTIONS = [record("GET_DISPLAY_INFO"), record("GET_EDID"), record("GET_CAPSET_INFO"),
             record("GET_CAPSET", a=1 | 2 << 2), record("RESOURCE_CREATE_2D", id=6, a=1 | 1 << 8),
             record("RESOURCE_ASSIGN_UUID", id=6), record("RESOURCE_ASSIGN_UUID", id=6), record("READ_CONFIG", a=16),
             record("READ_STATS", a=127), record("OPENGL", b=16),
             record("SET_OUTPUT", flags=1, a=800 | 600 << 16), record("READ_CONFIG", a=16),
             record("WRITE_CONFIG", a=4, b=255, c=4), record("GET_DISPLAY_INFO"), record("GET_EDID")]


def fence_waits():
    return [record("FENCES", a=2), *SUBMIT, record("SUBMIT_3D", other=1, flags=ON_RING, a=4),
            record("SIGNAL", other=1, a=1), record("SIGNAL", flags=1, b=3), record("SIGNAL", other=1, a=1)]


def busy():
    yield [CONTEXT, record("BUSY", other=1), record("SUBMIT_3D", other=1, flags=AS_IT_IS, a=100000),
           record("SUBMIT_3D", other=1, flags=AS_IT_IS, a=100000), blob(4), record("SUBMIT_3D", other=1, a=4),
           record("RESOURCE_CREATE_2D", id=1, a=64 | 64 << 8), record("CTX_CREATE", other=2),
           record("SUBMIT_3D", other=2, a=8), record("ADVANCE", flags=1, a=400), record("BUSY"),
           record("ADVANCE", flags=1, a=200)]
    yield [CONTEXT, record("BUSY", other=1), blob(4), blob(5), *[record("SUBMIT_3D", other=1, a=4)] * 40,
           record("ADVANCE", flags=1, a=16000), record("SUBMIT_3D", other=1, a=4), record("CTX_DESTROY", other=1)]
    yield [CONTEXT, record("FENCES", a=2), *[record("SUBMIT_3D", other=1, flags=ON_RING, a=4)] * 200,
           *[record("ADVANCE", flags=1, a=16000)] * 3]
    yield [CONTEXT, record("FENCES", a=2), *[record("SUBMIT_3D", other=1, flags=ON_RING | AT_ONCE, a=4)] * 100, record("RESET")]


def stories():
    """What a machine goes through, as lists of records behind a header."""
    alone = {"picture": PICTURE, "cursor": CURSOR, "guest-blob": GUEST_BLOB, "host-blob": HOST_BLOB,
             "host-frame": HOST_FRAME, "submit": SUBMIT, "share": SHARE, "questions": QUESTIONS, "fences": fence_waits()}
    machines = {"usual": header(), "private": header(1 | PRIVATE_RAM), "regions": header(1 | REGIONS),
                "silent": header(1 | NO_CALLBACKS), "no-regions": header(1 | NO_REGIONS),
                "translates": header(1 | TRANSLATES | TELLS_THREADS), "no-window": header(1 | NO_WINDOW),
                "polls": header(1 | POLLS), "poor": header(1, b=1 | 1 << 2 | 1 << 5 | 200 << 16 | 1 << 6, c=100),
                "least": header(1, b=2 | 2 << 2 | 1 << 7, c=100 << 16)}
    for machine, first in machines.items():
        for name, records in alone.items():
            yield f"{machine}-{name}", [first, *records, record("RESET")]
    for number, records in enumerate(busy()):
        yield f"busy-{number}", [machines["usual"], *records]
    everything = [*PICTURE, *CURSOR, *GUEST_BLOB, *HOST_FRAME, *SUBMIT, record("CTX_ATTACH_RESOURCE", id=1, other=1)]
    yield "everything", [machines["usual"], *everything, record("RESET"), *everything]
    for memory in range(8):
        for machine in ("usual", "regions"):
            yield f"memory-{memory}-{machine}", [machines[machine], record("BLOB_MEMORY", a=memory, b=memory), *HOST_BLOB,
                                                 record("RESOURCE_UNREF", id=4), *HOST_FRAME[1:],
                                                 record("CUT", id=5), record("LOOK"), record("CTX_DESTROY", other=1), CONTEXT]
    for hold in range(32):
        for machine in ("regions", "translates"):
            yield f"hold-{hold}-{machine}", [machines[machine], record("HOLD", a=hold), *PICTURE, *HOST_FRAME, *GUEST_BLOB,
                                             record("ANSWER_TRANSLATION", b=1), record("ANSWER_REGION"),
                                             record("ANSWER_FLUSH"), record("DROP_FRAME"),
                                             record("RESOURCE_UNREF", id=5), record("RESET")]
    for call in range(CALLS):
        for after in range(2):
            yield f"call-{call}-{after}", [machines["usual"], record("FAIL_CALL", id=call, a=4, b=after, c=1), *everything,
                                           record("RESOURCE_UNREF", id=5), CONTEXT, record("CTX_CREATE", other=2)]
    for fault in range(FAULTS):
        for after in range(8):
            yield f"fault-{fault}-{after}", [machines["usual"], record("FAIL_SYSTEM", id=fault, a=after, b=0), *HOST_FRAME]
            yield f"fault-start-{fault}-{after}", [header(1 | SYSTEM_FAILS | TELLS_THREADS, id=fault, other=after), *PICTURE]
    for call in range(CALLS):
        yield f"start-{call}", [header(1 | CALL_FAILS, flags=call), *SUBMIT]
    for hang in range(6):
        yield f"hang-{hang}", [machines["usual"], CONTEXT, record("HANG", a=hang), blob(4, flags=3),
                               record("RESOURCE_MAP_BLOB", id=4), record("SUBMIT_3D", other=1, a=4),
                               record("CTX_CREATE", other=2), record("ADVANCE", flags=1, a=16000),
                               record("ADVANCE", flags=1, a=16000), record("CTX_DESTROY", other=1), CONTEXT]
        yield f"hang-reset-{hang}", [machines["usual"], CONTEXT, record("HANG", a=hang), blob(4),
                                     record("RESOURCE_MAP_BLOB", id=4), record("SUBMIT_3D", other=1, a=4),
                                     record("CTX_CREATE", other=2), record("CTX_DESTROY", other=1), record("RESET"), CONTEXT]
    for kind in range(5):
        for more in (0, 1, 2, 4):
            present = record("PRESENT", a=kind, flags=more, b=0 if more else 64 | 48 << 8)
            yield f"present-{kind}-{more}", [machines["usual"], present, *PICTURE, *CURSOR, *HOST_FRAME, *GUEST_BLOB,
                                             record("ADVANCE", flags=1, a=100), record("MOVE_CURSOR", a=40, b=40),
                                             record("PRESENT", flags=8), *PICTURE[2:], present, record("RESET")]
    presented = [record("PRESENT", flags=1), record("PRESENT", id=1, a=1, flags=1, b=100 | 80 << 8), *PICTURE, *CURSOR,
                 *HOST_FRAME, *GUEST_BLOB, record("RESIZE", a=90, b=70), *PICTURE[3:], record("ADVANCE", flags=1, a=100)]
    for bit in range(32):
        yield f"vulkan-{bit}", [machines["usual"], record("VULKAN", a=1 << bit, b=1 << bit), record("BLOB_MEMORY", a=bit),
                                *presented]
    for after in range(0, 128, 3):
        yield f"vulkan-fails-{after}", [machines["usual"], record("FAIL_VULKAN", a=after, b=after), *presented, record("RESET"),
                                        *presented]
    for after in range(8):
        for memory in range(3):
            yield f"vulkan-late-{after}-{memory}", [machines["usual"], record("BLOB_MEMORY", a=memory), *presented,
                                                    record("FAIL_VULKAN", a=after % 4, b=after), *presented]
    for size in (0, 1, 23, 24, 31, 33):
        yield f"short-{size}", [machines["usual"], record("SHORTEN", a=size), CONTEXT, record("ROOM", a=size), QUESTIONS[0],
                                record("PIECES", a=7, b=5), QUESTIONS[1], record("PIECES", a=1, b=1), PICTURE[0],
                                record("PIECES", a=17, b=3), PICTURE[1], record("OTHER_QUEUE"), PICTURE[2],
                                record("ALTER", a=6, b=size), PICTURE[3]]
    yield "threads", [header(1 | TELLS_THREADS), *SUBMIT, record("LOG", a=1), record("LOG")]
    for after in range(12):
        yield f"preempt-{after}", [machines["usual"], record("PREEMPT", a=after), *SUBMIT, record("RESET")]


def virgl_stories():
    """What guests do over the real renderer: programs, with a number changed in each of their streams, and commands."""
    for program in range(8):
        yield f"program-{program}", [header(1, program)]
    for stream in range(20):
        for word in range(4, 40, 3):
            yield f"changed-{stream}-{word}", [header(1, stream & 3), struct.pack("<BBBBIII", word % 6, stream, 0, 0, word, stream * 7, 0)]
    commands = NUMBER["RESET"]  # what is not the guest's is not here
    for name, parts in stories():
        guests = [part for part in parts[1:] if part[0] < commands]
        if name.startswith(("usual-", "short-", "busy-")) and len(guests) < 50:
            yield name, [header(0), *guests]


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("control", "virgl"):
        sys.exit(__doc__.strip())
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in virgl_stories() if sys.argv[1] == "virgl" else stories():
        (folder / name).write_bytes(b"".join(parts))


if __name__ == "__main__":
    main()
