/* SPDX-License-Identifier: MIT */
/*
 * The connection between virglrenderer and the render server, with us in the middle.
 *
 * virglrenderer waits for answers of the server, and of the process that serves a context, without a
 * bound. We hold the other end of its connection to the server, pass on what goes over it, and so
 * see the sockets of contexts pass. What is cut off here fails at once in virglrenderer.
 */
#ifndef LINK_H
#define LINK_H

#include <stdint.h>

struct link;

/*
 * Takes over two descriptors, also when it fails: a socket to the render server, and a pipe with its
 * messages, or -1. Each message is passed to log, on a thread of the link. Returns NULL on failure; else
 * stores the socket for virglrenderer, which is the caller's.
 */
struct link *link_start(int server, int messages, void (*log)(void *opaque, const char *line),
                        void *opaque, int *renderer);

/* End the connection and free it. Takes NULL. */
void link_stop(struct link *link);

/* Contexts whose sockets pass from now on have that id; 0: none are to come. */
void link_expect(struct link *link, uint32_t context_id);

/* The context is gone. */
void link_forget(struct link *link, uint32_t context_id);

/* Cut the process of a context off; 0: the server, and all contexts. Never waits. Any thread. */
void link_cut(struct link *link, uint32_t context_id);

#endif
