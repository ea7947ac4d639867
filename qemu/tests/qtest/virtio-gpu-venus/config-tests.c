/*
 * virtio-gpu-venus: what the device says of itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqos/malloc-pc.h"
#include "qemu/cutils.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"
#include "standard-headers/linux/virtio_config.h"
#include "driver.h"
#include "monitor.h"
#include "picture.h"
#include "tests.h"

static void test_features(void)
{
    Venus *v = venus_start("");
    const uint64_t gpu = (1 << VIRTIO_GPU_F_VIRGL) | (1 << VIRTIO_GPU_F_EDID) |
                         (1 << VIRTIO_GPU_F_RESOURCE_UUID) |
                         (1 << VIRTIO_GPU_F_RESOURCE_BLOB) |
                         (1 << VIRTIO_GPU_F_CONTEXT_INIT);

    g_assert_cmphex(v->features & 0x1f, ==, gpu);
    g_assert_cmphex(v->features & (1ull << VIRTIO_F_VERSION_1), !=, 0);
    g_assert_cmphex(v->features & (1ull << VIRTIO_F_RING_RESET), ==, 0);
    /* QEMU 10.0.13 makes every virtqueue as large as it can be. */
    g_assert_cmpuint(v->vq[CONTROL]->size, >=, 256);
    g_assert_cmpuint(v->vq[CURSOR]->size, >=, 16);
    /* events_read, num_scanouts, num_capsets */
    g_assert_cmphex(qvirtio_config_readl(&v->dev->vdev, 0), ==, 0);
    g_assert_cmpuint(qvirtio_config_readl(&v->dev->vdev, 8), ==, 1);
    g_assert_cmpuint(qvirtio_config_readl(&v->dev->vdev, 12), ==, 1);
    venus_stop(v);
}

/* The field is there if the feature is: its value is the host's page size. */
static void test_blob_alignment(void)
{
    const struct {
        const char *option;
        bool offered;
    } cases[] = {
        { ",blob-alignment=on", true },
        { ",blob-alignment=off", false },
        { ",blob-alignment=auto", qemu_real_host_page_size() > 4096 },
    };

    for (int i = 0; i < ARRAY_SIZE(cases); i++) {
        Venus *v = venus_start(cases[i].option);

        g_assert_cmpint(!!(v->features & (1 << 5)), ==, cases[i].offered);
        g_assert_cmpuint(qvirtio_config_readl(&v->dev->vdev, 12), ==, 1);
        if (cases[i].offered) {
            g_assert_cmpuint(qvirtio_config_readl(&v->dev->vdev, 16), ==,
                             qemu_real_host_page_size());
        }
        venus_stop(v);
    }
}

static void test_no_window_no_edid(void)
{
    g_autofree char *device = g_strdup("virtio-gpu-venus-pci,id=gpu,addr=04.0,"
                                       "hostmem=0,edid=off");
    QTestState *qts = qtest_initf("-M pc -m 64 -nodefaults -device %s", device);
    QPCIAddress addr = { .devfn = QPCI_DEVFN(4, 0) };
    QGuestAllocator alloc;
    QVirtioPCIDevice *dev;
    QPCIBus *bus;
    uint64_t features;

    pc_alloc_init(&alloc, qts, 0);
    bus = qpci_new_pc(qts, &alloc);
    dev = virtio_pci_new(bus, &addr);
    qvirtio_pci_device_enable(dev);
    features = qvirtio_get_features(&dev->vdev);
    g_assert_cmphex(features & (1 << VIRTIO_GPU_F_EDID), ==, 0);
    g_assert_cmphex(features & (1 << VIRTIO_GPU_F_RESOURCE_BLOB), ==, 0);
    qvirtio_pci_device_disable(dev);
    g_free(dev->pdev);
    g_free(dev);
    qpci_free_pc(bus);
    alloc_destroy(&alloc);
    qtest_quit(qts);
}

static void test_capsets(void)
{
    Venus *v = venus_start("");
    struct virtio_gpu_get_capset_info info_cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO,
    };
    struct virtio_gpu_resp_capset_info info;
    struct virtio_gpu_get_capset cmd = {
        .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET,
        .capset_id = VIRTIO_GPU_CAPSET_VENUS,
    };
    g_autofree struct virtio_gpu_resp_capset *resp = NULL;
    size_t size;

    venus_call(v, CONTROL, &info_cmd, sizeof(info_cmd), &info, sizeof(info));
    g_assert_cmphex(info.hdr.type, ==, VIRTIO_GPU_RESP_OK_CAPSET_INFO);
    g_assert_cmpuint(info.capset_id, ==, VIRTIO_GPU_CAPSET_VENUS);
    g_assert_cmpuint(info.capset_max_size, >=, 4);

    info_cmd.capset_index = 1;
    venus_call(v, CONTROL, &info_cmd, sizeof(info_cmd), &info, sizeof(info));
    assert_error(INVALID_PARAMETER, info.hdr.type);

    info_cmd.capset_index = 0;
    venus_call(v, CONTROL, &info_cmd, sizeof(info_cmd), &info, sizeof(info));
    size = sizeof(*resp) + info.capset_max_size;
    resp = g_malloc(size);
    g_assert_cmpuint(venus_call(v, CONTROL, &cmd, sizeof(cmd), resp, size),
                     ==, size);
    g_assert_cmphex(resp->hdr.type, ==, VIRTIO_GPU_RESP_OK_CAPSET);
    /* The wire format's version, which is not 0 */
    g_assert_cmpuint(ldl_le_p(resp->capset_data), >, 0);

    cmd.capset_id = VIRTIO_GPU_CAPSET_VIRGL2;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), resp, size);
    assert_error(INVALID_PARAMETER, resp->hdr.type);
    cmd.capset_id = VIRTIO_GPU_CAPSET_VENUS;
    cmd.capset_version = info.capset_max_version + 1;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), resp, size);
    assert_error(INVALID_PARAMETER, resp->hdr.type);
    cmd.capset_version = 0;
    venus_call(v, CONTROL, &cmd, sizeof(cmd), resp, sizeof(*resp));
    assert_error(INVALID_PARAMETER, resp->hdr.type);
    venus_stop(v);
}

static void test_properties(void)
{
    Venus *v = venus_start("");
    g_autofree char *renderer = get_string(v, "renderer");
    g_autofree char *version = get_string(v, "library-version");
    QDict *resp = qtest_qmp(v->qts, "{'execute': 'qom-list', 'arguments': "
                            "{'path': %s}}", QOM_PATH);
    const QListEntry *entry;
    int stats = 0;

    g_assert_cmpstr(renderer, !=, "");
    g_assert_cmpstr(renderer, !=, "unknown");
    g_assert_cmpuint(version[0] - '0', <, 10);
    QLIST_FOREACH_ENTRY(qdict_get_qlist(resp, "return"), entry) {
        const char *name = qdict_get_str(qobject_to(QDict, entry->value),
                                         "name");

        if (strstart(name, "stat-", &name)) {
            get_stat(v, name);
            stats++;
        }
    }
    g_assert_cmpint(stats, >, 5);
    qobject_unref(resp);

    g_assert_cmpuint(get_stat(v, "resources"), ==, 0);
    assert_ok(create_2d(v, 1, formats[0].virtio, 4, 4));
    g_assert_cmpuint(get_stat(v, "resources"), ==, 1);
    venus_stop(v);
}

/* Enumerations tell what they are. */
static void test_enumerations(void)
{
    Venus *v = venus_start(",present=swapchain,present-mode=mailbox,"
                           "present-target=offscreen");

    assert_string(v, "present", "swapchain");
    assert_string(v, "present-mode", "mailbox");
    assert_string(v, "present-target", "offscreen");
    venus_stop(v);

    v = venus_start("");
    assert_string(v, "present", "auto");
    assert_string(v, "present-mode", "fifo");
    assert_string(v, "present-target", "auto");
    venus_stop(v);
}

void venus_add_config_tests(void)
{
    qtest_add_func("virtio-gpu-venus/features", test_features);
    qtest_add_func("virtio-gpu-venus/blob-alignment", test_blob_alignment);
    qtest_add_func("virtio-gpu-venus/no-window-no-edid",
                   test_no_window_no_edid);
    qtest_add_func("virtio-gpu-venus/capsets", test_capsets);
    qtest_add_func("virtio-gpu-venus/properties", test_properties);
    qtest_add_func("virtio-gpu-venus/enumerations", test_enumerations);
}
