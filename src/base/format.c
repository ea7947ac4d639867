/* SPDX-License-Identifier: MIT */
/*
 * The pixel formats of the specification (5.7.6.8), in one table. Adding one is one line.
 *
 * The specification names the bytes in the order in which they stand in memory; DRM names the bits
 * of a little-endian number from the highest down, so the letters are the other way round. Vulkan
 * names the bytes in memory, like the specification. There is no VkFormat with an unused byte: the X
 * formats have that of the A format, and whoever presents them must not blend.
 */
#include "base/protocol.h"
#include "venus-gpu.h"

#define FOURCC(a, b, c, d) \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* Shifts of the four channels in a pixel that is read as a little-endian number; -1: not there. */
#define MASK(shift) ((shift) < 0 ? 0u : 0xffu << ((shift) < 0 ? 0 : (shift)))
#define FORMAT(name_, fourcc_, vk_, r, g, b, a)                                                    \
    {                                                                                              \
        .name = #name_, .virtio = VIRTIO_GPU_FORMAT_##name_, .fourcc = (fourcc_), .vk = (vk_),     \
        .red = MASK(r), .green = MASK(g), .blue = MASK(b), .alpha = MASK(a), .bytes_per_pixel = 4, \
    }

enum {
    VK_FORMAT_R8G8B8A8_UNORM = 37,
    VK_FORMAT_B8G8R8A8_UNORM = 44,
    /* No VkFormat has alpha first as bytes in memory; packed 32-bit numbers have it last. */
    VK_FORMAT_UNDEFINED = 0,
};

static const struct venus_gpu_format formats[] = {
    FORMAT(B8G8R8A8_UNORM, FOURCC('A', 'R', '2', '4'), VK_FORMAT_B8G8R8A8_UNORM, 16, 8, 0, 24),
    FORMAT(B8G8R8X8_UNORM, FOURCC('X', 'R', '2', '4'), VK_FORMAT_B8G8R8A8_UNORM, 16, 8, 0, -1),
    FORMAT(A8R8G8B8_UNORM, FOURCC('B', 'A', '2', '4'), VK_FORMAT_UNDEFINED, 8, 16, 24, 0),
    FORMAT(X8R8G8B8_UNORM, FOURCC('B', 'X', '2', '4'), VK_FORMAT_UNDEFINED, 8, 16, 24, -1),
    FORMAT(R8G8B8A8_UNORM, FOURCC('A', 'B', '2', '4'), VK_FORMAT_R8G8B8A8_UNORM, 0, 8, 16, 24),
    FORMAT(X8B8G8R8_UNORM, FOURCC('R', 'X', '2', '4'), VK_FORMAT_UNDEFINED, 24, 16, 8, -1),
    FORMAT(A8B8G8R8_UNORM, FOURCC('R', 'A', '2', '4'), VK_FORMAT_UNDEFINED, 24, 16, 8, 0),
    FORMAT(R8G8B8X8_UNORM, FOURCC('X', 'B', '2', '4'), VK_FORMAT_R8G8B8A8_UNORM, 0, 8, 16, -1),
};

const struct venus_gpu_format *venus_gpu_format_lookup(uint32_t virtio_format)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (formats[i].virtio == virtio_format)
            return &formats[i];
    }
    return NULL;
}
