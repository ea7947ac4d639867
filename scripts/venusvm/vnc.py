# SPDX-License-Identifier: MIT
"""As much of a VNC client as it takes to see the screen once (RFC 6143)."""

import socket
import struct

from venusvm import picture


def look(path):
    """The picture that a VNC server on a unix socket shows."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(path))
        stream = sock.makefile("rwb", buffering=0)

        def read(size):
            data = b""
            while len(data) < size:
                piece = stream.read(size - len(data))
                if not piece:
                    raise EOFError("the VNC server closed the connection")
                data += piece
            return data

        read(12)
        stream.write(b"RFB 003.008\n")
        read(read(1)[0])
        stream.write(b"\x01")  # no authentication
        read(4)
        stream.write(b"\x01")  # shared
        width, height = struct.unpack(">HH", read(4))
        read(16)
        read(struct.unpack(">I", read(4))[0])
        stream.write(struct.pack(">BxxxBBBBHHHBBBxxx", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        stream.write(struct.pack(">BxHi", 2, 1, 0))  # raw pixels only
        stream.write(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))

        screen, missing = bytearray(4 * width * height), width * height
        while missing > 0:
            kind = read(1)[0]
            if kind == 2:  # bell
                continue
            if kind == 3:  # cut text
                read(3)
                read(struct.unpack(">I", read(4))[0])
                continue
            for _ in range(struct.unpack(">xH", read(3))[0]):
                x, y, w, h, _ = struct.unpack(">HHHHi", read(12))
                data = read(4 * w * h)
                for row in range(h):
                    at = 4 * ((y + row) * width + x)
                    screen[at:at + 4 * w] = data[4 * w * row:4 * w * (row + 1)]
                missing -= w * h
        rgb = bytearray(3 * width * height)
        rgb[0::3], rgb[1::3], rgb[2::3] = screen[2::4], screen[1::4], screen[0::4]
        return picture.Picture(width, height, rgb)
