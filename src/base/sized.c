/* SPDX-License-Identifier: MIT */
/* See sized.h. */
#include "base/sized.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/message.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

int sized_take(void *ours, size_t our_size, size_t least, const void *theirs, size_t their_size)
{
    if (their_size < least || their_size > SIZE_MOST)
        return -EINVAL;
    const unsigned char *bytes = theirs;
    for (size_t i = our_size; i < their_size; i++) {
        if (bytes[i])
            return -E2BIG;
    }
    memset(ours, 0, our_size);
    memcpy(ours, theirs, smaller(our_size, their_size));
    return 0;
}

char *sized_mistake(int error, const char *name, size_t their_size)
{
    if (error == -E2BIG)
        return message(
            "The front end was built for a newer libvenusgpu than %s, and sets something in its "
            "struct %s that this one does not know.\nInstall the newer library.",
            VENUS_GPU_VERSION, name);
    return message(
        "The front end's struct %s has %zu bytes, as in no version of libvenusgpu (this is %s).\n"
        "Its size must be what sizeof says where the front end is compiled.",
        name, their_size, VENUS_GPU_VERSION);
}

int sized_log(struct log *log, int error, const char *name, size_t their_size)
{
    char *mistake = sized_mistake(error, name, their_size);
    if (mistake) {
        char *end = strchr(mistake, '\n');
        if (end)
            *end = ' '; /* a log has lines */
        log_line(log, VENUS_GPU_LOG_ERROR, "%s", mistake);
    }
    free(mistake);
    return error;
}

void sized_give(void *theirs, size_t their_size, const void *ours, size_t our_size)
{
    size_t both = smaller(our_size, their_size);
    memcpy(theirs, ours, both);
    memset((char *)theirs + both, 0, their_size - both);
}
