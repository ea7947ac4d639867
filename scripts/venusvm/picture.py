# SPDX-License-Identifier: MIT
"""Pictures, with the standard library only: read QEMU's and X's dumps, compare, save as PNG.

A picture is its width, its height and rows of R, G, B bytes.
"""

import struct
import zlib
from pathlib import Path


class Picture:
    def __init__(self, width, height, rgb):
        if len(rgb) != 3 * width * height:
            raise ValueError(f"{len(rgb)} bytes are not {width}x{height} pixels")
        self.width, self.height, self.rgb = width, height, bytes(rgb)

    def __str__(self):
        return f"{self.width}x{self.height}, {self.colours()} colours"

    def row(self, y):
        return self.rgb[3 * self.width * y:3 * self.width * (y + 1)]

    def pixel(self, x, y):
        at = 3 * (self.width * y + x)
        return tuple(self.rgb[at:at + 3])

    def crop(self, x, y, width, height):
        if x < 0 or y < 0 or x + width > self.width or y + height > self.height:
            raise ValueError(f"{width}x{height} at {x},{y} is not inside {self}")
        rows = (self.row(line)[3 * x:3 * (x + width)] for line in range(y, y + height))
        return Picture(width, height, b"".join(rows))

    def pixels(self):
        """All pixels, as a list of 24-bit numbers."""
        return [r << 16 | g << 8 | b for r, g, b in
                zip(self.rgb[0::3], self.rgb[1::3], self.rgb[2::3])]

    def colours(self):
        """How many different colours there are."""
        return len(set(self.pixels()))

    def share(self, colour):
        """Which part of the picture has exactly this colour."""
        wanted = colour[0] << 16 | colour[1] << 8 | colour[2]
        return self.pixels().count(wanted) / (self.width * self.height)

    def find_row(self, colour, width):
        """Where a row of so many pixels of one colour is first: (x, y), or None."""
        wanted = bytes(colour) * width
        for y in range(self.height):
            row = self.row(y)
            at = row.find(wanted)
            while at >= 0 and at % 3:
                at = row.find(wanted, at + 1)
            if at >= 0:
                return at // 3, y
        return None

    def find(self, other):
        """Where another picture is inside this one, whole: (x, y), or None."""
        # By the row that there is most in: those of one colour are found in many places.
        key = max(range(other.height), key=lambda y: len(zlib.compress(other.row(y), 1)))
        for y in range(self.height - other.height + 1):
            row = self.row(y + key)
            at = row.find(other.row(key))
            while at >= 0:
                if at % 3 == 0 and self.shows(other, at // 3, y):
                    return at // 3, y
                at = row.find(other.row(key), at + 1)
        return None

    def shows(self, other, x, y):
        """Whether another picture is at that place."""
        return all(self.row(y + line)[3 * x:3 * (x + other.width)] == other.row(line) for line in range(other.height))

    def write_png(self, path, smallest=False):
        """smallest: takes longer, with every filter that looks at one neighbour."""
        def chunk(kind, data):
            return (struct.pack(">I", len(data)) + kind + data +
                    struct.pack(">I", zlib.crc32(kind + data)))

        rows = [zlib.compress(b"".join(self.filtered(kind)), 9 if smallest else 6)
                for kind in (range(3) if smallest else (0,))]
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
                         chunk(b"IDAT", min(rows, key=len)) + chunk(b"IEND", b""))

    def filtered(self, kind):
        """The rows as PNG has them: as they are (0), or less what is left (1) or above (2) of each byte."""
        above = bytes(3 * self.width)
        for y in range(self.height):
            row, near = self.row(y), above
            if kind == 1:
                near = bytes(3) + row[:-3]
            above = row
            yield bytes([kind]) + (bytes((byte - other) & 255 for byte, other in zip(row, near)) if kind else row)


def read_ppm(path):
    """A binary PPM, as QEMU's screendump and many others write it."""
    data = Path(path).read_bytes()
    fields = data.split(maxsplit=4)
    if len(fields) < 4 or fields[0] != b"P6" or fields[3] != b"255":
        raise ValueError(f"{path} is no PPM with 8 bits per channel")
    width, height = int(fields[1]), int(fields[2])
    return Picture(width, height, data[len(data) - 3 * width * height:])


def read_xwd(data):
    """An X window dump of a true-colour screen with 32 bits a pixel, such as Xvfb keeps in a file."""
    fields = struct.unpack(">25I", data[:100])
    size, version, form = fields[0], fields[1], fields[2]
    width, height, order, bits, stride = fields[4], fields[5], fields[7], fields[11], fields[12]
    if version != 7 or form != 2 or bits != 32 or order != 0:
        raise ValueError("this window dump has another layout than 32 bits a pixel, little-endian")
    start = size + 12 * fields[19]  # after the header come the colour map's entries
    rows = []
    for y in range(height):
        row = data[start + y * stride:start + y * stride + 4 * width]
        rgb = bytearray(3 * width)
        rgb[0::3], rgb[1::3], rgb[2::3] = row[2::4], row[1::4], row[0::4]
        rows.append(bytes(rgb))
    return Picture(width, height, b"".join(rows))


def unfilter(kind, row, above, pixel):
    """Undoes a PNG filter of a row of bytes, given the row above it and the bytes of a pixel."""
    row = bytearray(row)
    for i, byte in enumerate(row):
        left = row[i - pixel] if i >= pixel else 0
        up, corner = above[i], above[i - pixel] if i >= pixel else 0
        if kind == 1:
            byte += left
        elif kind == 2:
            byte += up
        elif kind == 3:
            byte += (left + up) // 2
        elif kind == 4:
            guess = left + up - corner
            byte += min((left, up, corner), key=lambda near: abs(guess - near))
        row[i] = byte & 255
    return bytes(row)


def read_png(path):
    """A PNG with 8-bit R, G, B, or these and alpha, which is dropped; not interlaced."""
    data = Path(path).read_bytes()
    at, packed, width, height, pixel = 8, b"", 0, 0, 3
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colours = struct.unpack(">IIBB", body[:10])
            if depth != 8 or colours not in (2, 6) or body[12]:
                raise ValueError(f"{path} is not of 8-bit R, G, B")
            pixel = 3 if colours == 2 else 4
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    data, step = zlib.decompress(packed), 1 + pixel * width
    rows, above = [], bytes(pixel * width)
    for y in range(height):
        row = data[y * step + 1:(y + 1) * step]
        if data[y * step]:
            row = unfilter(data[y * step], row, above, pixel)
        above = row
        if pixel == 4:
            rgb = bytearray(3 * width)
            rgb[0::3], rgb[1::3], rgb[2::3] = row[0::4], row[1::4], row[2::4]
            row = bytes(rgb)
        rows.append(row)
    return Picture(width, height, b"".join(rows))


class Difference:
    """How far two pictures of one size are apart, channel by channel in steps of 1/255."""

    def __init__(self, one, other, near=8):
        if (one.width, one.height) != (other.width, other.height):
            raise ValueError(f"pictures of different sizes: {one} and {other}")
        apart = [abs(a - b) for a, b in zip(one.rgb, other.rgb)]
        worst = [max(three) for three in zip(apart[0::3], apart[1::3], apart[2::3])]
        self.mean = sum(apart) / len(apart)
        self.most = max(apart)
        self.near = near
        self.share_near = sum(distance <= near for distance in worst) / len(worst)
        self.share_same = worst.count(0) / len(worst)

    def __str__(self):
        return (f"mean difference {self.mean:.3f}/255, largest {self.most}, "
                f"{100 * self.share_near:.2f} % of pixels within {self.near}, "
                f"{100 * self.share_same:.2f} % the same")
