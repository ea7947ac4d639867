/*
 * virtio-gpu-venus: migration, to a file and from it, and what is in its way
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "driver.h"
#include "monitor.h"
#include "picture.h"
#include "tests.h"

#define CANNOT "What programs of the guest have in Vulkan cannot be saved: " \
               "qtest (context 1)."

/* The state of a migration on its way, such as "active"; g_free() it. */
static char *migration_status(Venus *v)
{
    QDict *resp = qtest_qmp(v->qts, "{'execute': 'query-migrate'}");
    char *status = g_strdup(
        qdict_get_try_str(qdict_get_qdict(resp, "return"), "status"));

    qobject_unref(resp);
    return status;
}

/* Wait until it is @wanted; it does not become @not. */
static void wait_migration(Venus *v, const char *wanted, const char *not)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;

    for (;;) {
        g_autofree char *status = migration_status(v);

        if (g_strcmp0(status, wanted) == 0) {
            return;
        }
        g_assert_cmpstr(status, !=, not);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(10000);
    }
}

static char *state_file(void)
{
    char *path = NULL;
    int fd = g_file_open_tmp("venus-qtest-XXXXXX.state", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    return path;
}

static void migrate(Venus *v, const char *path)
{
    g_autofree char *uri = g_strdup_printf("file:%s", path);

    qtest_qmp_assert_success(v->qts, "{'execute': 'migrate', "
                             "'arguments': {'uri': %s}}", uri);
}

/* The same guest in another QEMU, which loads the file. */
static void move(Venus *v, const char *device, const char *path)
{
    QTestState *to = qtest_initf("-M pc -m 64 -nodefaults -device %s "
                                 "-incoming file:%s", device, path);
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    bool runs = false;

    qtest_quit(v->qts);
    v->qts = v->bus->qts = to;
    while (!runs) {
        QDict *resp = qtest_qmp(to, "{'execute': 'query-status'}");

        runs = qdict_get_bool(qdict_get_qdict(resp, "return"), "running");
        qobject_unref(resp);
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(10000);
    }
}

static void save_and_move(Venus *v, const char *device)
{
    g_autofree char *path = state_file();

    migrate(v, path);
    wait_migration(v, "completed", "failed");
    move(v, device, path);
    g_unlink(path);
}

/* A picture that is shown goes with the guest, twice, and what it does next. */
static void test_there_and_back(const void *options)
{
    static const char pointer[64 * 64 * 4];
    const struct virtio_gpu_rect all = RECT(0, 0, 60, 36);
    g_autofree char *device = g_strdup_printf(DEVICE "%s",
                                              (const char *)options);
    Venus *v = venus_start(options);
    uint64_t backing = make_picture(v, 1, &formats[0], 60, 36);
    uint8_t pixel[4];
    int i;

    assert_ok(set_scanout(v, 0, 1, all));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(flush(v, 1, all));
    assert_ok(create_context(v, 7, 0));
    for (i = 0; i < 2; i++) {
        save_and_move(v, device);
        assert_picture(v, 0, 0, 0, 60, 36);
        g_assert_cmpuint(get_stat(v, "resources"), ==, 1);
        g_assert_cmpuint(get_stat(v, "contexts"), ==, 1);
    }

    /* The first pixel becomes the second one, and is what it was. */
    qtest_memread(v->qts, backing, pixel, sizeof(pixel));
    qtest_memwrite(v->qts, backing, pointer, sizeof(pixel));
    assert_ok(transfer(v, 1, RECT(0, 0, 1, 1), 0));
    qtest_memwrite(v->qts, backing, pixel, sizeof(pixel));
    assert_ok(transfer(v, 1, RECT(0, 0, 1, 1), 0));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 0, 0, 0, 60, 36);
    assert_error(INVALID_RESOURCE_ID, create_2d(v, 1, 1, 8, 8));
    assert_ok(destroy_context(v, 7));

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, PAGE));
    assert_mapped(map_blob(v, 10, PAGE));
    window_write(v, PAGE, "later");
    assert_window(v, PAGE, "later");
    venus_stop(v);
}

/* Guest blobs: memory of the guest's, as it is seen where it is loaded */
static void test_guest_blob(void)
{
    Venus *v = venus_start("");
    size_t size = 2 * PAGE;
    uint64_t addr = guest_alloc(&v->alloc, size + PAGE);
    g_autofree uint8_t *pixels = g_malloc(size);

    addr = QEMU_ALIGN_UP(addr, PAGE);
    draw_picture(pixels, formats[0].bytes, 32, 64, 128);
    qtest_memwrite(v->qts, addr, pixels, size);
    assert_ok(create_blob(v, 0, 3, VIRTIO_GPU_BLOB_MEM_GUEST, 0, size, addr));
    assert_ok(set_scanout_blob(v, 3, formats[0].virtio, 32, 64, 128, 0));
    save_and_move(v, DEVICE);
    assert_picture(v, 0, 0, 0, 32, 64);
    venus_stop(v);
}

static void test_vga(void)
{
    const char *device = "virtio-vga-venus,id=gpu,addr=04.0,hostmem=16M";
    const struct virtio_gpu_rect all = RECT(0, 0, 60, 36);
    Venus *v = venus_start_args(device, "");

    make_picture(v, 1, &formats[0], 60, 36);
    assert_ok(set_scanout(v, 0, 1, all));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(flush(v, 1, all));
    save_and_move(v, device);
    assert_picture(v, 0, 0, 0, 60, 36);
    venus_stop(v);
}

static void assert_blocked(Venus *v)
{
    QDict *error = qtest_qmp_assert_failure_ref(v->qts,
        "{'execute': 'migrate', 'arguments': {'uri': 'exec:cat'}}");

    g_assert_nonnull(strstr(qdict_get_str(error, "desc"), CANNOT));
    qobject_unref(error);
}

/* A program that uses Vulkan is in the way, by its name, while it does. */
static void test_blocked(void)
{
    Venus *v = venus_start("");

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_blocked(v);
    assert_ok(create_shm(v, 1, 10, PAGE));
    assert_ok(destroy_context(v, 1));
    assert_blocked(v); /* by what it has left */
    assert_ok(unref(v, 10));
    save_and_move(v, DEVICE);

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_blocked(v);
    venus_stop_driver(v); /* a reset ends it */
    venus_start_driver(v);
    save_and_move(v, DEVICE);
    venus_stop(v);
}

static bool has_blocker(Venus *v)
{
    QDict *resp = qtest_qmp(v->qts, "{'execute': 'query-migrate'}");
    QList *reasons = qdict_get_qlist(qdict_get_qdict(resp, "return"),
                                     "blocked-reasons");
    bool has = reasons && !qlist_empty(reasons);

    qobject_unref(resp);
    return has;
}

static void set_bandwidth(Venus *v, int64_t bytes)
{
    qtest_qmp_assert_success(v->qts, "{'execute': 'migrate-set-parameters', "
                             "'arguments': {'max-bandwidth': %" PRId64 "}}",
                             bytes);
}

/*
 * One that comes while a migration is under way ends that, and the guest goes
 * on; then it is in the way as any other.
 */
static void test_too_late(void)
{
    Venus *v = venus_start("");
    g_autofree char *path = state_file();
    gint64 end = g_get_monotonic_time() + 2 * TIMEOUT_US;

    /* Pages that are not all zeroes take their time. */
    qtest_memset(v->qts, 32 * MiB, 0x5a, 16 * MiB);
    set_bandwidth(v, 1 * MiB);
    migrate(v, path);
    wait_migration(v, "active", "completed");
    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    set_bandwidth(v, 1 * GiB);

    wait_migration(v, "failed", "completed");
    assert_ok(create_shm(v, 1, 10, PAGE));
    while (!has_blocker(v)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(10000);
    }
    assert_blocked(v);
    g_unlink(path);
    venus_stop(v);
}

/* When the machine has stopped, commands have been answered. */
static void test_stop(void)
{
    const struct virtio_gpu_rect all = RECT(0, 0, 600, 600);
    const struct virtio_gpu_transfer_to_host_2d cmd = {
        .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
        .r = all,
        .resource_id = 1,
    };
    const struct virtio_gpu_resource_flush shown = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
        .r = all,
        .resource_id = 1,
    };
    Venus *v = venus_start("");
    Request r[16];
    uint32_t head, written;
    int i;

    make_picture(v, 1, &formats[0], 600, 600);
    assert_ok(set_scanout(v, 0, 1, all));
    for (i = 0; i < ARRAY_SIZE(r); i++) {
        r[i] = i % 2 ? venus_post(v, CONTROL, &shown, sizeof(shown), 24)
                     : venus_post(v, CONTROL, &cmd, sizeof(cmd), 24);
    }
    qtest_qmp_assert_success(v->qts, "{'execute': 'stop'}");
    for (i = 0; i < ARRAY_SIZE(r); i++) {
        struct virtio_gpu_ctrl_hdr answer;

        g_assert_true(qvirtqueue_get_buf(v->qts, v->vq[CONTROL], &head,
                                         &written));
        g_assert_cmpuint(written, ==, sizeof(answer));
    }
    for (i = 0; i < ARRAY_SIZE(r); i++) {
        struct virtio_gpu_ctrl_hdr answer;

        venus_finish(v, &r[i], &answer);
        assert_ok(answer.type);
    }
    venus_queue_is_empty(v, CONTROL);
    qtest_qmp_assert_success(v->qts, "{'execute': 'cont'}");
    assert_ok(flush(v, 1, all));
    venus_stop(v);
}

/* Other devices take nothing of it, and say why. */
static void test_other_devices(void)
{
    static const struct {
        const char *options;
        const char *message;
    } others[] = {
        { ",max_outputs=2", "a device with 1 outputs, and this one has 2" },
        { ",max-memory=1", "(max_memory)" },
    };
    Venus *v = venus_start("");
    g_autofree char *path = state_file();
    int i;

    make_picture(v, 1, &formats[0], 60, 36);
    migrate(v, path);
    wait_migration(v, "completed", "failed");
    for (i = 0; i < ARRAY_SIZE(others); i++) {
        g_autofree char *args = g_strdup_printf("-m 64 -device " DEVICE "%s",
                                                others[i].options);
        g_autofree char *messages = load_and_fail(args, path);

        if (!strstr(messages, others[i].message)) {
            g_test_message("%s: %s", others[i].options, messages);
            g_test_fail();
        }
    }
    move(v, DEVICE, path);
    g_unlink(path);
    venus_stop(v);
}

/* The guest's memory has to be there at once. */
static void test_postcopy(void)
{
    QTestState *qts = qtest_init("-M pc -m 64 -nodefaults -device " DEVICE
                                 " -incoming defer");
    QDict *error = qtest_qmp_assert_failure_ref(qts,
        "{'execute': 'migrate-set-capabilities', 'arguments': "
        "{'capabilities': [{'capability': 'postcopy-ram', 'state': true}]}}");

    if (strstr(qdict_get_str(error, "desc"), "serfaultfd")) {
        g_test_skip("userfaultfd is not to be had here");
    } else {
        g_assert_nonnull(strstr(qdict_get_str(error, "desc"),
                                "leave postcopy-ram off"));
    }
    qobject_unref(error);
    qtest_quit(qts);
}

void venus_add_state_tests(void)
{
    qtest_add_data_func("virtio-gpu-venus/state/there-and-back/plain", "",
                        test_there_and_back);
    qtest_add_data_func("virtio-gpu-venus/state/there-and-back/platform",
                        PLATFORM, test_there_and_back);
    qtest_add_func("virtio-gpu-venus/state/guest-blob", test_guest_blob);
    qtest_add_func("virtio-gpu-venus/state/vga", test_vga);
    qtest_add_func("virtio-gpu-venus/state/blocked", test_blocked);
    qtest_add_func("virtio-gpu-venus/state/too-late", test_too_late);
    qtest_add_func("virtio-gpu-venus/state/stop", test_stop);
    qtest_add_func("virtio-gpu-venus/state/other-devices", test_other_devices);
    qtest_add_func("virtio-gpu-venus/state/postcopy", test_postcopy);
}
