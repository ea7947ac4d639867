/* SPDX-License-Identifier: MIT */
/*
 * Draws in every colour format that Vulkan can draw in and looks at each pixel's bits.
 *
 *   format_draw [--json FILE]
 *
 * The picture is 16 columns, one for each set of red, green, blue and alpha that are either nothing or
 * all (in formats of whole numbers: 0 or 100), which every format can hold exactly. Formats that the
 * driver does not draw in are counted; a driver that draws something else is an error.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bits.frag.h"
#include "example.h"
#include "ibits.frag.h"
#include "pattern.vert.h"
#include "ubits.frag.h"

#define WIDTH  16u
#define HEIGHT 4u
#define WHOLE  100u

/* How a channel holds what it is given. */
enum coding { UNORM, SNORM, UINT, SINT, SFLOAT, UFLOAT };

/* `layout` is the channels from the lowest bit up, each with its number of bits. */
static const struct format {
    VkFormat format;
    const char *name, *layout;
    enum coding coding;
} formats[] = {
#define F(name, layout, coding)                 \
    {                                           \
        VK_FORMAT_##name, #name, layout, coding \
    }
    F(R4G4_UNORM_PACK8, "g4r4", UNORM),
    F(R4G4B4A4_UNORM_PACK16, "a4b4g4r4", UNORM),
    F(B4G4R4A4_UNORM_PACK16, "a4r4g4b4", UNORM),
    F(R5G6B5_UNORM_PACK16, "b5g6r5", UNORM),
    F(B5G6R5_UNORM_PACK16, "r5g6b5", UNORM),
    F(R5G5B5A1_UNORM_PACK16, "a1b5g5r5", UNORM),
    F(B5G5R5A1_UNORM_PACK16, "a1r5g5b5", UNORM),
    F(A1R5G5B5_UNORM_PACK16, "b5g5r5a1", UNORM),
    F(R8_UNORM, "r8", UNORM),
    F(R8_SNORM, "r8", SNORM),
    F(R8_UINT, "r8", UINT),
    F(R8_SINT, "r8", SINT),
    F(R8_SRGB, "r8", UNORM),
    F(R8G8_UNORM, "r8g8", UNORM),
    F(R8G8_SNORM, "r8g8", SNORM),
    F(R8G8_UINT, "r8g8", UINT),
    F(R8G8_SINT, "r8g8", SINT),
    F(R8G8_SRGB, "r8g8", UNORM),
    F(R8G8B8_UNORM, "r8g8b8", UNORM),
    F(B8G8R8_UNORM, "b8g8r8", UNORM),
    F(R8G8B8A8_UNORM, "r8g8b8a8", UNORM),
    F(R8G8B8A8_SNORM, "r8g8b8a8", SNORM),
    F(R8G8B8A8_UINT, "r8g8b8a8", UINT),
    F(R8G8B8A8_SINT, "r8g8b8a8", SINT),
    F(R8G8B8A8_SRGB, "r8g8b8a8", UNORM),
    F(B8G8R8A8_UNORM, "b8g8r8a8", UNORM),
    F(B8G8R8A8_SNORM, "b8g8r8a8", SNORM),
    F(B8G8R8A8_UINT, "b8g8r8a8", UINT),
    F(B8G8R8A8_SINT, "b8g8r8a8", SINT),
    F(B8G8R8A8_SRGB, "b8g8r8a8", UNORM),
    F(A8B8G8R8_UNORM_PACK32, "r8g8b8a8", UNORM),
    F(A8B8G8R8_SNORM_PACK32, "r8g8b8a8", SNORM),
    F(A8B8G8R8_UINT_PACK32, "r8g8b8a8", UINT),
    F(A8B8G8R8_SINT_PACK32, "r8g8b8a8", SINT),
    F(A8B8G8R8_SRGB_PACK32, "r8g8b8a8", UNORM),
    F(A2R10G10B10_UNORM_PACK32, "b10g10r10a2", UNORM),
    F(A2B10G10R10_UNORM_PACK32, "r10g10b10a2", UNORM),
    F(R16_UNORM, "r16", UNORM),
    F(R16_SNORM, "r16", SNORM),
    F(R16_UINT, "r16", UINT),
    F(R16_SINT, "r16", SINT),
    F(R16_SFLOAT, "r16", SFLOAT),
    F(R16G16_UNORM, "r16g16", UNORM),
    F(R16G16_SNORM, "r16g16", SNORM),
    F(R16G16_UINT, "r16g16", UINT),
    F(R16G16_SINT, "r16g16", SINT),
    F(R16G16_SFLOAT, "r16g16", SFLOAT),
    F(R16G16B16_SFLOAT, "r16g16b16", SFLOAT),
    F(R16G16B16A16_UNORM, "r16g16b16a16", UNORM),
    F(R16G16B16A16_SNORM, "r16g16b16a16", SNORM),
    F(R16G16B16A16_UINT, "r16g16b16a16", UINT),
    F(R16G16B16A16_SINT, "r16g16b16a16", SINT),
    F(R16G16B16A16_SFLOAT, "r16g16b16a16", SFLOAT),
    F(R32_UINT, "r32", UINT),
    F(R32_SINT, "r32", SINT),
    F(R32_SFLOAT, "r32", SFLOAT),
    F(R32G32_UINT, "r32g32", UINT),
    F(R32G32_SINT, "r32g32", SINT),
    F(R32G32_SFLOAT, "r32g32", SFLOAT),
    F(R32G32B32_SFLOAT, "r32g32b32", SFLOAT),
    F(R32G32B32A32_UINT, "r32g32b32a32", UINT),
    F(R32G32B32A32_SINT, "r32g32b32a32", SINT),
    F(R32G32B32A32_SFLOAT, "r32g32b32a32", SFLOAT),
    F(B10G11R11_UFLOAT_PACK32, "r11g11b10", UFLOAT),
#undef F
};

static const struct shader {
    const uint32_t *code;
    size_t size;
} shaders[] = {
    [UNORM] = { bits_frag, sizeof bits_frag },  [SNORM] = { bits_frag, sizeof bits_frag },
    [UINT] = { ubits_frag, sizeof ubits_frag }, [SINT] = { ibits_frag, sizeof ibits_frag },
    [SFLOAT] = { bits_frag, sizeof bits_frag }, [UFLOAT] = { bits_frag, sizeof bits_frag },
};

/* What a channel of so many bits holds for all: the largest number, 100, or the float 1. */
static uint32_t all_of(enum coding coding, uint32_t bits)
{
    const uint32_t ones = (uint32_t)((UINT64_C(1) << bits) - 1);

    switch (coding) {
    case UNORM:
        return ones;
    case SNORM:
        return ones >> 1;
    case SFLOAT:
        return bits == 32 ? UINT32_C(0x3f800000) : 0x3c00;
    case UFLOAT: /* five bits of exponent, no sign: 15 stands for 2^0 */
        return UINT32_C(15) << (bits - 5);
    case UINT:
    case SINT:
    default:
        return WHOLE;
    }
}

/* The bytes of one pixel, whose column's bits say which channels it has; returns how many. */
static uint32_t encode(const struct format *format, uint32_t column, uint8_t bytes[16])
{
    uint32_t at = 0;

    memset(bytes, 0, 16);
    for (const char *next = format->layout; *next;) {
        const uint32_t channel = (uint32_t)(strchr("rgba", *next) - "rgba");
        const uint32_t bits = (uint32_t)strtoul(next + 1, (char **)&next, 10);
        const uint32_t value = column >> channel & 1 ? all_of(format->coding, bits) : 0;
        for (uint32_t i = 0; i < bits; i++, at++)
            bytes[at / 8] |= (uint8_t)((value >> i & 1) << at % 8);
    }
    return at / 8;
}

static bool drawable(const struct vk *vk, VkFormat format)
{
    const VkFormatFeatureFlags wanted =
        VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT | VK_FORMAT_FEATURE_TRANSFER_SRC_BIT;
    VkFormatProperties seen;

    vkGetPhysicalDeviceFormatProperties(vk->physical, format, &seen);
    return (seen.optimalTilingFeatures & wanted) == wanted;
}

static void draw(const struct vk *vk, VkPipelineLayout layout, const struct format *format,
                 const struct vk_buffer *pixels)
{
    const float nothing[4] = { 0 };
    const VkBufferImageCopy whole = vk_whole(WIDTH, HEIGHT);
    struct vk_image image =
        vk_image_create(vk, format->format, WIDTH, HEIGHT,
                        VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT);
    struct vk_pass pass = vk_pass_create(vk, format->format, image.view, VK_FORMAT_UNDEFINED,
                                         VK_NULL_HANDLE, WIDTH, HEIGHT);
    VkPipeline pipeline = vk_pipeline_create(vk, &(struct vk_pipeline_needs){
                                                     .layout = layout,
                                                     .format = format->format,
                                                     .width = WIDTH,
                                                     .height = HEIGHT,
                                                     .vertex = pattern_vert,
                                                     .vertex_size = sizeof pattern_vert,
                                                     .fragment = shaders[format->coding].code,
                                                     .fragment_size = shaders[format->coding].size,
                                                 });
    VkCommandBuffer commands = vk_begin(vk);

    vk_change_layout(commands, image.image, VK_IMAGE_LAYOUT_UNDEFINED,
                     VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
    vk_begin_rendering(commands, &pass, nothing);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdDraw(commands, 3, 1, 0, 0);
    vk_end_rendering(commands);
    vk_change_layout(commands, image.image, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                     VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    vkCmdCopyImageToBuffer(commands, image.image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                           pixels->buffer, 1, &whole);
    vk_show_to_cpu(commands);
    vk_end(vk, commands);
    vkDestroyPipeline(vk->device, pipeline, NULL);
    vk_pass_destroy(vk, &pass);
    vk_image_destroy(vk, &image);
}

static void check(const struct format *format, const uint8_t *pixels)
{
    uint8_t wanted[16];

    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
        uint32_t size = encode(format, i % WIDTH, wanted);
        for (uint32_t k = 0; k < size; k++) {
            if (pixels[i * size + k] != wanted[k])
                die("%s, column %u, row %u: byte %u of %u is %02x, not %02x", format->name,
                    i % WIDTH, i / WIDTH, k, size, pixels[i * size + k], wanted[k]);
        }
    }
}

int main(int argc, char **argv)
{
    const struct example example = example_options(argc, argv, 1);
    const size_t count = sizeof formats / sizeof *formats;
    VkPipelineLayout layout;
    const char *comma = "";
    size_t drawn = 0;
    struct vk vk;

    example_without_picture(&example);
    vk_create(&vk, 0, NULL);
    VK_CHECK(vkCreatePipelineLayout(
        vk.device,
        &(VkPipelineLayoutCreateInfo){ .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO },
        NULL, &layout));
    struct vk_buffer pixels = vk_readback_create(&vk, 16 * WIDTH * HEIGHT);
    for (size_t i = 0; i < count; i++) {
        if (!drawable(&vk, formats[i].format))
            continue;
        draw(&vk, layout, &formats[i], &pixels);
        check(&formats[i], pixels.data);
        drawn++;
    }
    example_begin_report(&example, &vk);
    printf(", \"drawn\": %zu, \"not_drawable\": [", drawn);
    for (size_t i = 0; i < count; i++) {
        if (!drawable(&vk, formats[i].format)) {
            printf("%s\"%s\"", comma, formats[i].name);
            comma = ", ";
        }
    }
    printf("]");
    example_end_report();
    vk_buffer_destroy(&vk, &pixels);
    vkDestroyPipelineLayout(vk.device, layout, NULL);
    vk_destroy(&vk);
    return 0;
}
