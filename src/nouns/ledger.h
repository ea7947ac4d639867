/* SPDX-License-Identifier: MIT */
/*
 * Who holds what: an account for each context, and one for what belongs to none.
 *
 * A blob is on the account of the context that created it, until it is destroyed; an account whose context is gone
 * stays for as long as something is on it. So the sum of all accounts is what the budget has given.
 *
 * The device thread keeps the accounts; any thread reads them.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "venus-gpu.h"

struct account;
struct ledger;
struct services;

/* NULL if there is no memory. */
struct ledger *ledger_create(const struct services *services);
void ledger_destroy(struct ledger *ledger); /* takes NULL; every account is closed, and all was taken off */

/* The account of what belongs to no context. */
struct account *ledger_common(struct ledger *ledger);

/*
 * A context's account. name: as the guest wrote it, of len bytes. process: that of the render server which serves it,
 * or 0. NULL if there is no memory.
 */
struct account *ledger_open(struct ledger *ledger, uint32_t context_id, const char *name,
                            uint32_t len, enum venus_gpu_context_state state, pid_t process);
/* Its context is lost. */
void ledger_lose(struct ledger *ledger, struct account *account);
/* Its context is gone. */
void ledger_close(struct ledger *ledger, struct account *account);

void ledger_put(struct ledger *ledger, struct account *account, uint64_t bytes);
/* Takes NULL. The account may be gone after it. */
void ledger_take_off(struct ledger *ledger, struct account *account, uint64_t bytes);

/* What is on it, in bytes, and its context's name. Device thread. */
uint64_t account_bytes(const struct account *account);
const char *account_name(const struct account *account);
/* The process that serves its context; 0: not known, or there is none. Device thread. */
pid_t account_process(const struct account *account);

/* As venus_gpu_save_obstacle(): an account that is not plain is of what the renderer holds. Any thread. */
char *ledger_obstacle(struct ledger *ledger);
/* Whether there is such an account. Device thread. */
bool ledger_is_obstructed(const struct ledger *ledger);

/* As venus_gpu_contexts_sized(). Any thread. */
size_t ledger_read(struct ledger *ledger, struct venus_gpu_context *list, size_t max,
                   size_t context_size);

#endif
