/*
 * virtio-gpu-venus: what a VNC client sees, and asks for
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "driver.h"
#include "monitor.h"
#include "picture.h"
#include "tests.h"
#include "vnc-client.h"

static void test_vnc(void)
{
    g_autofree char *dir = g_dir_make_tmp("venus-qtest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "vnc", NULL);
    g_autofree char *args = g_strdup_printf("-vnc unix:%s", path);
    Venus *v = venus_start_args(DEVICE, args);
    g_autofree VncFrame *frame = g_new0(VncFrame, 1);
    uint8_t resize[8 + 16] = {
        251, 0, 800 >> 8, 800 & 0xff, 600 >> 8, 600 & 0xff, 1,
    };
    const Format *format = &formats[6];
    g_autofree uint8_t *black = g_malloc0(64 * 48 * 4);
    uint64_t backing;
    int fd = vnc_connect(path);

    /* two steps: the upper half, and the lower half in a flush of its own */
    backing = make_picture(v, 1, format, 64, 48);
    assert_ok(set_scanout(v, 0, 1, RECT(0, 0, 64, 48)));
    assert_ok(transfer(v, 1, RECT(0, 0, 64, 24), 0));
    assert_ok(flush(v, 1, RECT(0, 0, 64, 24)));
    assert_ok(transfer(v, 1, RECT(0, 24, 64, 24), 24 * 64 * 4));
    assert_ok(flush(v, 1, RECT(0, 24, 64, 24)));
    vnc_wait_picture(fd, frame, 64, 48);

    /* the window's size becomes the output's */
    vnc_write(fd, resize, sizeof(resize));
    wait_display_event(v);
    assert_output(v, 0, 800, 600);
    assert_string(v, "output0", "800x600");

    /* and who speaks last is heard */
    set_string(v, "output0", "640x480");
    wait_display_event(v);
    assert_output(v, 0, 640, 480);
    vnc_write(fd, resize, sizeof(resize));
    wait_display_event(v);
    assert_output(v, 0, 800, 600);

    /* the picture goes while the client has it, another comes */
    assert_ok(unref(v, 1));
    qtest_memwrite(v->qts, backing, black, 64 * 48 * 4);
    make_picture(v, 1, &formats[1], 128, 64);
    assert_ok(set_scanout(v, 0, 1, RECT(0, 0, 128, 64)));
    assert_ok(transfer(v, 1, RECT(0, 0, 128, 64), 0));
    assert_ok(flush(v, 1, RECT(0, 0, 128, 64)));
    vnc_wait_picture(fd, frame, 128, 64);
    close(fd);
    venus_stop(v);
    g_unlink(path);
    g_rmdir(dir);
}

/* With resize=off nobody but the user says how large an output is. */
static void test_fixed_size(void)
{
    g_autofree char *dir = g_dir_make_tmp("venus-qtest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "vnc", NULL);
    g_autofree char *args = g_strdup_printf("-vnc unix:%s", path);
    Venus *v = venus_start_args(DEVICE ",max_outputs=2,resize=off,xres=1111,"
                                "yres=777", args);
    struct virtio_gpu_cmd_get_edid cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
    };
    struct virtio_gpu_resp_edid resp;
    g_autofree VncFrame *frame = g_new0(VncFrame, 1);
    int fd = vnc_connect(path);

    assert_output(v, 0, 1111, 777);
    assert_string(v, "output0", "1111x777");
    assert_output(v, 1, 0, 0);
    vnc_resize(fd, 800, 600);
    vnc_wait_taken(fd, frame);
    /* a timer of QEMU's takes it to the device, and this comes after it */
    set_string(v, "output1", "640x480");
    assert_output(v, 1, 640, 480);
    assert_string(v, "output1", "640x480");
    assert_output(v, 0, 1111, 777);
    assert_string(v, "output0", "1111x777");

    /* no modes to choose either: neither bits nor an extension */
    venus_call(v, CONTROL, &cmd, sizeof(cmd), &resp, sizeof(resp));
    g_assert_cmphex(resp.hdr.type, ==, VIRTIO_GPU_RESP_OK_EDID);
    g_assert_cmpuint(resp.size, ==, 128);
    g_assert_cmphex(resp.edid[35] | resp.edid[36] | resp.edid[37], ==, 0);

    /* the user can, to what the window has already too; and off */
    clear_display_event(v);
    set_string(v, "output0", "800x600@75");
    wait_display_event(v);
    assert_output(v, 0, 800, 600);
    assert_string(v, "output0", "800x600@75");
    set_string(v, "output0", "off");
    wait_display_event(v);
    vnc_resize(fd, 1024, 768);
    vnc_wait_taken(fd, frame);
    set_string(v, "output1", "off");
    assert_output(v, 1, 0, 0);
    assert_output(v, 0, 0, 0);
    close(fd);
    venus_stop(v);
    g_unlink(path);
    g_rmdir(dir);
}

/* More than QEMU's VNC server can show: it says so, and shows what it can. */
static void test_vnc_large(void)
{
    static const uint32_t sizes[][2] = { { 7680, 4320 }, { 16384, 16384 } };
    g_autofree char *dir = g_dir_make_tmp("venus-qtest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "vnc", NULL);
    g_autofree char *log = g_build_filename(dir, "log", NULL);
    g_autofree char *args = g_strdup_printf("-vnc unix:%s 2>%s", path, log);
    Venus *v = venus_start_args(DEVICE ",max-memory=2G", args);
    g_autofree VncFrame *frame = g_new0(VncFrame, 1);
    g_autofree char *said = NULL;
    int fd = vnc_connect(path);
    uint32_t id, y;

    for (id = 1; id <= ARRAY_SIZE(sizes); id++) {
        uint32_t width = sizes[id - 1][0], height = sizes[id - 1][1];
        g_autofree uint8_t *rows = g_malloc0(width * 4 * 48);
        g_autofree uint8_t *pixels = g_malloc(64 * 48 * 4);
        uint64_t backing = guest_alloc(&v->alloc, width * 4 * 48);

        draw_picture(pixels, formats[0].bytes, 64, 48, 64 * 4);
        for (y = 0; y < 48; y++) {
            memcpy(rows + y * width * 4, pixels + y * 64 * 4, 64 * 4);
        }
        qtest_memwrite(v->qts, backing, rows, width * 4 * 48);
        assert_ok(create_2d(v, id, formats[0].virtio, width, height));
        assert_ok(attach(v, id, backing, width * 4 * 48));
        assert_ok(transfer(v, id, RECT(0, 0, width, 48), 0));
        assert_ok(set_scanout(v, 0, id, RECT(0, 0, width, height)));
        assert_ok(flush(v, id, RECT(0, 0, width, height)));
        vnc_wait_part(fd, frame, 5120, 2160, 64, 48);
        assert_ok(unref(v, id));
        guest_free(&v->alloc, backing);
    }
    close(fd);
    venus_stop(v);
    g_assert_true(g_file_get_contents(log, &said, NULL, NULL));
    g_assert_nonnull(strstr(said, "VNC shows the upper left 5120x2160 pixels "
                                  "of a picture of 7680x4320"));
    g_unlink(log);
    g_unlink(path);
    g_rmdir(dir);
}

void venus_add_vnc_tests(void)
{
    qtest_add_func("virtio-gpu-venus/outputs/fixed-size", test_fixed_size);
    qtest_add_func("virtio-gpu-venus/vnc", test_vnc);
    qtest_add_func("virtio-gpu-venus/vnc-large", test_vnc_large);
}
