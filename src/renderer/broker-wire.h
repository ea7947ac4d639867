/* SPDX-License-Identifier: MIT */
/*
 * What is said between the library and venus-gpu-renderd, which starts render servers for others.
 *
 * One connection (AF_UNIX, SOCK_SEQPACKET) is one render server. The client sends BROKER_START. The answer is a
 * broker_reply, and when its status is BROKER_OK two descriptors come with it: a socket to the render server, and the
 * end of a pipe that its messages come out of. From then on the connection is what keeps the server: it is
 * killed, with the processes of its contexts, when the client closes its end, and the connection is closed
 * when the server ends. The client may send BROKER_LIMIT meanwhile, which has no answer. Anything else that
 * is sent ends the server. Numbers are in the byte order of the machine, which both sides run on.
 */
#ifndef BROKER_WIRE_H
#define BROKER_WIRE_H

#include <stdint.h>

#define BROKER_MAGIC   UINT32_C(0x76677264) /* "vgrd" */
#define BROKER_VERSION UINT32_C(1)

/* How long either side waits for the other's first message. */
enum { BROKER_PATIENCE_MS = 10000 };

enum broker_what {
    BROKER_START = 1, /* bytes is 0 */
    /* Processes of contexts that begin from now on may have so many bytes of memory, as server_limit_memory() says. */
    BROKER_LIMIT = 2,
};

struct broker_request {
    uint32_t magic, version;
    uint32_t what; /* enum broker_what */
    uint32_t padding;
    uint64_t bytes;
};

enum broker_status {
    BROKER_OK = 0,
    BROKER_WRONG_VERSION = 1, /* the reply's version is the one that would do */
    BROKER_TOO_MANY = 2,      /* servers run already */
    BROKER_FAILED = 3,
};

struct broker_reply {
    uint32_t magic, version;
    uint32_t status; /* enum broker_status */
    uint32_t padding;
    char text[240]; /* unless it is BROKER_OK: why, one line, with a zero at its end */
};

enum { BROKER_SERVER, BROKER_MESSAGES, BROKER_DESCRIPTORS }; /* their order */

_Static_assert(sizeof(struct broker_request) == 24, "no padding but what is named");
_Static_assert(sizeof(struct broker_reply) == 256, "no padding but what is named");

#endif
