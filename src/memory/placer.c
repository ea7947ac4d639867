/* SPDX-License-Identifier: MIT */
/*
 * See placer.h.
 *
 * What the driver is told is a slot: an address in a range as large as the window, that has no pages and that nobody else
 * is given. A blob's slot is as far from its start as the blob is from the window's. While the blob is in the window
 * its slot has no pages again, so that the driver, when it unmaps the blob, unmaps these.
 *
 * Between the move to the window and that, the slot is free for a moment, and another thread might be given it. It is not
 * likely, as the kernel gives addresses from the other end; and it is seen. Then the driver may not unmap the blob
 * for as long as somebody else is there.
 */
#include "memory/placer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/pages.h"
#include "base/protocol.h"
#include "base/services.h"
#include "platform/platform.h"
#include "renderer/renderer.h"
#include "vk/shared-vulkan.h"

/* Far from where a kernel begins to look for room, be that above or in the middle. Anything else will do as well. */
#define SLOTS_HINT (sizeof(void *) > 4 ? (uintptr_t)1 << 44 : 0)

/* A GPU that is lost again and again is not worth waiting for. */
enum { MAX_OPENINGS = 3 };

/* What of a guest's memory stays for a little longer than it says. */
enum { MAX_WAITING = 16, MAX_WAITING_BYTES = 64 << 20 };

struct placer {
    struct services *services;
    struct shared_vulkan *shared; /* not ours, unless it is `own` */
    struct shared_vulkan *own;    /* where presenting was told to use another device; or NULL */
    const char *base;             /* of the window */
    uint64_t size;
    bool is_alone;

    char *slots; /* as many bytes as the window has, and then some; NULL: none, or no longer */
    uint64_t slots_size;
    struct vulkan *vk; /* NULL: not open */
    unsigned openings; /* how often it was opened */
    bool gave_up;

    /* What the driver is to unmap, the oldest first, once nobody waits for this thread. */
    TAILQ_HEAD(, placed) waiting;
    unsigned num_waiting;
    uint64_t waiting_bytes;
};

struct placed {
    struct services *services;
    struct placer *placer;
    struct vulkan *vk;
    VkDeviceMemory memory;
    char *slots, *slot;
    uint64_t size;
    bool slot_is_ours; /* there is nobody else in it */
    TAILQ_ENTRY(placed) link;
};

/* What stays to the end of the process. On the device thread. */
static TAILQ_HEAD(, placed) kept = TAILQ_HEAD_INITIALIZER(kept);

struct placer *placer_create(struct services *services, struct shared_vulkan *vulkan,
                             const void *base, uint64_t size)
{
    struct placer *placer = calloc(1, sizeof(*placer));
    if (!placer)
        return NULL;
    const char *way = getenv("VENUS_GPU_PLACE");
    placer->services = services;
    placer->shared = vulkan;
    placer->base = base;
    placer->size = size;
    TAILQ_INIT(&placer->waiting);
    placer->is_alone = way && !strcmp(way, "vulkan");
    return placer;
}

void placer_destroy(struct placer *placer)
{
    if (!placer)
        return;
    while (placer_has_waiting(placer))
        placer_work(placer);
    vulkan_unref(placer->vk);
    shared_vulkan_destroy(placer->own);
    if (placer->slots)
        munmap(placer->slots, placer->slots_size);
    free(placer);
}

bool placer_is_alone(const struct placer *placer)
{
    return placer->is_alone;
}

bool placer_is_first(const struct placer *placer)
{
    const struct renderer_device *device = placer->shared->renderer;
    return placer->is_alone || (device->is_only && !device->is_processor && !placer->gave_up);
}

#ifdef VK_EXT_map_memory_placed

/* Pages that nobody can touch, there and nowhere else; false: somebody has something there. */
static bool take_room(char *room, uint64_t size)
{
    void *ptr = mmap(room, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ptr == room)
        munlock(room, size); /* for a process that locks what it maps */
    else if (ptr != MAP_FAILED)
        munmap(ptr, size);
    return ptr == room;
}

/*
 * A guest may call memory smaller than it is, and nobody tells its size; Vulkan does not say whether a driver then maps what
 * it was told, or all. So behind the slots as many addresses are kept as memory can have.
 */
static bool make_slots(struct placer *placer)
{
    const VkPhysicalDeviceMemoryProperties *memory = &placer->vk->memory;
    uint64_t most = 0;
    for (uint32_t i = 0; i < memory->memoryHeapCount; i++) {
        if (memory->memoryHeaps[i].size > most)
            most = memory->memoryHeaps[i].size;
    }
    if (most > SIZE_MAX / 2)
        return false;
    uint64_t size = placer->size + page_round_here(most);
    void *slots = mmap((void *)SLOTS_HINT, size, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots == MAP_FAILED)
        return false;
    munlock(slots, size);
    placer->slots = slots;
    placer->slots_size = size;
    return true;
}

/* The slot of what is at dst, or NULL. */
static char *slot_of(struct placer *placer, const char *dst, uint64_t size)
{
    if (dst < placer->base || size > placer->size ||
        (uint64_t)(dst - placer->base) > placer->size - size)
        return NULL;
    if (!placer->slots && !make_slots(placer))
        return NULL;
    return placer->slots + (dst - placer->base);
}

static bool give_up(struct placer *placer, const char *why)
{
    placer->gave_up = true;
    log_line(&placer->services->log, VENUS_GPU_LOG_DEBUG, "Vulkan places no blobs: %s", why);
    return false;
}

static bool open_shared(struct placer *placer)
{
    struct shared_vulkan *shared = placer->shared;
    if (shared->name && !placer->own) {
        placer->own = shared_vulkan_create(NULL, shared->renderer);
        if (!placer->own)
            return give_up(placer, "out of memory");
        placer->own->get_instance_proc_addr = shared->get_instance_proc_addr;
    }
    char *why = NULL;
    placer->vk = shared_vulkan_open(placer->own ? placer->own : shared, false, &why);
    if (!placer->vk)
        give_up(placer, why ? why : "there is none");
    free(why);
    return placer->vk;
}

/* Have a device that can do it. */
static bool open_vulkan(struct placer *placer)
{
    if (placer->vk && atomic_load(&placer->vk->lost)) {
        vulkan_unref(placer->vk);
        placer->vk = NULL;
    }
    if (placer->vk || placer->gave_up)
        return placer->vk;
    if (placer->openings++ == MAX_OPENINGS)
        return give_up(placer, "its device is lost again and again");
    /* Of several devices nobody says which one a descriptor is of, and another one must not be given it. */
    if (!placer->shared->renderer->is_only)
        return give_up(placer, "the guest has several devices");
    if (!open_shared(placer))
        return false;
    if (placer->vk->places)
        return true;
    vulkan_unref(placer->vk);
    placer->vk = NULL;
    return give_up(placer, "the driver has no VK_EXT_map_memory_placed");
}

static int error_of(struct vulkan *vk, VkResult result)
{
    if (result == VK_ERROR_DEVICE_LOST)
        atomic_store(&vk->lost, true);
    return result == VK_SUCCESS ? 0 : -EIO;
}

static bool overlap(const struct placed *placed, const char *slot, uint64_t size)
{
    return placed->slot < slot + size && slot < placed->slot + placed->size;
}

/*
 * Which type to tell the driver in the n-th attempt, or -1: those whose mappings are cached, or are not, as the renderer says
 * (0: it does not), the plainest first. A type that is wrong does for a driver that knows better; but where it is that of
 * a GPU's own memory, which has larger pages, the driver rounds up to these and finds that there is not so much.
 */
static int nth_type(const struct vulkan *vk, uint32_t map_info, unsigned n)
{
    const VkMemoryPropertyFlags visible =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    for (VkMemoryPropertyFlags wanted = 0; wanted <= local; wanted += local) {
        for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++) {
            VkMemoryPropertyFlags flags = vk->memory.memoryTypes[i].propertyFlags;
            bool cached = flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
            bool fits = !map_info || cached == (map_info == VIRTIO_GPU_MAP_CACHE_CACHED);
            if (fits && (flags & visible) == visible && (flags & local) == wanted && n-- == 0)
                return (int)i;
        }
    }
    return -1;
}

/*
 * The driver compares what it is told with what was allocated, in whole pages as the guest's kernel does: it refuses more
 * than there is, and what is no memory of its own. Takes the descriptor over.
 */
static int import_as(struct placed *placed, int fd, int type)
{
    const VkImportMemoryFdInfoKHR source = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT,
        .fd = fd,
    };
    const VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &source,
        .allocationSize = placed->size,
        .memoryTypeIndex = (uint32_t)type,
    };
    return error_of(placed->vk, vulkan_import(placed->vk, &allocation, &fd, &placed->memory));
}

static int import(struct placed *placed, int fd, uint32_t map_info)
{
    int type, ret = -ENOTSUP;
    for (unsigned n = 0; ret < 0 && (type = nth_type(placed->vk, map_info, n)) >= 0; n++) {
        int twin = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        ret = twin < 0 ? -errno : import_as(placed, twin, type);
    }
    close(fd);
    return ret;
}

/* Map it in its slot. On failure, it is not mapped. */
static int map(struct placed *placed)
{
    struct vulkan *vk = placed->vk;
    VkMemoryMapPlacedInfoEXT where = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_MAP_PLACED_INFO_EXT,
        .pPlacedAddress = placed->slot,
    };
    const VkMemoryMapInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_MAP_INFO_KHR,
        .pNext = &where,
        .flags = VK_MEMORY_MAP_PLACED_BIT_EXT,
        .memory = placed->memory,
        .size = VK_WHOLE_SIZE,
    };
    void *ptr = NULL;
    int ret = error_of(vk, vk->MapMemory2KHR(vk->device, &info, &ptr));
    return ret == 0 && ptr != placed->slot ? -EIO : ret; /* freeing it unmaps it, elsewhere */
}

/* false: the driver goes on using the slot. */
static bool unmap(struct placed *placed)
{
    struct vulkan *vk = placed->vk;
    const VkMemoryUnmapInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_UNMAP_INFO_KHR,
        .flags = VK_MEMORY_UNMAP_RESERVE_BIT_EXT,
        .memory = placed->memory,
    };
    return error_of(vk, vk->UnmapMemory2KHR(vk->device, &info)) == 0;
}

/* What is mapped no longer. */
static void release(struct placed *placed)
{
    struct vulkan *vk = placed->vk;
    vk->FreeMemory(vk->device, placed->memory, NULL);
    budget_give_back(&placed->services->budget, BUDGET_DESCRIPTORS, 1);
    vulkan_unref(vk);
    free(placed);
}

/* Freeing memory that is mapped unmaps it, in the driver's own way, so what cannot be unmapped stays. */
void placed_keep(struct placed *placed)
{
    if (!placed)
        return;
    log_line(&placed->services->log, VENUS_GPU_LOG_WARNING,
             "%llu bytes of a blob stay with the GPU's driver, as they cannot be unmapped",
             (unsigned long long)placed->size);
    /* Its slot is nobody else's any more; the next ones are elsewhere. */
    if (placed->slots == placed->placer->slots)
        placed->placer->slots = NULL;
    TAILQ_INSERT_HEAD(&kept, placed, link);
}

static void end(struct placed *placed)
{
    if (vulkan_hangs(placed->vk)) {
        vulkan_abandon(placed->vk, placed);
        return;
    }
    if (!placed->slot_is_ours && !take_room(placed->slot, placed->size)) {
        placed_keep(placed);
        return;
    }
    bool unmapped = unmap(placed);
    if (!placed->slot_is_ours && unmapped)
        munmap(placed->slot, placed->size);
    if (unmapped)
        release(placed);
    else
        placed_keep(placed);
}

static void end_waiting(struct placer *placer, struct placed *placed)
{
    TAILQ_REMOVE(&placer->waiting, placed, link);
    placer->num_waiting--;
    placer->waiting_bytes -= placed->size;
    end(placed);
}

/* Two mappings at one address are none of a driver's business. */
static void empty_slot(struct placer *placer, const char *slot, uint64_t size)
{
    struct placed *placed = TAILQ_FIRST(&placer->waiting);
    while (placed) {
        struct placed *next = TAILQ_NEXT(placed, link);
        if (overlap(placed, slot, size))
            end_waiting(placer, placed);
        placed = next;
    }
}

void placed_free(struct placed *placed)
{
    if (!placed)
        return;
    struct placer *placer = placed->placer;
    assert_device_thread(placer->services);
    TAILQ_INSERT_TAIL(&placer->waiting, placed, link);
    placer->num_waiting++;
    placer->waiting_bytes += placed->size;
    while (placer->num_waiting > MAX_WAITING || placer->waiting_bytes > MAX_WAITING_BYTES)
        placer_work(placer);
}

bool placer_has_waiting(const struct placer *placer)
{
    return placer->num_waiting;
}

void placer_work(struct placer *placer)
{
    assert_device_thread(placer->services);
    if (placer->num_waiting)
        end_waiting(placer, TAILQ_FIRST(&placer->waiting));
}

/* From the slot to the window. Takes placed over on failure. */
static int move(struct placer *placer, struct placed *placed, void *dst)
{
    bool is_whole = platform_page_exists(placed->slot + placed->size - page_size_here());
    int ret = is_whole ? 0 : -EIO; /* the next way has its own look */
    if (ret == 0)
        ret = platform_move(placed->slot, placed->size, dst);
    placed->slot_is_ours = true;
    if (ret < 0) {
        end(placed);
        return ret;
    }
    placed->slot_is_ours = take_room(placed->slot, placed->size);
    if (!placed->slot_is_ours)
        placer->slots = NULL; /* they are not all ours; the next ones are elsewhere */
    return 0;
}

int placer_place(struct placer *placer, int fd, uint64_t size, uint32_t map_info, void *dst,
                 struct placed **out)
{
    assert_device_thread(placer->services);
    int ret = -ENOTSUP;
    char *slot = NULL;
    if (open_vulkan(placer) && size % placer->vk->placing_alignment == 0)
        slot = slot_of(placer, dst, size);
    if (!slot || (uintptr_t)slot % placer->vk->placing_alignment)
        goto fail;
    empty_slot(placer, slot, size);
    ret = -EMFILE; /* it is the driver's for as long as the blob is there */
    if (!budget_take(&placer->services->budget, BUDGET_DESCRIPTORS, 1))
        goto fail;
    ret = -ENOMEM;
    struct placed *placed = calloc(1, sizeof(*placed));
    if (!placed) {
        budget_give_back(&placer->services->budget, BUDGET_DESCRIPTORS, 1);
        goto fail;
    }
    *placed = (struct placed){ .services = placer->services,
                               .placer = placer,
                               .vk = vulkan_ref(placer->vk),
                               .slots = placer->slots,
                               .slot = slot,
                               .size = size };
    ret = import(placed, fd, map_info);
    if (ret == 0)
        ret = map(placed);
    if (ret < 0) {
        release(placed);
        take_room(slot, size); /* should the driver have left a hole */
        return ret;
    }
    ret = move(placer, placed, dst);
    if (ret == 0)
        *out = placed;
    return ret;

fail:
    close(fd);
    return ret;
}

#else /* headers from before it */

int placer_place(struct placer *placer, int fd, uint64_t size, uint32_t map_info, void *dst,
                 struct placed **placed)
{
    (void)placer, (void)size, (void)map_info, (void)dst, (void)placed;
    close(fd);
    return -ENOTSUP;
}

void placed_free(struct placed *placed)
{
    (void)placed;
}

bool placer_has_waiting(const struct placer *placer)
{
    (void)placer;
    return false;
}

void placer_work(struct placer *placer)
{
    (void)placer;
}

void placed_keep(struct placed *placed)
{
    (void)placed;
}

#endif
