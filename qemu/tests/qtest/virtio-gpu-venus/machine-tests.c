/*
 * virtio-gpu-venus: the device among the rest of QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/mman.h>
#include "qobject/qdict.h"
#include "driver.h"
#include "monitor.h"
#include "picture.h"
#include "tests.h"
#include "../../../hw/display/virtio-gpu-venus/venus-memory-types.h"

static void test_vga(void)
{
    Venus *v = venus_start_args("virtio-vga-venus,id=gpu,addr=04.0,hostmem=16M",
                                "");
    const struct virtio_gpu_rect all = RECT(0, 0, 60, 37);
    uint32_t width, height;

    /* VGA until the driver shows something, and again after a reset */
    g_free(screendump(v, 0, &width, &height));
    g_assert_cmpuint(width, >, 60);
    make_picture(v, 1, &formats[0], 60, 37);
    assert_ok(set_scanout(v, 0, 1, all));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 0, 0, 0, 60, 37);

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, PAGE));
    assert_mapped(map_blob(v, 10, PAGE));
    window_write(v, PAGE, "vga");
    assert_window(v, PAGE, "vga");

    venus_stop_driver(v);
    g_free(screendump(v, 0, &width, &height));
    venus_start_driver(v);
    make_picture(v, 1, &formats[0], 60, 37);
    assert_ok(set_scanout(v, 0, 1, all));
    assert_ok(transfer(v, 1, all, 0));
    assert_ok(flush(v, 1, all));
    assert_picture(v, 0, 0, 0, 60, 37);
    venus_stop(v);
}

/* What dump-guest-memory writes, in bytes */
static uint64_t dump_size(Venus *v)
{
    g_autofree char *path = NULL;
    g_autofree char *protocol = NULL;
    int fd = g_file_open_tmp("venus-qtest-XXXXXX.dump", &path, NULL);
    GStatBuf st;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    protocol = g_strdup_printf("file:%s", path);
    qtest_qmp_assert_success(v->qts, "{'execute': 'dump-guest-memory', "
                             "'arguments': {'paging': false, 'protocol': %s}}",
                             protocol);
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_unlink(path);
    return st.st_size;
}

/* The window is not the guest's memory, whatever is in it. */
static void test_dump(const void *options)
{
    Venus *v = venus_start(options);

    assert_ok(create_context(v, 1, VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_shm(v, 1, 10, 8 * MiB));
    assert_mapped(map_blob(v, 10, 4 * MiB));
    g_assert_cmpuint(dump_size(v), <, (64 + 4) * MiB);
    venus_stop(v);
}

static bool can_lock_memory(size_t size)
{
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool can = ptr != MAP_FAILED && mlock2(ptr, size, MLOCK_ONFAULT) == 0;

    if (ptr != MAP_FAILED) {
        munmap(ptr, size);
    }
    return can;
}

/* How much of its memory is there, in bytes */
static uint64_t resident_size(QTestState *qts)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", qtest_pid(qts));
    g_autofree char *status = NULL;
    const char *line;

    g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
    line = strstr(status, "VmRSS:");
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen("VmRSS:"), NULL, 10) * KiB;
}

/* A window is address space, also where QEMU locks its memory. */
static void test_mem_lock(void)
{
    QTestState *qts;

    if (!can_lock_memory(4 * GiB)) {
        g_test_skip("memory cannot be locked here");
        return;
    }
    qts = qtest_init("-M pc -m 64 -nodefaults -overcommit mem-lock=on "
                     "-device virtio-gpu-venus-pci,hostmem=2G");
    g_assert_cmpuint(resident_size(qts), <, 2 * GiB);
    qtest_quit(qts);
}

static int count_words(const char *text, const char *word)
{
    int count = 0;

    while ((text = strstr(text, word))) {
        text += strlen(word);
        count++;
    }
    return count;
}

/* Without -nodefaults: the VGA that the user adds is the only one. */
static void test_default_vga(void)
{
    QTestState *qts = qtest_init("-M pc -m 64 -vga std "
                                 "-device virtio-gpu-venus-pci");
    g_autofree char *pci = qtest_hmp(qts, "info pci");

    /* how two are seen */
    g_assert_cmpint(count_words(pci, "VGA controller"), ==, 1);
    g_assert_cmpint(count_words(pci, "Display controller"), ==, 1);
    qtest_quit(qts);

    qts = qtest_init("-M pc -m 64 -device virtio-vga-venus,id=gpu");
    g_free(pci);
    pci = qtest_hmp(qts, "info pci");
    g_assert_cmpint(count_words(pci, "VGA controller"), ==, 1);
    g_assert_cmpint(count_words(pci, "isplay controller"), ==, 0);
    g_free(pci);
    pci = qtest_hmp(qts, "qom-get /backend/console[0] device");
    g_assert_nonnull(strstr(pci, "/machine/peripheral/gpu"));
    qtest_quit(qts);
}

static void test_errors(void)
{
    static const struct {
        const char *args;
        const char *message;
    } errors[] = {
        { "-device virtio-gpu-venus-pci -device virtio-gpu-venus-pci",
          "There is a virtio-gpu-venus device already" },
        { "-device virtio-gpu-venus-pci -device virtio-vga-venus",
          "There is a virtio-gpu-venus device already" },
        { "-device virtio-gpu-venus-pci,hostmem=300M",
          "hostmem=300M is not a power of two: use 256M or 512M" },
        { "-device virtio-vga-venus,hostmem=1537K",
          "hostmem=1537K is not a power of two: use 1M or 2M" },
        { "-device virtio-gpu-venus-pci,hostmem=4K",
          "hostmem=4K is not possible: use a power of two from 1M to 1T" },
        { "-device virtio-gpu-venus-pci,max_outputs=0",
          "max_outputs=0 is not possible: use 1 to 16" },
        { "-device virtio-gpu-venus-pci,max_outputs=17",
          "max_outputs=17 is not possible: use 1 to 16" },
        { "-device virtio-gpu-venus-pci,output0=large",
          "output0=large is not possible: use a size such as 1024x768, up to "
          "16384x16384, or one with a rate such as 1024x768@60, or off" },
        { "-device virtio-gpu-venus-pci,output0=1024x768@0.5",
          "output0=1024x768@0.5 is not possible: use a size such as" },
        { "-device virtio-vga-venus,max_outputs=2,output2=640x480",
          "There is no output2 with max_outputs=2: use max_outputs=3 or more" },
        { "-device virtio-gpu-venus-pci,present=maybe",
          "present=maybe is not possible: use auto, surface, swapchain or "
          "off" },
        { "-device virtio-vga-venus,present-mode=slow",
          "present-mode=slow is not possible: use fifo, mailbox or immediate" },
        { "-device virtio-gpu-venus-pci,present=swapchain,present-target=tv",
          "present-target=tv is not possible: use auto, offscreen, headless, "
          "x11, wayland or metal" },
        { "-device virtio-gpu-venus-pci,present-target=x11",
          "present-target=x11 is of no use with present=auto" },
        { "-device virtio-gpu-venus-pci,render-server=/no/such/program",
          "/no/such/program" },
        { "-device virtio-gpu-venus-pci,render-server=fd:0x",
          "render-server=fd:0x is not a socket" },
        { "-device virtio-gpu-venus-pci,render-server=fd:2",
          "render-server=fd:2 is not a socket" },
        { "-only-migratable -device virtio-gpu-venus-pci",
          "(--only-migratable) for: virtio-gpu-venus cannot be migrated while "
          "programs of the guest use Vulkan" },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(errors); i++) {
        g_autofree char *messages = start_and_fail(errors[i].args);

        if (!strstr(messages, errors[i].message)) {
            g_test_message("%s: %s", errors[i].args, messages);
            g_test_fail();
        }
    }
}

/* Hosts that are not here: an Intel processor, KVM and a discrete GPU. */
static void test_memory_types(void)
{
    const VenusMemoryTypeFacts host = {
        .uses_kvm = true, .is_intel = true, .is_discrete = true,
    };
    VenusMemoryTypeFacts facts = host;

    g_assert_cmpint(venus_memory_type_advice(&facts), ==,
                    VENUS_NEEDS_NEWER_QEMU);
    facts.has_property = true;
    g_assert_cmpint(venus_memory_type_advice(&facts), ==,
                    VENUS_TURN_GUEST_PAT_ON);
    facts.honors_guest = true;
    g_assert_cmpint(venus_memory_type_advice(&facts), ==,
                    VENUS_MEMORY_TYPES_ARE_RIGHT);
    facts = host;
    facts.uses_kvm = false;
    g_assert_cmpint(venus_memory_type_advice(&facts), ==,
                    VENUS_MEMORY_TYPES_ARE_RIGHT);
    facts = host;
    facts.is_intel = false;
    g_assert_cmpint(venus_memory_type_advice(&facts), ==,
                    VENUS_MEMORY_TYPES_ARE_RIGHT);
    facts = host;
    facts.is_discrete = false;
    g_assert_cmpint(venus_memory_type_advice(&facts), ==,
                    VENUS_MEMORY_TYPES_ARE_RIGHT);
}

void venus_add_machine_tests(void)
{
    qtest_add_func("virtio-gpu-venus/vga", test_vga);
    qtest_add_data_func("virtio-gpu-venus/dump/auto", "", test_dump);
    qtest_add_data_func("virtio-gpu-venus/dump/regions", REGIONS, test_dump);
    qtest_add_func("virtio-gpu-venus/mem-lock", test_mem_lock);
    qtest_add_func("virtio-gpu-venus/default-vga", test_default_vga);
    qtest_add_func("virtio-gpu-venus/memory-types", test_memory_types);
    qtest_add_func("virtio-gpu-venus/errors", test_errors);
}
