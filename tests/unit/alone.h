/* SPDX-License-Identifier: MIT */
/* For parts of the library that are tested by themselves, without a device: services, and a renderer that runs. */
#ifndef ALONE_H
#define ALONE_H

#include "base/services.h"
#include "harness.h"
#include "renderer/renderer.h"

/* Services with the fake renderer, which is started: its fences go to that callback. */
static inline void alone_start(struct services *services, void (*fence)(void *, uint64_t),
                               void *opaque)
{
    static struct renderer_events events;
    const struct venus_gpu_ops ops = { .size = sizeof(ops) };
    struct venus_gpu_config config;
    venus_gpu_config_init(&config);
    fake_reset();
    assert_int_equal(services_init(services, &config, &ops, NULL), 0);
    services->renderer = &fake_renderer;
    events.fence = fence;
    const struct renderer_config renderer = { .events = &events, .opaque = opaque, .server_fd = -1 };
    char *error = NULL;
    assert_int_equal(fake_renderer.init(&renderer, &error), 0);
    assert_int_equal(fake_renderer.context_create(1, "", 0), 0);
}

/* No fence comes from here on, so what the callback uses can go. */
static inline void alone_stop_renderer(void)
{
    fake_renderer.context_destroy(1);
    fake_renderer.fini();
}

static inline void alone_stop(struct services *services)
{
    services_finish(services);
    assert_null(fake_complaint());
}

#endif
