/* SPDX-License-Identifier: MIT */
/* What the system tells about this process and its children: for tests of leaks and of dead servers. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

unsigned process_fds(void);
unsigned process_threads(void);
unsigned process_maps(void);

/* How many libraries are loaded whose file's name begins so. */
unsigned process_libraries(const char *name);

/* How many mappings may be made for heaps while a test runs. Those of sanitizers are many. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PROCESS_IS_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PROCESS_IS_SANITIZED
#endif
#ifdef PROCESS_IS_SANITIZED
enum { PROCESS_MAPS_OF_HEAPS = 1000 };
#else
enum { PROCESS_MAPS_OF_HEAPS = 8 };
#endif

/* Processor time of this process so far, user and system. */
uint64_t process_cpu_ms(void);

/* The children of a process, zombies left out; returns how many there are, at most max. */
unsigned process_children(pid_t parent, pid_t *children, unsigned max);

/* Wait until a process has that many children: ends of processes take their time. */
void process_wait_for_children(pid_t parent, unsigned count);

/* Wait until this process has no more threads than that: one that was joined is still counted for a moment. */
void process_wait_for_threads(unsigned most);

/* Whether it has ended, be it a zombie. */
bool process_is_dead(pid_t pid);

/* What it is and what it does, for a person to read. */
void process_describe(pid_t pid, char *text, size_t size);

/* A bound for max_call_ms that a busy machine keeps to; VENUS_TEST_SLOWER times longer, as an emulated one is busy with anything. */
uint32_t process_soon_ms(void);

/* This process' only child: the render server. */
pid_t process_server(void);

/* The child of the server that is not in the list: who serves the context that was just created. */
pid_t process_new_worker(pid_t server, const pid_t *known, unsigned num_known);

/* Wait until a process is dead (not until it is reaped), by whomever it is ended. */
void process_wait_for_end(pid_t pid);

/* Kill a process, and wait until it is dead (not until it is reaped). */
void process_kill(pid_t pid);

#endif
