/*
 * virtio-gpu-venus: a device that pins memory, for the tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/un.h>
#include "qemu/bswap.h"
#include "vfio-user.h"

/* Numbers are those of the vfio-user protocol. */
enum {
    VERSION = 1,
    DMA_MAP = 2,
    GET_INFO = 4,
    GET_REGION_INFO = 5,
    GET_IRQ_INFO = 7,
    REGION_READ = 9,
};

#define TYPE_REPLY 0x1
#define NO_REPLY 0x10
#define CONFIG_REGION 7
#define CONFIG_SIZE 256

typedef struct Header {
    uint16_t id;
    uint16_t command;
    uint32_t size;              /* of the message, with the header */
    uint32_t flags;
    uint32_t error;
} Header;

typedef struct Map {
    uint32_t argsz, flags;
    uint64_t offset, iova, size;
} Map;

typedef struct Info {
    uint32_t argsz, flags, num_regions, num_irqs;
} Info;

typedef struct RegionInfo {
    uint32_t argsz, flags, index, capabilities;
    uint64_t size, offset;
} RegionInfo;

typedef struct Access {
    uint64_t offset;
    uint32_t region, count;
    uint8_t data[];
} Access;

struct VfioUser {
    char *dir, *path, *args;
    int listener;
    GThread *thread;
    GMutex lock;
    GArray *maps;               /* under @lock: sizes, of uint64_t */
};

static bool receive(int fd, void *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        /* Descriptors that come with it are closed by the kernel. */
        ssize_t n = recv(fd, (char *)data + done, size - done, 0);

        if (n <= 0) {
            return false;
        }
        done += n;
    }
    return true;
}

/* Make the answer of the request @body, in its place.  Returns its size. */
static size_t answer(VfioUser *s, int command, void *body, size_t size)
{
    /* a vendor's and a device's number that nobody has, and no capabilities */
    static const uint8_t config[CONFIG_SIZE] = { 0x36, 0x1b, 0xfe, 0xff };
    static const char version[] = "\0\0\0\0{\"capabilities\":{}}";
    Info *info = body;
    RegionInfo *region = body;
    Access *access = body;

    switch (command) {
    case VERSION:
        memcpy(body, version, sizeof(version));
        return sizeof(version);
    case DMA_MAP:
        g_mutex_lock(&s->lock);
        g_array_append_val(s->maps, ((Map *)body)->size);
        g_mutex_unlock(&s->lock);
        return 0;
    case GET_INFO:
        info->flags = 0x2;      /* PCI */
        info->num_regions = 9;
        info->num_irqs = 5;
        return sizeof(*info);
    case GET_REGION_INFO:
        region->flags = region->index == CONFIG_REGION ? 0x3 : 0;
        region->capabilities = 0;
        region->size = region->index == CONFIG_REGION ? CONFIG_SIZE : 0;
        region->offset = 0;
        return sizeof(*region);
    case GET_IRQ_INFO:
        info->flags = 0;
        info->num_irqs = 0;
        return sizeof(*info);
    case REGION_READ:
        g_assert_cmpuint(access->offset + access->count, <=, CONFIG_SIZE);
        memcpy(access->data, config + access->offset, access->count);
        return sizeof(*access) + access->count;
    default:
        return 0;
    }
}

static void *serve(void *opaque)
{
    VfioUser *s = opaque;
    int fd = accept(s->listener, NULL, NULL);
    union {
        Access access;          /* so that it is aligned */
        uint8_t bytes[64 * 1024];
    } body;
    Header h;

    while (fd >= 0 && receive(fd, &h, sizeof(h)) &&
           h.size >= sizeof(h) && h.size - sizeof(h) <= sizeof(body) / 2 &&
           receive(fd, &body, h.size - sizeof(h))) {
        size_t size = answer(s, h.command, &body, h.size - sizeof(h));

        if (h.flags & NO_REPLY) {
            continue;
        }
        h.flags = TYPE_REPLY;
        h.error = 0;
        h.size = sizeof(h) + size;
        if (send(fd, &h, sizeof(h), MSG_NOSIGNAL) != sizeof(h) ||
            send(fd, &body, size, MSG_NOSIGNAL) != size) {
            break;
        }
    }
    close(fd);
    return NULL;
}

VfioUser *vfio_user_start(void)
{
    VfioUser *s = g_new0(VfioUser, 1);
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    s->dir = g_dir_make_tmp("venus-XXXXXX", NULL);
    s->path = g_build_filename(s->dir, "vfio-user", NULL);
    s->args = g_strdup_printf("-device '{\"driver\":\"vfio-user-pci\","
                              "\"socket\":{\"type\":\"unix\","
                              "\"path\":\"%s\"}}'", s->path);
    g_mutex_init(&s->lock);
    s->maps = g_array_new(false, false, sizeof(uint64_t));
    g_strlcpy(addr.sun_path, s->path, sizeof(addr.sun_path));
    s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(s->listener, >=, 0);
    g_assert_cmpint(bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)),
                    ==, 0);
    g_assert_cmpint(listen(s->listener, 1), ==, 0);
    s->thread = g_thread_new("vfio-user", serve, s);
    return s;
}

void vfio_user_stop(VfioUser *s)
{
    /* Nobody may have come. */
    shutdown(s->listener, SHUT_RDWR);
    g_thread_join(s->thread);
    close(s->listener);
    g_unlink(s->path);
    g_rmdir(s->dir);
    g_array_free(s->maps, true);
    g_mutex_clear(&s->lock);
    g_free(s->args);
    g_free(s->path);
    g_free(s->dir);
    g_free(s);
}

const char *vfio_user_args(VfioUser *s)
{
    return s->args;
}

unsigned vfio_user_count_maps(VfioUser *s, uint64_t size)
{
    unsigned count = 0;

    g_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->maps->len; i++) {
        count += g_array_index(s->maps, uint64_t, i) == size;
    }
    g_mutex_unlock(&s->lock);
    return count;
}
