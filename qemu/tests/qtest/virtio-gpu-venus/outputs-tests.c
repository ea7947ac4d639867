/*
 * virtio-gpu-venus: which outputs the guest sees, and how large
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "driver.h"
#include "monitor.h"
#include "tests.h"

static void test_display_info(void)
{
    Venus *v = venus_start(",max_outputs=2,xres=1111,yres=777");
    const struct virtio_gpu_ctrl_hdr cmd = {
        .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
    };
    struct virtio_gpu_resp_display_info info;
    int i;

    g_assert_cmpuint(qvirtio_config_readl(&v->dev->vdev, 8), ==, 2);
    g_assert_cmpuint(venus_call(v, CONTROL, &cmd, sizeof(cmd),
                                &info, sizeof(info)), ==, sizeof(info));
    g_assert_cmphex(info.hdr.type, ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    g_assert_cmpuint(info.pmodes[0].enabled, ==, 1);
    g_assert_cmpuint(info.pmodes[0].r.width, ==, 1111);
    g_assert_cmpuint(info.pmodes[0].r.height, ==, 777);
    for (i = 1; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
        g_assert_cmpuint(info.pmodes[i].enabled, ==, 0);
    }

    assert_error(INVALID_PARAMETER,
                 header_only(v, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, 0));
    venus_stop(v);
}

static void test_outputs(const void *device)
{
    static const char *const bad[] = {
        "", "on", "1024", "1024x", "x768", "1024x768x1", "1024X768", "0x768",
        "1024x0", "-1024x768", "1024x-768", " 1024x768", "1024x 768",
        "1024x768 ", "16385x768", "1024x16385", "4294968320x768",
        "99999999999999999999x768", "0x10x768", "1024x768@", "1024x768@0",
        "1024x768@.5", "1024x768@0.999", "1024x768@60.", "1024x768@60.0001",
        "1024x768@60.9999", "1024x768@1000.001", "1024x768@1001",
        "1024x768@4295027", "1024x768@-60", "1024x768@60Hz", "1024x768@ 60",
        "1024x768@60@60", "off@60", "@60",
    };
    const char possible[] = "use a size such as 1024x768, up to 16384x16384, "
                            "or one with a rate such as 1024x768@60, or off";
    Venus *v = venus_start_args(device, "");
    struct virtio_gpu_cmd_get_edid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
        .scanout = 1,
    };
    struct virtio_gpu_resp_edid resp;
    int i;

    /* as the command line says */
    assert_output(v, 0, 1111, 777);
    assert_output(v, 1, 0, 0);
    assert_output(v, 2, 640, 480);
    assert_string(v, "output0", "1111x777");
    assert_string(v, "output1", "off");
    assert_string(v, "output2", "640x480");
    clear_display_event(v);

    set_string(v, "output1", "1024x768");
    assert_string(v, "output1", "1024x768");
    wait_display_event(v);
    assert_output(v, 1, 1024, 768);
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    g_assert_cmphex(resp.hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    g_assert_cmpuint(resp.edid[56] | (resp.edid[58] & 0xf0) << 4, ==, 1024);
    g_assert_cmpuint(resp.edid[59] | (resp.edid[61] & 0xf0) << 4, ==, 768);

    /* what cannot be changes nothing */
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_refused(v, "output1", bad[i], possible);
    }
    assert_refused(v, "output3", "1024x768",
                   "There is no output3 with max_outputs=3: "
                   "use max_outputs=4 or more");
    assert_string(v, "output1", "1024x768");
    assert_output(v, 1, 1024, 768);
    g_assert_cmphex(qvirtio_config_readl(&v->dev->vdev, 0), ==, 0);

    /* the largest; off, be it the first one; and on again */
    set_string(v, "output1", "16384x16384");
    wait_display_event(v);
    assert_output(v, 1, 16384, 16384);
    set_string(v, "output0", "off");
    wait_display_event(v);
    assert_string(v, "output0", "off");
    assert_output(v, 0, 0, 0);
    assert_output(v, 1, 16384, 16384);
    set_string(v, "output2", "off");
    wait_display_event(v);
    assert_output(v, 2, 0, 0);
    set_string(v, "output0", "800x600");
    wait_display_event(v);
    assert_output(v, 0, 800, 600);

    /* a reset of the guest's driver leaves the user's outputs alone */
    venus_stop_driver(v);
    venus_start_driver(v);
    assert_output(v, 0, 800, 600);
    assert_output(v, 1, 16384, 16384);
    assert_output(v, 2, 0, 0);
    venus_stop(v);
}

/* Frames a second of the first detailed timing of @output's EDID */
static double get_refresh(Venus *v, uint32_t output)
{
    struct virtio_gpu_cmd_get_edid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
        .scanout = output,
    };
    struct virtio_gpu_resp_edid resp;
    const uint8_t *d = resp.edid + 54;

    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    g_assert_cmphex(resp.hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    return lduw_le_p(d) * 10000.0 /
           (d[2] + d[3] + ((d[4] & 0xf0) << 4) + ((d[4] & 0x0f) << 8)) /
           (d[5] + d[6] + ((d[7] & 0xf0) << 4) + ((d[7] & 0x0f) << 8));
}

/* A clock is a multiple of 10 kHz. */
#define assert_refresh(v, output, wanted) \
    g_assert_cmpfloat_with_epsilon(get_refresh(v, output), wanted, 0.01)

static void test_refresh(void)
{
    Venus *v = venus_start(",max_outputs=3,output0=1280x800@144,"
                           "output1=1024x768");

    assert_string(v, "output0", "1280x800@144");
    assert_refresh(v, 0, 144);
    assert_string(v, "output1", "1024x768");
    assert_refresh(v, 1, 60);
    clear_display_event(v);

    /* a monitor of the same size */
    set_string(v, "output0", "1280x800@59.94");
    wait_display_event(v);
    assert_string(v, "output0", "1280x800@59.94");
    assert_refresh(v, 0, 59.94);
    set_string(v, "output0", "1280x800");
    wait_display_event(v);
    assert_string(v, "output0", "1280x800");
    assert_refresh(v, 0, 60);
    set_string(v, "output2", "1920x1080@119.880");
    wait_display_event(v);
    assert_string(v, "output2", "1920x1080@119.88");
    assert_output(v, 2, 1920, 1080);
    assert_refresh(v, 2, 119.88);
    venus_stop(v);
}

static void test_edid(void)
{
    static const uint8_t magic[] = { 0, 255, 255, 255, 255, 255, 255, 0 };
    Venus *v = venus_start(",xres=1234,yres=600");
    struct virtio_gpu_cmd_get_edid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
    };
    struct virtio_gpu_resp_edid resp;
    uint8_t sum = 0;
    int i;

    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    g_assert_cmphex(resp.hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    g_assert_cmpuint(resp.size, >=, 128);
    g_assert_cmpmem(resp.edid, sizeof(magic), magic, sizeof(magic));
    for (i = 0; i < 128; i++) {
        sum += resp.edid[i];
    }
    g_assert_cmphex(sum, ==, 0);
    /* the first detailed timing's width and height */
    g_assert_cmpuint(resp.edid[56] | (resp.edid[58] & 0xf0) << 4, ==, 1234);
    g_assert_cmpuint(resp.edid[59] | (resp.edid[61] & 0xf0) << 4, ==, 600);

    cmd.scanout = 1;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    assert_error(INVALID_SCANOUT_ID, resp.hdr.type);
    venus_stop(v);
}

void venus_add_outputs_tests(void)
{
    qtest_add_func("virtio-gpu-venus/display-info", test_display_info);
    qtest_add_data_func("virtio-gpu-venus/outputs/pci", DEVICE
                        ",max_outputs=3,xres=1111,yres=777,output2=640x480",
                        test_outputs);
    qtest_add_data_func("virtio-gpu-venus/outputs/vga",
                        "virtio-vga-venus,id=gpu,addr=04.0,hostmem=16M,"
                        "max_outputs=3,output0=1111x777,output2=640x480",
                        test_outputs);
    qtest_add_func("virtio-gpu-venus/edid", test_edid);
    qtest_add_func("virtio-gpu-venus/outputs/refresh", test_refresh);
}
