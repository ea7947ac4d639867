/* SPDX-License-Identifier: MIT */
/*
 * See translation.h.
 *
 * The device thread waits for the answers, but not while the device is reset: the front end may be waiting for
 * the device thread then. So whoever is the second to be done with a translation frees it: the device thread
 * in general, or the front end with its next answer to one that is not waited for any more.
 */
#include "command/translation.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bell.h"

struct translation {
    struct venus_gpu_translation
        base; /* first: what the front end sees; its own until it is done */
    struct services *services;
    struct bell *bell;

    /* Under the services' lock. */
    struct run *asked, *found; /* found: neighbours merged */
    unsigned num_asked, num_found, at, room;
    unsigned pieces, most; /* before they are merged, since each costs the front end time */
    bool done, abandoned;
    int error;
};

static void translation_free(struct translation *translation)
{
    free(translation->asked);
    free(translation->found);
    free(translation);
}

/* Go on to the next run that is not empty. Returns whether there is one. */
static bool next(struct translation *translation)
{
    while (translation->at < translation->num_asked) {
        const struct run *run = &translation->asked[translation->at++];
        translation->base.addr = run->addr;
        translation->base.len = run->len;
        if (run->len)
            return true;
    }
    return false;
}

static int add(struct translation *translation, uint64_t addr, uint64_t len)
{
    struct run *last =
        translation->num_found ? &translation->found[translation->num_found - 1] : NULL;
    if (++translation->pieces > translation->most)
        return -E2BIG;
    if (last && last->addr + last->len == addr) {
        last->len += len;
        return 0;
    }
    if (!translation->found || translation->num_found == translation->room) {
        unsigned more = translation->room ? translation->room * 2 : 16;
        struct run *found = realloc(translation->found, more * sizeof(*found));
        if (!found)
            return -ENOMEM;
        translation->found = found;
        translation->room = more;
    }
    translation->found[translation->num_found++] = (struct run){ addr, len };
    return 0;
}

/* Take an answer. Returns whether there is more to ask for. */
static bool take_locked(struct translation *translation, uint64_t addr, uint64_t len)
{
    struct venus_gpu_translation *base = &translation->base;
    if (!len || len > base->len || len > UINT64_MAX - addr)
        translation->error = -EFAULT;
    else
        translation->error = add(translation, addr, len);
    if (translation->error)
        return false;
    base->addr += len;
    base->len -= len;
    return base->len || next(translation);
}

bool venus_gpu_translated(struct venus_gpu_translation *base, uint64_t addr, uint64_t len)
{
    struct translation *translation = (struct translation *)base;
    pthread_mutex_t *lock = &translation->services->lock;
    pthread_mutex_lock(lock);
    bool abandoned = translation->abandoned;
    bool more = !abandoned && take_locked(translation, addr, len);
    if (!more && !abandoned) {
        translation->done = true;
        bell_ring(translation->bell);
    }
    pthread_mutex_unlock(lock);
    if (abandoned)
        translation_free(translation);
    return more;
}

/* Ask, and wait for all answers. Returns what translate() does; but for -EINTR it is the caller's again. */
static int ask(struct translation *translation)
{
    struct services *services = translation->services;
    services->ops.translate(services->opaque, &translation->base);
    pthread_mutex_lock(&services->lock);
    while (!translation->done && bell_wait(translation->bell))
        ;
    translation->abandoned = !translation->done;
    int error = translation->abandoned ? -EINTR : translation->error;
    pthread_mutex_unlock(&services->lock);
    return error;
}

int translate(struct services *services, struct bell *bell, struct run **runs, unsigned *num,
              unsigned most)
{
    assert_device_thread(services);
    if (!services->ops.translate)
        return 0;
    struct translation *translation = calloc(1, sizeof(*translation));
    struct run *rest = malloc(sizeof(*rest)); /* what the caller has if it fails */
    if (!translation || !rest) {
        free(translation);
        free(rest);
        return -ENOMEM;
    }
    *translation = (struct translation){
        .services = services, .bell = bell, .asked = *runs, .num_asked = *num, .most = most
    };
    *runs = rest;
    *rest = (struct run){ 0 };
    *num = 0;
    int error = next(translation) ? ask(translation) : 0;
    if (error == -EINTR)
        return error;
    if (error) {
        *rest = (struct run){ translation->base.addr, translation->base.len };
    } else if (translation->num_found) {
        free(rest);
        *runs = translation->found;
        *num = translation->num_found;
        translation->found = NULL;
    }
    translation_free(translation);
    return error;
}
