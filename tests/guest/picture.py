# SPDX-License-Identifier: MIT
"""Pictures: reading them from where the tests find them, and comparing two."""

import struct
import zlib
from pathlib import Path


class Picture:
    """Rows of red, green and blue bytes."""

    def __init__(self, width, height, rgb):
        self.width, self.height, self.rgb = width, height, bytes(rgb)

    def crop(self, x, y, width, height):
        rows = (self.rgb[3 * ((y + i) * self.width + x):][:3 * width] for i in range(height))
        return Picture(width, height, b"".join(rows))

    def colours(self):
        """How many different colours it has."""
        return len({self.rgb[i:i + 3] for i in range(0, len(self.rgb), 3)})

    def save(self, path):
        """Writes a PNG."""
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        row = 3 * self.width
        rows = b"".join(b"\0" + self.rgb[i:i + row] for i in range(0, len(self.rgb), row))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                               + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def bgrx(width, height, stride, data):
    """From rows of little-endian x8r8g8b8 words."""
    rgb = bytearray(3 * width * height)
    for y in range(height):
        row = data[y * stride:y * stride + 4 * width]
        for channel in range(3):
            rgb[3 * width * y + channel:3 * width * (y + 1):3] = row[2 - channel::4]
    return Picture(width, height, rgb)


def read_ppm(path):
    """A binary PPM of 8 bits a channel, as QEMU's screendump writes them."""
    data = Path(path).read_bytes()
    kind, width, height, most = data.split(maxsplit=4)[:4]
    if kind != b"P6" or most != b"255":
        raise ValueError(f"{path} is no PPM of 8 bits a channel")
    width, height = int(width), int(height)
    return Picture(width, height, data[-3 * width * height:])


def read_png(path):
    """A PNG of 8 bits a channel with red, green and blue, and perhaps alpha, which is dropped."""
    data, at, packed = Path(path).read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, bits, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    if bits != 8 or colour not in (2, 6) or interlace:
        raise ValueError(f"{path} is a kind of PNG that is not known here")
    size = 3 if colour == 2 else 4
    raw, row, above, rgb = zlib.decompress(packed), size * width, bytearray(size * width), bytearray()
    for y in range(height):
        line = raw[y * (row + 1):(y + 1) * (row + 1)]
        above = unfilter(line[0], bytearray(line[1:]), above, size)
        if size == 4:
            pixels = bytearray(3 * width)
            for channel in range(3):
                pixels[channel::3] = above[channel::4]
            rgb += pixels
        else:
            rgb += above
    return Picture(width, height, rgb)


def unfilter(kind, line, above, size):
    """Undoes the filter of one row of a PNG (its specification, section 9)."""
    for i, value in enumerate(line):
        left = line[i - size] if i >= size else 0
        up = above[i]
        corner = above[i - size] if i >= size else 0
        if kind == 0:
            break
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        else:
            guess = min((left, up, corner), key=lambda c, p=left + up - corner: abs(p - c))
        line[i] = (value + guess) & 255
    return line


def read_xwd(path):
    """Xvfb's frame buffer file: an XWD of 24 bits in little-endian 32."""
    data = Path(path).read_bytes()
    header = struct.unpack_from(">25I", data)
    size, width, height, stride, colours = header[0], header[4], header[5], header[12], header[19]
    return bgrx(width, height, stride, data[size + 12 * colours:])


def difference(a, b):
    """How far two pictures are apart: (mean over all channels, share of channels off by more than 8)."""
    if (a.width, a.height) != (b.width, b.height):
        raise ValueError(f"{a.width}x{a.height} and {b.width}x{b.height} pixels")
    if a.rgb == b.rgb:
        return 0.0, 0.0
    off = [abs(p - q) for p, q in zip(a.rgb, b.rgb)]
    return sum(off) / len(off), sum(value > 8 for value in off) / len(off)
