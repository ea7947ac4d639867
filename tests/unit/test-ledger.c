/* SPDX-License-Identifier: MIT */
/* Tests of what each context holds, as anybody may read it, and of a context that takes more than its share. */
#include <errno.h>
#include <unistd.h>

#include "base/sized.h"
#include "harness.h"

static struct venus_gpu_context list[16];

static size_t read_contexts(void)
{
    memset(list, 0xff, sizeof(list));
    return venus_gpu_contexts(vm.gpu, list, COUNT(list));
}

static uint32_t create_named(uint32_t id, const char *name, uint32_t capset)
{
    struct virtio_gpu_ctx_create request = {
        REQUEST(CTX_CREATE),
        .nlen = le32((uint32_t)strlen(name)),
        .context_init = le32(capset),
    };
    strncpy(request.debug_name, name, sizeof(request.debug_name));
    request.hdr.ctx_id = le32(id);
    return run_request(request);
}

static void assert_held(const struct venus_gpu_context *context, uint32_t id, uint32_t state,
                        uint64_t resources, uint64_t bytes)
{
    assert_int_equal(context->id, id);
    assert_int_equal(context->state, state);
    assert_int_equal(context->resources, resources);
    assert_int_equal(context->bytes, bytes);
}

static void test_what_they_hold(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_int_equal(read_contexts(), 1);
    assert_held(&list[0], 0, VENUS_GPU_CONTEXT_PLAIN, 0, 0);

    assert_ok(create_named(7, "vkcube", VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_named(1, "a\nb\x80", VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_named(2, "", 0));
    assert_ok(create_host_blob(1, 3 * PAGE)); /* of context 1 */
    assert_ok(create_host_blob(2, PAGE));
    assert_ok(create_2d(3, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 16, 16));
    const struct virtio_gpu_mem_entry page = entry(RAM_ADDR, PAGE);
    assert_ok(create_guest_blob(4, PAGE, &page, 1));

    assert_int_equal(read_contexts(), 4);
    assert_held(&list[0], 0, VENUS_GPU_CONTEXT_PLAIN, 2, 16 * 16 * 4);
    assert_held(&list[1], 7, VENUS_GPU_CONTEXT_RENDERS, 0, 0);
    assert_string_equal(list[1].name, "vkcube");
    assert_held(&list[2], 1, VENUS_GPU_CONTEXT_RENDERS, 2, 4 * PAGE);
    assert_string_equal(list[2].name, "a?b?");
    assert_held(&list[3], 2, VENUS_GPU_CONTEXT_PLAIN, 0, 0);
    /* The fake renderer is served by this very process. */
    assert_int_equal(list[1].process_id, getpid());
    assert_true(list[1].process_bytes >= PAGE);
    assert_int_equal(list[3].process_id, 0);
    assert_int_equal(list[3].process_bytes, 0);

    /* What a context leaves stays in its name. */
    assert_ok(destroy_context(1));
    assert_ok(destroy_context(7));
    assert_ok(destroy_context(2));
    assert_int_equal(read_contexts(), 2);
    assert_held(&list[1], 1, VENUS_GPU_CONTEXT_GONE, 2, 4 * PAGE);
    assert_int_equal(list[1].process_id, 0);
    /* And is not the next one's. */
    assert_ok(create_context(1));
    assert_ok(create_host_blob(5, PAGE));
    assert_int_equal(read_contexts(), 3);
    assert_held(&list[1], 1, VENUS_GPU_CONTEXT_GONE, 2, 4 * PAGE);
    assert_held(&list[2], 1, VENUS_GPU_CONTEXT_RENDERS, 1, PAGE);
    for (uint32_t id = 1; id <= 4; id++)
        assert_ok(unref(id));
    assert_int_equal(read_contexts(), 2);
    assert_held(&list[0], 0, VENUS_GPU_CONTEXT_PLAIN, 0, 0);
    assert_held(&list[1], 1, VENUS_GPU_CONTEXT_RENDERS, 1, PAGE);
    vm_reset();
    assert_int_equal(read_contexts(), 1);
}

static void test_lost(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    assert_ok(create_host_blob(1, PAGE));
    fake_fail(FAKE_SUBMIT, -EIO, 0, 1);
    assert_error(submit(1, "12345678", 8), UNSPEC);
    assert_int_equal(read_contexts(), 2);
    assert_held(&list[1], 1, VENUS_GPU_CONTEXT_LOST, 1, PAGE);
    assert_int_equal(list[1].process_id, 0);
}

static void test_share(void **state)
{
    (void)state;
    vm_start(&(struct vm_options){ .max_blob_memory = 10 * PAGE, .max_context_memory = 4 * PAGE });
    assert_ok(create_named(1, "greedy", VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_named(2, "modest", VIRTIO_GPU_CAPSET_VENUS));
    assert_ok(create_host_blob(1, 3 * PAGE));
    assert_ok(create_host_blob(2, PAGE)); /* all that it may have */
    assert_ok(unref(2));
    assert_error(create_host_blob(2, 2 * PAGE), OUT_OF_MEMORY);
    assert_true(was_logged(VENUS_GPU_LOG_ERROR, "context 1 (greedy) is ended"));
    assert_int_equal(stat_value("contexts-lost"), 1);
    assert_int_equal(stat_value("blob-bytes"), 3 * PAGE);
    read_contexts();
    assert_held(&list[1], 1, VENUS_GPU_CONTEXT_LOST, 1, 3 * PAGE);
    assert_held(&list[2], 2, VENUS_GPU_CONTEXT_RENDERS, 0, 0);
    assert_error(submit(1, "12345678", 8), UNSPEC);
    assert_ok(submit(2, "12345678", 8));

    /* What all have together still is refused to whoever asks last, who goes on. */
    assert_ok(destroy_context(1));
    assert_ok(create_context(1));
    assert_ok(create_host_blob(2, 4 * PAGE));
    vm_stop();
    vm_start(&(struct vm_options){ .max_blob_memory = 4 * PAGE, .max_context_memory = 4 * PAGE });
    assert_ok(create_context(1));
    assert_error(create_host_blob(1, 5 * PAGE), OUT_OF_MEMORY);
    assert_ok(create_host_blob(1, 4 * PAGE));
    assert_int_equal(stat_value("contexts-lost"), 0);
}

static void test_sizes(void **state)
{
    (void)state;
    vm_start(NULL);
    assert_ok(create_context(1));
    struct {
        struct venus_gpu_context known;
        char more[16];
    } newer[2];
    memset(newer, 0xff, sizeof(newer));
    assert_int_equal(venus_gpu_contexts_sized(vm.gpu, &newer[0].known, 2, sizeof(newer[0])), 2);
    assert_int_equal(newer[1].known.id, 1);
    for (size_t i = 0; i < sizeof(newer[1].more); i++)
        assert_int_equal(newer[1].more[i], 0);
    memset(newer, 0xff, sizeof(newer));
    assert_int_equal(venus_gpu_contexts_sized(vm.gpu, &newer[0].known, 1, sizeof(newer[0])), 2);
    assert_int_equal(newer[1].known.id, UINT32_MAX);
    assert_int_equal(venus_gpu_contexts_sized(vm.gpu, &newer[0].known, 1, CONTEXT_SIZE_LEAST - 1),
                     0);
    assert_int_equal(venus_gpu_contexts(vm.gpu, NULL, 0), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_they_hold, vm_teardown),
        cmocka_unit_test_teardown(test_lost, vm_teardown),
        cmocka_unit_test_teardown(test_share, vm_teardown),
        cmocka_unit_test_teardown(test_sizes, vm_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
