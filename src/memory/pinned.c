/* SPDX-License-Identifier: MIT */
/* See pinned.h. */
#include "memory/pinned.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/bell.h"
#include "base/pages.h"
#include "base/services.h"
#include "memory/memory.h"
#include "memory/placement.h"

struct pins {
    struct memory_owner owner; /* first: what a memory knows of it */
    struct services *services;
    struct bell *bell;

    /* Under the services' lock. */
    LIST_HEAD(, pinned) all;
    SLIST_HEAD(, pinned) released; /* of these: nobody uses it any more */
};

struct pinned {
    struct memory memory; /* first */
    struct pins *pins;
    uint32_t resource_id;
    bool abandoned; /* it will never be released */
    bool orphaned; /* the guest has unreferenced the resource: unreference it in the renderer too */
    LIST_ENTRY(pinned) link;
    SLIST_ENTRY(pinned) released_link;
};

static void let_go(struct memory *memory)
{
    struct pinned *pinned = (struct pinned *)memory;
    struct pins *pins = pinned->pins;
    pthread_mutex_lock(&pins->services->lock);
    SLIST_INSERT_HEAD(&pins->released, pinned, released_link);
    bell_ring(pins->bell);
    pthread_mutex_unlock(&pins->services->lock);
}

static void abandon(struct memory *memory)
{
    struct pinned *pinned = (struct pinned *)memory;
    struct pins *pins = pinned->pins;
    pthread_mutex_lock(&pins->services->lock);
    pinned->abandoned = true;
    bell_ring(pins->bell);
    pthread_mutex_unlock(&pins->services->lock);
}

struct pins *pins_create(struct services *services, struct bell *bell)
{
    struct pins *pins = calloc(1, sizeof(*pins));
    if (!pins)
        return NULL;
    pins->owner = (struct memory_owner){ .let_go = let_go, .abandon = abandon };
    pins->services = services;
    pins->bell = bell;
    LIST_INIT(&pins->all);
    SLIST_INIT(&pins->released);
    return pins;
}

void pins_destroy(struct pins *pins)
{
    free(pins);
}

struct memory *pins_add(struct pins *pins, uint32_t resource_id, uint64_t size)
{
    assert_device_thread(pins->services);
    const struct renderer *renderer = pins->services->renderer;
    void *ptr;
    uint64_t mapped_size;
    if (renderer->map(resource_id, &ptr, &mapped_size) < 0)
        return NULL;

    /* It has no room for a guest's larger page behind it, and so is shorter than the blob there. */
    uint64_t there = (uintptr_t)ptr % page_size_here()
                         ? 0
                         : placement_there(ptr, page_round_here(mapped_size), page_round(size));
    struct pinned *pinned = there ? calloc(1, sizeof(*pinned)) : NULL;
    if (!pinned) {
        renderer->unmap(resource_id);
        return NULL;
    }
    memory_init(&pinned->memory, pins->services, ptr, there);
    pinned->memory.owner = &pins->owner;
    pinned->pins = pins;
    pinned->resource_id = resource_id;
    pthread_mutex_lock(&pins->services->lock);
    LIST_INSERT_HEAD(&pins->all, pinned, link);
    pthread_mutex_unlock(&pins->services->lock);
    return &pinned->memory;
}

static struct pinned *find_locked(struct pins *pins, uint32_t resource_id)
{
    struct pinned *pinned;
    LIST_FOREACH(pinned, &pins->all, link) {
        if (pinned->resource_id == resource_id)
            return pinned;
    }
    return NULL;
}

bool pins_take_over(struct pins *pins, uint32_t resource_id)
{
    assert_device_thread(pins->services);
    pins_reap(pins);
    pthread_mutex_lock(&pins->services->lock);
    struct pinned *pinned = find_locked(pins, resource_id);
    if (pinned)
        pinned->orphaned = true;
    pthread_mutex_unlock(&pins->services->lock);
    return pinned;
}

bool pins_have(struct pins *pins, uint32_t resource_id, bool wait)
{
    assert_device_thread(pins->services);
    for (;;) {
        pins_reap(pins);
        pthread_mutex_lock(&pins->services->lock);
        const struct pinned *pinned = find_locked(pins, resource_id);
        bool in_use = pinned;
        bool again = in_use && wait && !pinned->abandoned && !pins->bell->urgent;
        if (again && SLIST_EMPTY(&pins->released))
            bell_wait(pins->bell);
        pthread_mutex_unlock(&pins->services->lock);
        if (!again)
            return in_use;
    }
}

bool pins_have_any(struct pins *pins)
{
    pthread_mutex_lock(&pins->services->lock);
    bool any = !LIST_EMPTY(&pins->all);
    pthread_mutex_unlock(&pins->services->lock);
    return any;
}

bool pins_have_released(const struct pins *pins)
{
    return !SLIST_EMPTY(&pins->released);
}

void pins_reap(struct pins *pins)
{
    assert_device_thread(pins->services);
    const struct renderer *renderer = pins->services->renderer;
    pthread_mutex_lock(&pins->services->lock);
    while (!SLIST_EMPTY(&pins->released)) {
        struct pinned *pinned = SLIST_FIRST(&pins->released);
        SLIST_REMOVE_HEAD(&pins->released, released_link);
        LIST_REMOVE(pinned, link);
        pthread_mutex_unlock(&pins->services->lock);

        renderer->unmap(pinned->resource_id);
        if (pinned->orphaned)
            renderer->resource_unref(pinned->resource_id);
        free(pinned);

        pthread_mutex_lock(&pins->services->lock);
    }
    pthread_mutex_unlock(&pins->services->lock);
}
