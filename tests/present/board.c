/* SPDX-License-Identifier: MIT */
/* See board.h. */
#include "board.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "present/sheets.h"
#include "screen.h"

struct sheet {
    unsigned refs; /* the presenter's, and the board's */
    bool read;     /* by the window server */
    uint32_t width, height;
    VkDeviceSize pitch, size; /* bytes */
    char *memory;
    uint32_t sum; /* of what was in there when it was shown */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct sheet *waiting, *shown; /* references */
    struct sheet *former[64];      /* what the window server reads besides; references */
    unsigned num_former;
    bool takes, lets_go, visible, lost;
    uint32_t width, height;
    int limit;
    int news; /* a descriptor, of the one surface that there is */
    unsigned told, heard;
    unsigned num_shown, taken, torn, made, alive, surfaces;
} board = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .news = -1 };

static void lock_board(void)
{
    pthread_mutex_lock(&board.lock);
}

static void unlock_board(void)
{
    pthread_mutex_unlock(&board.lock);
}

/* ---- sheets --------------------------------------------------------------------------------------- */

static uint32_t sum_of(const struct sheet *sheet)
{
    uint32_t sum = 0;
    for (VkDeviceSize i = 0; i < sheet->size / 4; i++)
        sum = sum * 31 + ((const uint32_t *)sheet->memory)[i];
    return sum;
}

static void unref_locked(struct sheet *sheet)
{
    if (!sheet || --sheet->refs)
        return;
    board.alive--;
    free(sheet->memory);
    free(sheet);
}

static struct sheet *create_sheet(uint32_t width, uint32_t height)
{
    lock_board();
    struct sheet *sheet = NULL;
    if (board.limit) {
        board.limit -= board.limit > 0;
        board.made++;
        board.alive++;
        sheet = calloc(1, sizeof(*sheet));
        *sheet = (struct sheet){ .refs = 1, .width = width, .height = height };
    }
    unlock_board();
    return sheet;
}

static void destroy_sheet(struct sheet *sheet)
{
    lock_board();
    unref_locked(sheet);
    unlock_board();
}

static VkResult create_image(struct sheet *sheet, const struct vulkan *vk,
                             const VkImageCreateInfo *info, VkImage *image, VkDeviceMemory *memory)
{
    const VkExternalMemoryImageCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
    };
    VkImageCreateInfo rows = *info;
    rows.pNext = &external;
    rows.tiling = VK_IMAGE_TILING_LINEAR;
    VkResult result = vk->CreateImage(vk->device, &rows, NULL, image);
    if (result != VK_SUCCESS)
        return result;

    VkMemoryRequirements needed;
    vk->GetImageMemoryRequirements(vk->device, *image, &needed);
    PFN_vkGetImageSubresourceLayout get_layout =
        (PFN_vkGetImageSubresourceLayout)vk->GetDeviceProcAddr(vk->device,
                                                               "vkGetImageSubresourceLayout");
    const VkImageSubresource all = { .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT };
    VkSubresourceLayout layout;
    get_layout(vk->device, *image, &all, &layout);
    size_t unit = vk->host_pointer_alignment;
    sheet->pitch = layout.rowPitch;
    sheet->size = (needed.size + unit - 1) / unit * unit;
    sheet->memory = aligned_alloc(unit, sheet->size);
    memset(sheet->memory, 0x77, sheet->size);

    VkMemoryHostPointerPropertiesEXT properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
    };
    vk->GetMemoryHostPointerPropertiesEXT(vk->device, external.handleTypes, sheet->memory,
                                          &properties);
    const VkImportMemoryHostPointerInfoEXT import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = external.handleTypes,
        .pHostPointer = sheet->memory,
    };
    const VkMemoryAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &import,
        .allocationSize = sheet->size,
        .memoryTypeIndex = (uint32_t)vulkan_memory_type(
            vk, needed.memoryTypeBits & properties.memoryTypeBits, 0, 0),
    };
    result = vk->AllocateMemory(vk->device, &allocation, NULL, memory);
    if (result != VK_SUCCESS) {
        *memory = VK_NULL_HANDLE;
        return result;
    }
    return vk->BindImageMemory(vk->device, *image, *memory, layout.offset);
}

/* ---- the board ---------------------------------------------------------------------------------------- */

static void let_go_locked(void)
{
    while (board.lets_go && board.num_former) {
        struct sheet *sheet = board.former[--board.num_former];
        board.torn += sheet->sum != sum_of(sheet);
        sheet->read = false;
        unref_locked(sheet);
    }
}

static void take_locked(void)
{
    if (!board.takes || !board.waiting)
        return;
    if (board.shown)
        board.former[board.num_former++] = board.shown;
    board.shown = board.waiting;
    board.shown->read = true;
    board.waiting = NULL;
    board.taken++;
    let_go_locked();
}

static void show_sheet(struct surface *surface, struct sheet *sheet)
{
    (void)surface;
    lock_board();
    board.torn += sheet->read || sheet == board.waiting;
    unref_locked(board.waiting);
    board.waiting = sheet;
    sheet->refs++;
    sheet->sum = sum_of(sheet);
    board.num_shown++;
    take_locked();
    unlock_board();
}

static bool is_waiting(struct surface *surface)
{
    (void)surface;
    lock_board();
    bool waits = board.waiting;
    unlock_board();
    return waits;
}

static bool in_use(struct surface *surface, struct sheet *sheet)
{
    (void)surface;
    lock_board();
    bool is = sheet->read || sheet == board.waiting;
    unlock_board();
    return is;
}

static const struct sheet_kind board_sheets = {
    .extension = "VK_EXT_external_memory_host",
    .create = create_sheet,
    .destroy = destroy_sheet,
    .create_image = create_image,
    .show = show_sheet,
    .is_waiting = is_waiting,
    .in_use = in_use,
};

/* ---- the surface -------------------------------------------------------------------------------------- */

static const struct surface_kind board_kind;

static void dispatch(struct surface *surface)
{
    uint64_t count;
    if (read(board.news, &count, sizeof(count)) < 0)
        (void)count;
    lock_board();
    surface->width = board.width;
    surface->height = board.height;
    surface->visible = board.visible;
    surface->lost = board.lost;
    board.heard = board.told;
    pthread_cond_broadcast(&board.changed);
    unlock_board();
}

static struct surface *create(const struct venus_gpu_target *target, char **error)
{
    (void)target, (void)error;
    struct surface *surface = calloc(1, sizeof(*surface));
    surface->kind = &board_kind;
    lock_board();
    board.surfaces++;
    unlock_board();
    dispatch(surface);
    return surface;
}

static void destroy(struct surface *surface)
{
    lock_board();
    board.surfaces--;
    unref_locked(board.waiting);
    board.waiting = NULL;
    unlock_board();
    free(surface);
}

static int fd(struct surface *surface)
{
    (void)surface;
    return board.news;
}

static const struct surface_kind board_kind = {
    .name = "a board",
    .sheets = &board_sheets,
    .create = create,
    .destroy = destroy,
    .fd = fd,
    .dispatch = dispatch,
};

static struct surface *create_headless(const struct venus_gpu_target *target, char **error)
{
    return surface_headless.create(target, error);
}

static void destroy_headless(struct surface *surface)
{
    surface_headless.destroy(surface);
}

static VkResult create_vulkan(struct surface *surface, const struct vulkan *vk,
                              VkSurfaceKHR *vk_surface)
{
    return surface_headless.create_vulkan(surface, vk, vk_surface);
}

const struct surface_kind board_or_swapchain = {
    .name = "a swapchain",
    .extension = "VK_EXT_headless_surface",
    .with_sheets = &board_kind,
    .create = create_headless,
    .destroy = destroy_headless,
    .create_vulkan = create_vulkan,
};

/* ---- what a test does ----------------------------------------------------------------------------------- */

static void tell(void)
{
    const uint64_t one = 1;
    lock_board();
    board.told++;
    assert_int_equal(write(board.news, &one, sizeof(one)), sizeof(one));
    while (board.surfaces && board.heard != board.told)
        pthread_cond_wait(&board.changed, &board.lock);
    unlock_board();
}

void board_reset(uint32_t width, uint32_t height)
{
    lock_board();
    unref_locked(board.shown);
    unref_locked(board.waiting);
    board.lets_go = true;
    let_go_locked();
    if (board.news < 0)
        board.news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    board.shown = board.waiting = NULL;
    board.takes = board.visible = true;
    board.lost = false;
    board.width = width;
    board.height = height;
    board.limit = -1;
    board.num_shown = board.taken = board.torn = board.made = 0;
    unlock_board();
}

void board_resize(uint32_t width, uint32_t height)
{
    lock_board();
    board.width = width;
    board.height = height;
    unlock_board();
    tell();
}

void board_show(bool visible)
{
    lock_board();
    board.visible = visible;
    unlock_board();
    tell();
}

void board_lose(void)
{
    lock_board();
    board.lost = true;
    unlock_board();
    tell();
}

void board_take(bool takes)
{
    lock_board();
    board.takes = takes;
    take_locked();
    unlock_board();
}

void board_let_go(bool lets_go)
{
    lock_board();
    board.lets_go = lets_go;
    let_go_locked();
    unlock_board();
}

void board_limit(int sheets)
{
    lock_board();
    board.limit = sheets;
    unlock_board();
}

void board_forget(void)
{
    lock_board();
    board.alive = board.surfaces = 0;
    board.shown = board.waiting = NULL;
    board.num_former = 0;
    unlock_board();
}

void board_assert_shows(uint32_t seed)
{
    char complaint[128] = "";
    lock_board();
    const struct sheet *sheet = board.shown;
    if (!sheet || sheet->width != board.width || sheet->height != board.height)
        snprintf(complaint, sizeof(complaint), "it shows %s", sheet ? "another size" : "nothing");
    for (uint32_t y = 0; !complaint[0] && y < sheet->height; y++) {
        const uint32_t *row = (const uint32_t *)(sheet->memory + y * sheet->pitch);
        for (uint32_t x = 0; !complaint[0] && x < sheet->width; x++) {
            uint32_t wanted = pattern(x, y, seed) | 0xff000000;
            if (le32(row[x]) != wanted)
                snprintf(complaint, sizeof(complaint), "pixel (%u, %u): expected %08x, seen %08x",
                         x, y, wanted, le32(row[x]));
        }
    }
    unlock_board();
    if (complaint[0])
        fail_msg("%s", complaint);
}

static unsigned read_count(const unsigned *count)
{
    lock_board();
    unsigned value = *count;
    unlock_board();
    return value;
}

unsigned board_shown(void)
{
    return read_count(&board.num_shown);
}

unsigned board_taken(void)
{
    return read_count(&board.taken);
}

unsigned board_torn(void)
{
    return read_count(&board.torn);
}

unsigned board_made(void)
{
    return read_count(&board.made);
}

unsigned board_alive(void)
{
    return read_count(&board.alive);
}

unsigned board_surfaces(void)
{
    return read_count(&board.surfaces);
}
