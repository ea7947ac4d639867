/* SPDX-License-Identifier: MIT */
/* See ledger.h. */
#include "nouns/ledger.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/message.h"
#include "base/services.h"
#include "base/sized.h"
#include "platform/platform.h"

struct account {
    struct venus_gpu_context shown; /* but for process_bytes */
    TAILQ_ENTRY(account) link;
};

struct ledger {
    const struct services *services;
    pthread_mutex_t
        lock; /* guards all that follows; the device thread, who alone writes, reads without it */
    TAILQ_HEAD(, account) accounts; /* the common one first, then the older before the newer */
    unsigned count;
    struct account common;
};

struct ledger *ledger_create(const struct services *services)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (!ledger)
        return NULL;
    ledger->services = services;
    pthread_mutex_init(&ledger->lock, NULL);
    TAILQ_INIT(&ledger->accounts);
    ledger->common.shown.state = VENUS_GPU_CONTEXT_PLAIN;
    TAILQ_INSERT_HEAD(&ledger->accounts, &ledger->common, link);
    ledger->count = 1;
    return ledger;
}

void ledger_destroy(struct ledger *ledger)
{
    if (ledger)
        pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

struct account *ledger_common(struct ledger *ledger)
{
    return &ledger->common;
}

/* A guest may write anything; what reads this writes it on a terminal. */
static void take_name(char *to, size_t room, const char *name, uint32_t len)
{
    size_t i;
    for (i = 0; i < len && i + 1 < room && name[i]; i++)
        to[i] = (char)(name[i] < ' ' || name[i] > '~' ? '?' : name[i]);
    to[i] = 0;
}

/* Of what the renderer holds, which cannot be saved. */
static bool hinders(const struct account *account)
{
    return account->shown.state != VENUS_GPU_CONTEXT_PLAIN;
}

static void tell(const struct ledger *ledger)
{
    const struct venus_gpu_ops *ops = &ledger->services->ops;
    if (ops->save_obstacle_changed)
        ops->save_obstacle_changed(ledger->services->opaque);
}

struct account *ledger_open(struct ledger *ledger, uint32_t context_id, const char *name,
                            uint32_t len, enum venus_gpu_context_state state, pid_t process)
{
    struct account *account = calloc(1, sizeof(*account));
    if (!account)
        return NULL;
    account->shown.id = context_id;
    account->shown.state = state;
    account->shown.process_id = (uint64_t)process;
    take_name(account->shown.name, sizeof(account->shown.name), name, len);
    pthread_mutex_lock(&ledger->lock);
    TAILQ_INSERT_TAIL(&ledger->accounts, account, link);
    ledger->count++;
    pthread_mutex_unlock(&ledger->lock);
    if (hinders(account))
        tell(ledger);
    return account;
}

/* Its process ends, and another may get that id. */
static void set_state(struct ledger *ledger, struct account *account,
                      enum venus_gpu_context_state state)
{
    pthread_mutex_lock(&ledger->lock);
    account->shown.state = state;
    account->shown.process_id = 0;
    pthread_mutex_unlock(&ledger->lock);
}

void ledger_lose(struct ledger *ledger, struct account *account)
{
    set_state(ledger, account, VENUS_GPU_CONTEXT_LOST);
}

/* Returns whether it is gone. */
static bool remove_if_idle(struct ledger *ledger, struct account *account)
{
    if (account->shown.state != VENUS_GPU_CONTEXT_GONE || account->shown.resources)
        return false;
    pthread_mutex_lock(&ledger->lock);
    TAILQ_REMOVE(&ledger->accounts, account, link);
    ledger->count--;
    pthread_mutex_unlock(&ledger->lock);
    free(account);
    return true;
}

void ledger_close(struct ledger *ledger, struct account *account)
{
    bool hindered = hinders(account);
    set_state(ledger, account, VENUS_GPU_CONTEXT_GONE);
    if (remove_if_idle(ledger, account) && hindered)
        tell(ledger);
}

void ledger_put(struct ledger *ledger, struct account *account, uint64_t bytes)
{
    pthread_mutex_lock(&ledger->lock);
    account->shown.resources++;
    account->shown.bytes += bytes;
    pthread_mutex_unlock(&ledger->lock);
}

void ledger_take_off(struct ledger *ledger, struct account *account, uint64_t bytes)
{
    if (!account)
        return;
    pthread_mutex_lock(&ledger->lock);
    account->shown.resources--;
    account->shown.bytes -= bytes;
    pthread_mutex_unlock(&ledger->lock);
    if (remove_if_idle(ledger, account))
        tell(ledger);
}

uint64_t account_bytes(const struct account *account)
{
    return account->shown.bytes;
}

pid_t account_process(const struct account *account)
{
    return (pid_t)account->shown.process_id;
}

const char *account_name(const struct account *account)
{
    return account->shown.name;
}

/* How many of them are named; a guest may have hundreds. */
enum { MOST_NAMED = 8 };

static char *obstacle_locked(struct ledger *ledger)
{
    char names[MOST_NAMED * (sizeof(ledger->common.shown.name) + 32)] = "";
    size_t len = 0, count = 0;
    const struct account *account;
    TAILQ_FOREACH(account, &ledger->accounts, link) {
        if (!hinders(account) || ++count > MOST_NAMED)
            continue;
        len += (size_t)snprintf(
            names + len, sizeof(names) - len, "%s%s (context %u)", len ? ", " : "",
            account->shown.name[0] ? account->shown.name : "without a name", account->shown.id);
    }
    if (!count)
        return NULL;
    if (count > MOST_NAMED)
        snprintf(names + len, sizeof(names) - len, " and %zu more", count - MOST_NAMED);
    return message("What programs of the guest have in Vulkan cannot be saved: %s.", names);
}

char *ledger_obstacle(struct ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    char *obstacle = obstacle_locked(ledger);
    pthread_mutex_unlock(&ledger->lock);
    return obstacle;
}

bool ledger_is_obstructed(const struct ledger *ledger)
{
    const struct account *account;
    TAILQ_FOREACH(account, &ledger->accounts, link) {
        if (hinders(account))
            return true;
    }
    return false;
}

size_t ledger_read(struct ledger *ledger, struct venus_gpu_context *list, size_t max,
                   size_t context_size)
{
    if (context_size < CONTEXT_SIZE_LEAST)
        return 0;
    size_t i = 0;
    const struct account *account;
    pthread_mutex_lock(&ledger->lock);
    TAILQ_FOREACH(account, &ledger->accounts, link) {
        if (i == max)
            break;
        sized_give((char *)list + i++ * context_size, context_size, &account->shown,
                   sizeof(account->shown));
    }
    size_t count = ledger->count;
    pthread_mutex_unlock(&ledger->lock);

    /* That takes a while, in which the device thread is not to wait. */
    while (i-- > 0) {
        struct venus_gpu_context *shown = (void *)((char *)list + i * context_size);
        if (shown->process_id)
            shown->process_bytes = platform_process_memory((pid_t)shown->process_id);
    }
    return count;
}
