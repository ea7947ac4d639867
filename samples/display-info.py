#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A front end without C: a device by ctypes, described two outputs, and a guest that asks for them.

usage: display-info.py [LIBRARY]    the path of libvenusgpu.so.0, if the linker does not find it

Structures are those of venus-gpu.h, up to the member that is needed here: `size` says how far they go in
0.1.0, whose layout later releases take as it is.
"""

import ctypes
import struct
import sys
import threading
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char_p, c_int, c_size_t, c_uint, c_uint32,
                    c_uint64, c_void_p, sizeof)

GET_DISPLAY_INFO, OK_DISPLAY_INFO = 0x0100, 0x1101  # VIRTIO 1.3, 5.7.6.7
HEADER = struct.Struct("<IIQIB3x")                  # struct virtio_gpu_ctrl_hdr
OUTPUT = struct.Struct("<IIIIII")                   # rectangle, enabled, flags
MAX_SCANOUTS = 16

MapGuest = CFUNCTYPE(c_void_p, c_void_p, c_uint64, POINTER(c_uint64))
UnmapGuest = CFUNCTYPE(None, c_void_p, c_void_p, c_uint64)
CommandDone = CFUNCTYPE(None, c_void_p, c_void_p, c_uint32)


class Ops(Structure):
    _fields_ = [("size", c_size_t), ("map_guest", MapGuest), ("unmap_guest", UnmapGuest),
                ("command_done", CommandDone),
                # scanout_changed to window_refreshed: NULL, which all of them may be
                ("others", c_void_p * 14)]


class Config(Structure):
    _fields_ = [("size", c_size_t), ("num_outputs", c_uint), ("window_size", c_uint64),
                ("window_mode", c_int), ("max_contexts", c_uint32), ("max_resources", c_uint32),
                ("max_memory", c_uint64), ("max_blob_memory", c_uint64), ("max_context_memory", c_uint64),
                ("max_call_ms", c_uint32), ("render_server", c_char_p), ("render_server_fd", c_int),
                ("present_mode", c_int), ("vulkan_device", c_char_p)]


class Output(Structure):
    _fields_ = [("enabled", c_bool), ("x", c_uint32), ("y", c_uint32), ("width", c_uint32),
                ("height", c_uint32), ("width_mm", c_uint32), ("height_mm", c_uint32),
                ("refresh_mhz", c_uint32), ("name", c_char_p), ("fixed", c_bool)]


class Iovec(Structure):
    _fields_ = [("base", c_void_p), ("len", c_size_t)]


class Request(Structure):
    _fields_ = [("out", POINTER(Iovec)), ("num_out", c_uint), ("in_", POINTER(Iovec)), ("num_in", c_uint),
                ("tag", c_void_p)]


def load(path):
    library = ctypes.CDLL(path)
    library.venus_gpu_create.restype = c_void_p
    library.venus_gpu_create.argtypes = [POINTER(Config), POINTER(Ops), c_void_p, POINTER(c_char_p)]
    library.venus_gpu_set_output.argtypes = [c_void_p, c_uint, POINTER(Output)]
    library.venus_gpu_submit.argtypes = [c_void_p, c_int, POINTER(Request)]
    library.venus_gpu_renderer_name.restype = c_char_p
    library.venus_gpu_renderer_name.argtypes = [c_void_p]
    library.venus_gpu_version.restype = c_char_p
    library.venus_gpu_reset.argtypes = library.venus_gpu_destroy.argtypes = [c_void_p]
    return library


def main():
    library = load(sys.argv[1] if len(sys.argv) > 1 else "libvenusgpu.so.0")
    done = threading.Event()
    # The callbacks live as long as the device does. This guest has no memory, and command_done() hands on.
    ops = Ops(size=sizeof(Ops), map_guest=MapGuest(lambda opaque, addr, length: None),
              unmap_guest=UnmapGuest(lambda opaque, pointer, length: None),
              command_done=CommandDone(lambda opaque, tag, written: done.set()))
    config = Config(size=sizeof(Config), num_outputs=2, render_server_fd=-1)
    error = c_char_p()
    gpu = library.venus_gpu_create(byref(config), byref(ops), None, byref(error))
    if not gpu:
        sys.exit(f"display-info.py: {(error.value or b'no device').decode()}")
    print(f"libvenusgpu {library.venus_gpu_version().decode()}, "
          f"{library.venus_gpu_renderer_name(gpu).decode()}")
    for index, (x, width, height) in enumerate(((0, 1920, 1080), (1920, 1280, 1024))):
        library.venus_gpu_set_output(gpu, index, byref(Output(enabled=True, x=x, width=width, height=height)))

    command = ctypes.create_string_buffer(HEADER.pack(GET_DISPLAY_INFO, 0, 0, 0, 0), HEADER.size)
    answer = ctypes.create_string_buffer(HEADER.size + MAX_SCANOUTS * OUTPUT.size)
    out, in_ = (Iovec(ctypes.addressof(buffer), len(buffer)) for buffer in (command, answer))
    failed = library.venus_gpu_submit(gpu, 0, byref(Request(ctypes.pointer(out), 1, ctypes.pointer(in_), 1)))
    failed = failed or not done.wait(10) or HEADER.unpack_from(answer)[0] != OK_DISPLAY_INFO
    if not failed:
        for index in range(MAX_SCANOUTS):
            x, y, width, height, enabled, _ = OUTPUT.unpack_from(answer, HEADER.size + index * OUTPUT.size)
            if enabled:
                print(f"output {index}: {width} x {height} at {x}, {y}")
    library.venus_gpu_reset(gpu)
    library.venus_gpu_destroy(gpu)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
