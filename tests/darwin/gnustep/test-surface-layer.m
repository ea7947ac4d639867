/* SPDX-License-Identifier: MIT */
/*
 * src/present/surface-layer.m, and what is built on it, in GNUstep's AppKit, on an X server: what it does to the view
 * and its layer, from which thread, and that nothing of it is left.
 *
 * The program's main thread is AppKit's. It runs its run loop only where a test says so (settle()), and what the
 * presenter's thread would do is done on a thread that ends with each step (on_thread()). So every order in which the
 * two can meet is one that is written down here.
 */
#import <AppKit/AppKit.h>
#import <Foundation/NSDebug.h>
#import <IOSurface/IOSurface.h>
#import <QuartzCore/CAMetalLayer.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "present/images.h"
#include "present/surface.h"

#include <vulkan/vulkan_metal.h>

enum { WIDTH = 640, HEIGHT = 480, BOUND_MS = 2000 };

static const char *failed; /* the first thing that a test found wrong */

#define CHECK(condition)                                     \
    do {                                                     \
        if (!(condition)) {                                  \
            printf("# line %d: %s\n", __LINE__, #condition); \
            failed = #condition;                             \
        }                                                    \
    } while (0)

static LayerWindow *window;
static LayerView *view;
static struct surface *surface;
static const struct surface_kind *kind; /* that is tested */

/* ---- the two threads ---------------------------------------------------------------------------- */

static void *run_step(void *step)
{
    GSRegisterCurrentThread();
    ((void (*)(void))step)();
    GSUnregisterCurrentThread();
    return NULL;
}

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* The main thread does nothing meanwhile: a step that waits for it would never end, so an alarm ends the program. */
static void on_thread(void (*step)(void))
{
    pthread_t thread;
    alarm(20);
    uint64_t begin = now_ms();
    pthread_create(&thread, NULL, run_step, (void *)step);
    pthread_join(thread, NULL);
    CHECK(now_ms() - begin < BOUND_MS);
    alarm(0);
}

/* The main thread does all that it was asked to. */
static void settle(void)
{
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    NSDate *end = [NSDate dateWithTimeIntervalSinceNow:0.05];
    while ([end timeIntervalSinceNow] > 0)
        [[NSRunLoop currentRunLoop] runMode:NSDefaultRunLoopMode beforeDate:end];
    [pool release];
}

/* ---- what the presenter's thread does ---------------------------------------------------------------- */

static void create(void)
{
    const struct venus_gpu_target target = {
        .size = sizeof(target),
        .kind = VENUS_GPU_TARGET_METAL,
        .view = view,
    };
    char *error = NULL;
    surface = kind->create(&target, &error);
}

static void show(void)
{
    kind->show(surface, true);
}

static void hide(void)
{
    kind->show(surface, false);
}

static void dispatch(void)
{
    kind->dispatch(surface);
}

static void destroy(void)
{
    kind->destroy(surface);
    surface = NULL;
}

static bool has_news(void)
{
    struct pollfd fd = { .fd = kind->fd(surface), .events = POLLIN };
    return poll(&fd, 1, 0) == 1;
}

/* What has happened comes to the presenter, of a size if it has one. */
static void hear(uint32_t width, uint32_t height, bool visible)
{
    settle();
    CHECK(has_news());
    on_thread(dispatch);
    CHECK(!has_news());
    CHECK(surface->width == width);
    CHECK(surface->height == height);
    CHECK(surface->visible == visible);
}

static const void *layer_given; /* to Vulkan */

static VkResult create_metal_surface(VkInstance instance, const VkMetalSurfaceCreateInfoEXT *info,
                                     const VkAllocationCallbacks *allocator, VkSurfaceKHR *made)
{
    (void)instance, (void)allocator;
    CHECK(info->sType == VK_STRUCTURE_TYPE_METAL_SURFACE_CREATE_INFO_EXT);
    layer_given = info->pLayer;
    *made = VK_NULL_HANDLE;
    return VK_SUCCESS;
}

static PFN_vkVoidFunction get_function(VkInstance instance, const char *name)
{
    (void)instance;
    return strcmp(name, "vkCreateMetalSurfaceEXT") ? NULL
                                                   : (PFN_vkVoidFunction)create_metal_surface;
}

static void create_vulkan(void)
{
    if (!kind->create_vulkan)
        return;
    const struct vulkan vk = { .GetInstanceProcAddr = get_function };
    VkSurfaceKHR made;
    CHECK(kind->create_vulkan(surface, &vk, &made) == VK_SUCCESS);
}

/* ---- the window ----------------------------------------------------------------------------------------- */

static void open_window(void)
{
    window = [[LayerWindow alloc] initWithContentRect:NSMakeRect(50, 50, WIDTH, HEIGHT)
                                            styleMask:NSBorderlessWindowMask
                                              backing:NSBackingStoreBuffered
                                                defer:NO];
    [window setReleasedWhenClosed:NO];
    view = [[LayerView alloc] initWithFrame:NSMakeRect(0, 0, WIDTH, HEIGHT)];
    [window setContentView:view];
    [window orderFront:nil];
    settle();
}

static void close_window(void)
{
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    [window setContentView:[[[NSView alloc] initWithFrame:NSMakeRect(0, 0, 1, 1)] autorelease]];
    [view release];
    view = nil;
    [window close];
    [window release];
    window = nil;
    [pool release];
}

static CALayer *layer_of_view(void)
{
    NSArray *layers = [[view layer] sublayers];
    return [layers count] ? [layers objectAtIndex:0] : nil;
}

/* So many pixels are drawable, where the layer knows of that. */
static void check_drawable(CGFloat width, CGFloat height)
{
    if (kind == &surface_metal)
        CHECK(NSEqualSizes([(CAMetalLayer *)layer_of_view() drawableSize],
                           NSMakeSize(width, height)));
}

static unsigned covers(void)
{
    return (unsigned)(GSDebugAllocationCount(NSClassFromString(@"VenusGPUMetalCover")) +
                      GSDebugAllocationCount(NSClassFromString(@"VenusGPUSurfaceCover")));
}

static void nothing_is_left(void)
{
    CHECK(covers() == 0);
    CHECK(standin_layers == 0);
    CHECK(standin_views == 0);
    CHECK(standin_surfaces == 0);
    CHECK(standin_spaces == 0);
    CHECK(standin_off_main == 0);
    CHECK(standin_animated == 0);
}

static void open_shown(void)
{
    open_window();
    on_thread(create);
    on_thread(show);
    hear(WIDTH, HEIGHT, true);
}

static void close_all(void)
{
    on_thread(destroy);
    settle();
    close_window();
    settle();
    nothing_is_left();
}

/* ---- the tests ---------------------------------------------------------------------------------------- */

static void test_creation(void)
{
    open_window();
    [view setWantsLayer:YES];
    CALayer *pointer = [[CALayer alloc] init];
    [[view layer] addSublayer:pointer];

    on_thread(create);
    CHECK(surface->width == 0 && surface->height == 0 && !surface->visible);
    on_thread(create_vulkan);
    hear(WIDTH, HEIGHT, false);

    CALayer *layer = layer_of_view();
    CHECK(layer);
    if (kind == &surface_metal) {
        CHECK(layer == layer_given);
        CHECK([layer isKindOfClass:[CAMetalLayer class]]);
    }
    CHECK([[[view layer] sublayers] lastObject] == pointer); /* it stays on top */
    CHECK([layer isHidden]);
    CHECK([layer isOpaque]);
    CHECK([layer contentsScale] == 1);
    CHECK(NSEqualRects([layer bounds], NSMakeRect(0, 0, WIDTH, HEIGHT)));
    check_drawable(WIDTH, HEIGHT);

    on_thread(show);
    CHECK(!surface->visible); /* not before it is */
    hear(WIDTH, HEIGHT, true);
    CHECK(![layer isHidden]);
    on_thread(hide);
    CHECK(!surface->visible);
    hear(WIDTH, HEIGHT, false);
    CHECK([layer isHidden]);

    on_thread(destroy);
    settle();
    CHECK([[[view layer] sublayers] count] == 1);
    [pointer release];
    close_window();
    settle();
    nothing_is_left();
}

static void test_resize(void)
{
    open_shown();
    [window setContentSize:NSMakeSize(800, 600)];
    hear(800, 600, true);
    CHECK(NSEqualRects([layer_of_view() bounds], NSMakeRect(0, 0, 800, 600)));
    check_drawable(800, 600);
    [view setFrame:NSMakeRect(0, 0, 0, 0)];
    hear(0, 0, false);
    CHECK([layer_of_view() isHidden]);
    [view setFrame:NSMakeRect(0, 0, 320, 200)];
    hear(320, 200, true);
    CHECK(![layer_of_view() isHidden]);
    /* Several at once are one piece of news. */
    for (int i = 0; i < 100000; i++)
        [view setFrame:NSMakeRect(0, 0, 300 + i % 2, 200)];
    hear(301, 200, true);
    close_all();
}

static void test_scale(void)
{
    open_shown();
    [window moveToScreenOfScale:2];
    hear(2 * WIDTH, 2 * HEIGHT, true);
    CHECK([layer_of_view() contentsScale] == 2);
    CHECK(NSEqualRects([layer_of_view() bounds], NSMakeRect(0, 0, WIDTH, HEIGHT)));
    check_drawable(2 * WIDTH, 2 * HEIGHT);
    /* The layer is whole pixels, where the view is not. */
    [view setFrame:NSMakeRect(0, 0, 100.3, 50.3)];
    hear(201, 101, true);
    CHECK(NSEqualRects([layer_of_view() bounds], NSMakeRect(0, 0, 100.5, 50.5)));
    close_all();
}

/* QEMU gives its view the guest's coordinates. */
static void test_coordinates(void)
{
    open_shown();
    [view setBoundsSize:NSMakeSize(WIDTH / 2, HEIGHT / 4)];
    hear(WIDTH, HEIGHT, true);
    CHECK(NSEqualRects([layer_of_view() bounds], NSMakeRect(0, 0, WIDTH, HEIGHT)));
    CHECK([layer_of_view() affineTransform].a == 0.5);
    CHECK([layer_of_view() affineTransform].d == 0.25);
    close_all();
}

static void test_occlusion(void)
{
    open_shown();
    [window cover:YES];
    hear(WIDTH, HEIGHT, false);
    [window cover:NO];
    hear(WIDTH, HEIGHT, true);
    /* Another window is none of our business. */
    LayerWindow *other = [[LayerWindow alloc] initWithContentRect:NSMakeRect(0, 0, 10, 10)
                                                        styleMask:NSBorderlessWindowMask
                                                          backing:NSBackingStoreBuffered
                                                            defer:YES];
    [other setReleasedWhenClosed:NO];
    [other cover:YES];
    [other moveToScreenOfScale:3];
    settle();
    CHECK(!has_news());
    [other release];
    close_all();
}

static void create_show_and_destroy(void)
{
    create();
    create_vulkan();
    show();
    dispatch();
    hide();
    destroy();
}

/* As when QEMU's main thread waits for the lock that is held by who waits for the presenter. */
static void test_blocked_main_thread(void)
{
    open_window();
    on_thread(create_show_and_destroy);
    CHECK(covers() == 1);
    settle();
    CHECK(!layer_of_view());
    CHECK(covers() == 0);
    close_window();
    settle();
    nothing_is_left();
}

static void test_view_first(void)
{
    open_shown();
    close_window();
    settle();
    CHECK(standin_views == 1); /* ours */
    on_thread(dispatch);
    on_thread(hide);
    on_thread(dispatch);
    CHECK(!surface->visible);
    on_thread(destroy);
    settle();
    nothing_is_left();
}

static void test_view_before_it_is_covered(void)
{
    open_window();
    on_thread(create);
    close_window();
    settle();
    on_thread(show);
    settle();
    on_thread(dispatch);
    CHECK(!surface->visible);
    on_thread(destroy);
    settle();
    nothing_is_left();
}

static void test_surface_first(void)
{
    open_shown();
    on_thread(destroy);
    close_window();
    settle();
    nothing_is_left();
}

/* What the main thread hears of between the end of the surface and its own part of that goes nowhere. */
static void test_news_for_nobody(void)
{
    open_shown();
    on_thread(destroy);
    int fds[2];
    CHECK(pipe(fds) == 0); /* they take the numbers that are free now */
    [window setContentSize:NSMakeSize(800, 600)];
    [window moveToScreenOfScale:2];
    [window cover:YES];
    struct pollfd fd = { .fd = fds[0], .events = POLLIN };
    CHECK(poll(&fd, 1, 0) == 0);
    close(fds[0]);
    close(fds[1]);
    settle();
    [window setContentSize:NSMakeSize(400, 300)];
    [window moveToScreenOfScale:1];
    [window cover:NO];
    close_window();
    settle();
    nothing_is_left();
}

static void test_two_of_one_view(void)
{
    open_window();
    struct surface *both[2];
    for (int i = 0; i < 2; i++) {
        on_thread(create);
        on_thread(show);
        both[i] = surface;
    }
    settle();
    CHECK([[[view layer] sublayers] count] == 2);
    for (int i = 0; i < 2; i++) {
        surface = both[i];
        on_thread(destroy);
    }
    settle();
    CHECK([[[view layer] sublayers] count] == 0);
    close_window();
    settle();
    nothing_is_left();
}

enum { TURNS = 200 };

static void take_turns(void)
{
    for (int i = 0; i < TURNS; i++) {
        create();
        show();
        for (int k = 0; k < i % 7; k++) {
            dispatch();
            usleep(200);
        }
        create_vulkan();
        if (i % 2)
            hide();
        destroy();
    }
}

/* The threads meet where they like, and the window changes all the time. */
static void both_at_once(void (*turns)(void))
{
    open_window();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run_step, (void *)turns) == 0);
    for (int i = 0; pthread_tryjoin_np(thread, NULL); i++) {
        NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
        [view setFrame:NSMakeRect(0, 0, 100 + i % 50, 100)];
        [window moveToScreenOfScale:1 + i % 2];
        [window cover:i % 3 == 0];
        [[NSRunLoop currentRunLoop] runMode:NSDefaultRunLoopMode
                                 beforeDate:[NSDate dateWithTimeIntervalSinceNow:0.001]];
        [pool release];
    }
    settle();
    CHECK([[[view layer] sublayers] count] == 0);
    close_window();
    settle();
    nothing_is_left();
}

static void test_both_threads_at_once(void)
{
    both_at_once(take_turns);
}

/* ---- IOSurfaces: the presenter's ring of them (sheets.c), over a GPU that only counts ------------------------- */

static struct images *images;
static enum venus_gpu_present_mode mode;
static unsigned vulkan_objects; /* that are alive */
static uintptr_t last_object;

static IOSurface *imported[3]; /* the newest ring's; not owned */
static unsigned num_imported;

static VkResult make_object(void *object)
{
    vulkan_objects++;
    *(uintptr_t *)object = ++last_object;
    return VK_SUCCESS;
}

static VkResult create_image(VkDevice device, const VkImageCreateInfo *info,
                             const VkAllocationCallbacks *allocator, VkImage *image)
{
    (void)device, (void)allocator;
    const VkImportMetalIOSurfaceInfoEXT *import = info->pNext;
    CHECK(import->sType == VK_STRUCTURE_TYPE_IMPORT_METAL_IO_SURFACE_INFO_EXT && !import->pNext);
    IOSurface *sheet = (IOSurface *)import->ioSurface;
    CHECK([sheet width] == info->extent.width && [sheet height] == info->extent.height);
    CHECK([sheet isColoured]);
    CHECK(info->format == VK_FORMAT_B8G8R8A8_UNORM);
    imported[num_imported++ % 3] = sheet;
    return make_object(image);
}

static void get_requirements(VkDevice device, VkImage image, VkMemoryRequirements *needed)
{
    (void)device, (void)image;
    *needed = (VkMemoryRequirements){ .size = 4096, .alignment = 4096, .memoryTypeBits = 1 };
}

static VkResult allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
                                const VkAllocationCallbacks *allocator, VkDeviceMemory *memory)
{
    (void)device, (void)allocator;
    const VkMemoryDedicatedAllocateInfo *dedicated = info->pNext;
    CHECK(dedicated->sType == VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO);
    CHECK((uintptr_t)dedicated->image == last_object);
    return make_object(memory);
}

static VkResult bind_memory(VkDevice device, VkImage image, VkDeviceMemory memory, VkDeviceSize at)
{
    (void)device;
    CHECK(image && memory && !at);
    return VK_SUCCESS;
}

static VkResult create_view(VkDevice device, const VkImageViewCreateInfo *info,
                            const VkAllocationCallbacks *allocator, VkImageView *made)
{
    (void)device, (void)info, (void)allocator;
    return make_object(made);
}

static void destroy_image(VkDevice device, VkImage image, const VkAllocationCallbacks *allocator)
{
    (void)device, (void)allocator;
    vulkan_objects -= image != VK_NULL_HANDLE;
}

static void free_memory(VkDevice device, VkDeviceMemory memory,
                        const VkAllocationCallbacks *allocator)
{
    (void)device, (void)allocator;
    vulkan_objects -= memory != VK_NULL_HANDLE;
}

static void destroy_view(VkDevice device, VkImageView gone, const VkAllocationCallbacks *allocator)
{
    (void)device, (void)allocator;
    vulkan_objects -= gone != VK_NULL_HANDLE;
}

static struct vulkan gpu = {
    .CreateImage = create_image,
    .GetImageMemoryRequirements = get_requirements,
    .AllocateMemory = allocate_memory,
    .BindImageMemory = bind_memory,
    .CreateImageView = create_view,
    .DestroyImage = destroy_image,
    .FreeMemory = free_memory,
    .DestroyImageView = destroy_view,
    .properties.limits.maxImageDimension2D = 16384,
    .memory.memoryTypeCount = 1,
};

static VkResult result;
static unsigned painted; /* the index of what was painted last */

static void make_ring(void)
{
    struct images *former = images;
    images = NULL;
    result = sheets_create(&gpu, surface, mode, &images);
    if (former)
        former->kind->destroy(former);
}

static void drop_ring(void)
{
    if (images)
        images->kind->destroy(images);
    images = NULL;
}

static void paint(void)
{
    VkSemaphore ready;
    result = images->kind->acquire(images, 50 * 1000 * 1000, &painted, &ready);
    if (result == VK_SUCCESS) {
        CHECK(!ready && !images->kind->painted(images, painted));
        CHECK(![imported[painted] isInUse]);
        CHECK(images->kind->present(images, painted) == VK_SUCCESS);
    }
}

static void paint_one(void)
{
    on_thread(paint);
    CHECK(result == VK_SUCCESS);
}

static void open_with_ring(enum venus_gpu_present_mode wanted)
{
    mode = wanted;
    num_imported = 0;
    open_shown();
    on_thread(make_ring);
    CHECK(result == VK_SUCCESS);
    CHECK(standin_surfaces == 3 && num_imported == 3);
}

static void close_ring(void)
{
    on_thread(drop_ring);
    CHECK(vulkan_objects == 0);
    close_all();
}

static void test_contents(void)
{
    open_with_ring(VENUS_GPU_PRESENT_MAILBOX);
    CALayer *layer = layer_of_view();
    for (unsigned i = 1; i < 20; i++) {
        id former = [layer contents];
        paint_one();
        CHECK([layer contents] == former); /* it is the main thread's */
        CHECK(imported[painted] != former);
        settle();
        CHECK([layer contents] == imported[painted]);
        CHECK([layer contentsSet] == i);
    }
    close_ring();
}

/* However many come, it is asked once, and the newest one is shown. */
static void test_frames_for_a_blocked_main_thread(void)
{
    open_with_ring(VENUS_GPU_PRESENT_MAILBOX);
    paint_one();
    settle();
    id shown = [layer_of_view() contents];
    for (int i = 0; i < 100; i++) {
        paint_one();
        CHECK(imported[painted] != shown);
    }
    settle();
    CHECK([layer_of_view() contentsSet] == 2);
    CHECK([layer_of_view() contents] == imported[painted]);
    close_ring();
}

static void test_fifo(void)
{
    open_with_ring(VENUS_GPU_PRESENT_FIFO);
    paint_one();
    unsigned first = painted;
    on_thread(paint);
    CHECK(result == VK_TIMEOUT);
    settle();
    CHECK([layer_of_view() contents] == imported[first]);
    paint_one();
    settle();
    CHECK([layer_of_view() contents] == imported[painted]);
    close_ring();
}

/* Nobody waits for it without end, and nothing is painted in what it reads. */
static void test_window_server_that_keeps_all(void)
{
    open_with_ring(VENUS_GPU_PRESENT_MAILBOX);
    for (unsigned i = 0; i < 3; i++) {
        paint_one();
        [imported[painted] use:YES];
        settle();
    }
    on_thread(paint);
    CHECK(result == VK_TIMEOUT);
    [imported[0] use:NO];
    if ([layer_of_view() contents] == imported[0])
        [imported[1] use:NO];
    paint_one();
    close_ring();
}

static void test_new_ring(void)
{
    open_with_ring(VENUS_GPU_PRESENT_MAILBOX);
    paint_one();
    settle();
    id former = [layer_of_view() contents];
    [window setContentSize:NSMakeSize(800, 600)];
    hear(800, 600, true);
    on_thread(make_ring);
    CHECK(result == VK_SUCCESS);
    CHECK([layer_of_view() contents] == former); /* until there is another picture */
    CHECK(standin_surfaces == 4);
    paint_one();
    settle();
    CHECK(standin_surfaces == 3);
    CHECK([(IOSurface *)[layer_of_view() contents] width] == 800);
    CHECK([(IOSurface *)[layer_of_view() contents] height] == 600);
    /* In pixels of the display's. */
    [window moveToScreenOfScale:2];
    hear(1600, 1200, true);
    on_thread(make_ring);
    paint_one();
    settle();
    CHECK([(IOSurface *)[layer_of_view() contents] width] == 1600);
    CHECK([layer_of_view() contentsScale] == 2);
    [view setFrame:NSMakeRect(0, 0, 0, 0)];
    hear(0, 0, false);
    on_thread(make_ring);
    CHECK(result == VK_NOT_READY && !images);
    close_ring();
}

static void test_no_memory(void)
{
    open_with_ring(VENUS_GPU_PRESENT_MAILBOX);
    for (unsigned i = 0; i < 3; i++) {
        standin_surfaces_left = i;
        on_thread(make_ring);
        CHECK(result == VK_ERROR_OUT_OF_HOST_MEMORY && !images);
        CHECK(standin_surfaces == 0 && vulkan_objects == 0);
    }
    standin_surfaces_left = ~0u;
    close_ring();
}

/* What waits for the main thread when all the rest is gone. */
static void test_ends_while_it_waits(void)
{
    open_with_ring(VENUS_GPU_PRESENT_MAILBOX);
    paint_one();
    settle();
    paint_one();
    on_thread(drop_ring);
    on_thread(destroy);
    CHECK(standin_surfaces == 2);
    CHECK(vulkan_objects == 0);
    settle();
    CHECK(standin_surfaces == 0);
    close_window();
    settle();
    nothing_is_left();
}

static void test_view_goes_while_it_waits(void)
{
    open_with_ring(VENUS_GPU_PRESENT_MAILBOX);
    paint_one();
    close_window();
    settle();
    paint_one();
    on_thread(drop_ring);
    on_thread(destroy);
    settle();
    nothing_is_left();
}

static void take_turns_with_frames(void)
{
    for (int i = 0; i < TURNS; i++) {
        create();
        show();
        for (int k = 0; k < 20 && !surface->width; k++) {
            usleep(500);
            dispatch();
        }
        num_imported = 0;
        for (int k = 0; k < i % 5; k++) {
            if (k % 2 == 0)
                make_ring();
            if (images)
                paint();
            usleep(300);
        }
        drop_ring();
        destroy();
    }
}

static void test_frames_at_once(void)
{
    mode = VENUS_GPU_PRESENT_MAILBOX;
    both_at_once(take_turns_with_frames);
}

static void test_frames_for_a_run_loop_that_has_stopped(void)
{
    open_with_ring(VENUS_GPU_PRESENT_MAILBOX);
    for (int i = 0; i < 10; i++)
        paint_one();
    on_thread(drop_ring);
    on_thread(destroy);
    CHECK(covers() == 1);
    CHECK(standin_surfaces == 1);
    CHECK(standin_off_main == 0);
}

/* ---- the end -------------------------------------------------------------------------------------------- */

/* The last one: what the main thread is asked to do it never does. */
static void test_run_loop_that_has_stopped(void)
{
    open_shown();
    on_thread(destroy);
    CHECK(covers() == 1); /* the run loop's */
    [window setContentSize:NSMakeSize(800, 600)];
    CHECK(standin_off_main == 0);
}

struct test {
    const char *name;
    void (*run)(void);
};

static const struct test of_both[] = {
    { "creation", test_creation },
    { "resize", test_resize },
    { "scale", test_scale },
    { "coordinates that are not the window's", test_coordinates },
    { "occlusion", test_occlusion },
    { "a main thread that is blocked", test_blocked_main_thread },
    { "the view goes first", test_view_first },
    { "the view goes before it is covered", test_view_before_it_is_covered },
    { "the surface goes first", test_surface_first },
    { "news for nobody", test_news_for_nobody },
    { "two surfaces in one view", test_two_of_one_view },
    { "both threads at once", test_both_threads_at_once },
};

static const struct test of_iosurfaces[] = {
    { "contents", test_contents },
    { "frames for a main thread that is blocked", test_frames_for_a_blocked_main_thread },
    { "fifo", test_fifo },
    { "a window server that keeps all", test_window_server_that_keeps_all },
    { "new sizes", test_new_ring },
    { "no memory", test_no_memory },
    { "it ends while a frame waits", test_ends_while_it_waits },
    { "the view goes while a frame waits", test_view_goes_while_it_waits },
    { "frames and both threads at once", test_frames_at_once },
};

/* They leave something behind. */
static const struct test last_ones[] = {
    { "a run loop that has stopped", test_run_loop_that_has_stopped },
};
static const struct test last_of_iosurfaces[] = {
    { "frames for a run loop that has stopped", test_frames_for_a_run_loop_that_has_stopped },
};

static unsigned number; /* of tests that were run */
static int status;

static void run_all(const struct surface_kind *of, const struct test *tests, size_t count)
{
    kind = of;
    for (size_t i = 0; i < count; i++) {
        NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
        failed = NULL;
        tests[i].run();
        [pool release];
        printf("%sok %u - %s: %s\n", failed ? "not " : "", ++number, kind->name, tests[i].name);
        status |= failed != NULL;
    }
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    GSDebugAllocationActive(YES);
    [NSApplication sharedApplication];
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", 2 * COUNT(of_both) + COUNT(of_iosurfaces) + 2);
    run_all(&surface_metal, of_both, COUNT(of_both));
    run_all(&surface_iosurface, of_both, COUNT(of_both));
    run_all(&surface_iosurface, of_iosurfaces, COUNT(of_iosurfaces));
    run_all(&surface_iosurface, last_of_iosurfaces, 1);
    run_all(&surface_metal, last_ones, 1);
    [pool release];
    return status;
}
