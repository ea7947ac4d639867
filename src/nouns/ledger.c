/* SPDX-License-Identifier: MIT */
/* See ledger.h. */
#include "nouns/ledger.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/sized.h"
#include "platform/platform.h"

struct account {
    struct venus_gpu_context shown; /* but for process_bytes */
    TAILQ_ENTRY(account) link;
};

struct ledger {
    pthread_mutex_t
        lock; /* guards all that follows; the device thread, who alone writes, reads without it */
    TAILQ_HEAD(, account) accounts; /* the common one first, then the older before the newer */
    unsigned count;
    struct account common;
};

struct ledger *ledger_create(void)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (!ledger)
        return NULL;
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

static void remove_if_idle(struct ledger *ledger, struct account *account)
{
    if (account->shown.state != VENUS_GPU_CONTEXT_GONE || account->shown.resources)
        return;
    pthread_mutex_lock(&ledger->lock);
    TAILQ_REMOVE(&ledger->accounts, account, link);
    ledger->count--;
    pthread_mutex_unlock(&ledger->lock);
    free(account);
}

void ledger_close(struct ledger *ledger, struct account *account)
{
    set_state(ledger, account, VENUS_GPU_CONTEXT_GONE);
    remove_if_idle(ledger, account);
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
    remove_if_idle(ledger, account);
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
