/* SPDX-License-Identifier: MIT */
/* Tests of the pixel formats: every one of the specification, and what is said of it. */
#include "harness.h"

/* The name of a format spells its bytes in memory; the masks must say the same. */
static void check_masks(const struct venus_gpu_format *format)
{
    for (unsigned byte = 0; byte < 4; byte++) {
        uint32_t mask = UINT32_C(0xff) << (8 * byte);
        char channel = format->name[2 * byte];
        assert_int_equal(format->name[2 * byte + 1], '8');
        assert_int_equal(format->red == mask, channel == 'R');
        assert_int_equal(format->green == mask, channel == 'G');
        assert_int_equal(format->blue == mask, channel == 'B');
        assert_int_equal(format->alpha == mask, channel == 'A');
    }
}

/* A fourcc spells the bits of a little-endian number, the highest first: the other way round. */
static void check_fourcc(const struct venus_gpu_format *format)
{
    static const struct {
        const char *letters;
        const char *order; /* in memory */
    } fourccs[] = {
        { "AR24", "BGRA" }, { "XR24", "BGRX" }, { "BA24", "ARGB" }, { "BX24", "XRGB" },
        { "AB24", "RGBA" }, { "RX24", "XBGR" }, { "RA24", "ABGR" }, { "XB24", "RGBX" },
    };
    for (unsigned i = 0; i < COUNT(fourccs); i++) {
        const char *l = fourccs[i].letters;
        if (format->fourcc !=
            ((uint32_t)l[0] | (uint32_t)l[1] << 8 | (uint32_t)l[2] << 16 | (uint32_t)l[3] << 24))
            continue;
        for (unsigned byte = 0; byte < 4; byte++)
            assert_int_equal(format->name[2 * byte], fourccs[i].order[byte]);
        return;
    }
    fail_msg("%s has an unknown fourcc", format->name);
}

static void test_all_eight(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        const char *name;
        uint32_t vk;
    } formats[] = {
        { 1, "B8G8R8A8_UNORM", 44 },  { 2, "B8G8R8X8_UNORM", 44 },   { 3, "A8R8G8B8_UNORM", 0 },
        { 4, "X8R8G8B8_UNORM", 0 },   { 67, "R8G8B8A8_UNORM", 37 },  { 68, "X8B8G8R8_UNORM", 0 },
        { 121, "A8B8G8R8_UNORM", 0 }, { 134, "R8G8B8X8_UNORM", 37 },
    };
    for (unsigned i = 0; i < COUNT(formats); i++) {
        const struct venus_gpu_format *format = venus_gpu_format_lookup(formats[i].code);
        assert_non_null(format);
        assert_string_equal(format->name, formats[i].name);
        assert_int_equal(format->virtio, formats[i].code);
        assert_int_equal(format->vk, formats[i].vk);
        assert_int_equal(format->bytes_per_pixel, 4);
        check_masks(format);
        check_fourcc(format);
    }
}

static void test_no_others(void **state)
{
    (void)state;
    unsigned count = 0;
    for (uint32_t code = 0; code < 1000; code++)
        count += venus_gpu_format_lookup(code) != NULL;
    assert_int_equal(count, 8);
    assert_null(venus_gpu_format_lookup(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_eight),
        cmocka_unit_test(test_no_others),
    };
    return RUN_TESTS(tests);
}
