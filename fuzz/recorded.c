/* SPDX-License-Identifier: MIT */
/* See recorded.h. */
#include "recorded.h"

void (*recorded_change)(unsigned index, char *data, size_t *size, size_t room);
jmp_buf recorded_ends;
unsigned recorded_streams;

/* What the guest's own Vulkan waits for may never come: a program is not waited for longer. */
enum { PATIENCE_MS = 1000, MOST_STREAM = 2048 };

static struct ticket *send_changed(struct guest *guest, uint32_t context, unsigned ring,
                                   const void *data, size_t size)
{
    char changed[MOST_STREAM];
    if (size)
        memcpy(changed, data, size);
    recorded_change(recorded_streams++, changed, &size, sizeof(changed));
    return guest_submit_fenced(guest, context, ring, changed, size);
}

static uint32_t wait_a_while(struct ticket *ticket)
{
    if (!guest_wait_for(ticket, PATIENCE_MS))
        longjmp(recorded_ends, 1);
    return guest_wait(ticket);
}

static void must(bool holds)
{
    if (!holds)
        longjmp(recorded_ends, 1);
}

#undef assert_ok
#undef assert_true
#undef assert_int_equal
#undef assert_uint_in_range
#undef fail_msg
#define assert_ok(type)                      must((type) == VIRTIO_GPU_RESP_OK_NODATA)
#define assert_true(holds)                   must(holds)
#define assert_int_equal(one, other)         must((one) == (other))
#define assert_uint_in_range(n, least, most) must((n) >= (least) && (n) <= (most))
#define fail_msg(...)                        must(false)
#define guest_submit_fenced                  send_changed
#define guest_wait                           wait_a_while

#include "../tests/renderer/venus.c"
