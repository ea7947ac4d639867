# SPDX-License-Identifier: MIT
"""What a guest shows, and what it should: its screen as a picture, and the programs of guest/ that leave
their last picture there until they are told to end (--hold)."""

import json
import tempfile
from pathlib import Path

from venusvm import picture
from venusvm.expect import Failed, wait_for
from venusvm.guest import made_by

VENUS = "VK_DRIVER_FILES=/usr/share/vulkan/icd.d/virtio_icd.json"
KERNEL_SHOWS = "XRGB8888"  # what Linux' driver is known to show, whatever else it takes
HELD = ("contexts", "blobs", "mapped", "resources", "address-ranges")


def standin():
    """The library that stands in for /dev/udmabuf when QEMU preloads it: see tests/standin."""
    return made_by("build-lib.sh", "--build-dir") / "tests" / "standin" / "libstandin-udmabuf.so"


def dump(guest, output=0):
    """What an output of the guest shows.

    Its width should be a multiple of 4: QEMU pads rows, which the PPM format does not know.
    """
    with tempfile.TemporaryDirectory(prefix="venus-dump-") as folder:
        return picture.read_ppm(guest.screendump(Path(folder, "screen.ppm"), form="ppm", output=output))


def fetch(guest, path, target):
    """Copies a file out of the guest."""
    target.write_bytes(guest.run(f"cat {path}").stdout)
    return target


def same(seen, wanted, what):
    """Two pictures that may differ in nothing."""
    if (seen.width, seen.height) != (wanted.width, wanted.height):
        raise Failed(f"expected {what}: {wanted}\n    seen {seen}")
    if seen.rgb != wanted.rgb:
        raise Failed(f"expected {what}, exactly\n    seen {picture.Difference(seen, wanted)}")


def pattern(width, height, frame):
    """What guest/shaders/pattern.frag draws."""
    rows = []
    for y in range(height):
        row = bytearray(3 * width)
        row[0::3] = bytes((x + 3 * frame) & 255 for x in range(width))
        row[1::3] = bytes([(y + 5 * frame) & 255]) * width
        row[2::3] = bytes(((x ^ y) + 7 * frame) & 255 for x in range(width))
        rows.append(bytes(row))
    return picture.Picture(width, height, b"".join(rows))


def wait_until_held(guest, job, timeout=120):
    """What a program prints once its last picture is up; None if it ended before that."""
    def question():
        guest.check_alive()
        return job.status is not None or job.output.endswith("}\n"), job.output + job.errors

    wait_for(question, "the last frame", timeout)
    return json.loads(job.output.splitlines()[-1]) if job.status is None else None


def wait_until_given_back(guest, before, timeout=10):
    """Waits until a program that has ended holds nothing of the device any more."""
    def question():
        seen = {name: (before[name], guest.stat(name)) for name in HELD}
        return all(old == new for old, new in seen.values()), seen

    wait_for(question, "as many contexts, blobs and mappings as before", timeout)


class Shown:
    """A program that leaves its last picture on the screen, for a with statement; then it ends."""

    def __init__(self, guest, command, timeout=120):
        self.guest, self.name = guest, command.split()[0]
        self.png = f"/tmp/{self.name}.png"
        self.before = guest.stats()
        self.job = guest.spawn(f"{VENUS} exec {command} --png {self.png} --hold")
        self.result = wait_until_held(guest, self.job, timeout)

    def __enter__(self):
        if not self.result:
            raise Failed(f"expected {self.name} to stay\n    seen status {self.job.status}: "
                         f"{(self.job.output + self.job.errors)[-1500:]}")
        return self

    def picture(self, target):
        """What the program says that it shows; kept in a file."""
        return picture.read_png(fetch(self.guest, self.png, target))

    def __exit__(self, *_):
        if self.job.status is None:
            self.job.signal(15)
            self.job.wait(20)
            wait_until_given_back(self.guest, self.before)


def row_of_another(screen, window, begin, covered):
    """The first row of the screen that shows something else than a window that begins at a row, which may be above
    it; None if there is none.

    A compositor's panel may hide what is in the screen's first tenth, and another window what is covered: which
    bytes of a row, by its number.
    """
    for y in range(max(begin, screen.height // 10), min(screen.height, begin + window.height)):
        seen, wanted = screen.row(y), window.row(y - begin)
        if y in covered:
            first, end = covered[y]
            seen, wanted = seen[:first] + seen[end:], wanted[:first] + wanted[end:]
        if seen != wanted:
            return y
    return None


def both_shown(screen, large, small):
    """True if both windows of guest/compositor are on the screen, the small one in front; or what is wrong.

    Where they are is for the compositor to say. The small one is there as a whole. The large one is to be as wide
    as the screen and as high as is left of it; if it asks before the compositor has its panel it is higher, and
    reaches beyond the screen or beneath the panel.
    """
    front, most_hidden = screen.find(small), screen.height // 5
    if not front:
        return "the small window nowhere, as a whole"
    if large.width != screen.width or large.height < screen.height - most_hidden:
        return f"a large window of only {large.width}x{large.height}"
    bytes_of_small = (3 * front[0], 3 * (front[0] + small.width))
    covered = {y: bytes_of_small for y in range(front[1], front[1] + small.height)}
    furthest = 0
    for begin in sorted(range(-most_hidden, most_hidden + 1), key=abs):
        row = row_of_another(screen, large, begin, covered)
        if row is None:
            return True
        furthest = max(furthest, row)
    return f"the large window nowhere: row {furthest} is another picture's, wherever it begins"
