/* SPDX-License-Identifier: MIT */
/*
 * The hash table used for ids: uthash, told to report a failed allocation instead of exiting.
 *
 * After HASH_ADD, an element whose hh.tbl is NULL was not added.
 */
#ifndef TABLE_H
#define TABLE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
