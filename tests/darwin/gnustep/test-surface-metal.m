/* SPDX-License-Identifier: MIT */
/*
 * src/present/surface-metal.m in GNUstep's AppKit, on an X server: what it does to the view and its layer, from which
 * thread, and that nothing of it is left.
 *
 * The program's main thread is AppKit's. It runs its run loop only where a test says so (settle()), and what the
 * presenter's thread would do is done on a thread that ends with each step (on_thread()). So every order in which the
 * two can meet is one that is written down here.
 */
#import <AppKit/AppKit.h>
#import <Foundation/NSDebug.h>
#import <QuartzCore/CAMetalLayer.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
    surface = surface_metal.create(&target, &error);
}

static void show(void)
{
    surface_metal.show(surface, true);
}

static void hide(void)
{
    surface_metal.show(surface, false);
}

static void dispatch(void)
{
    surface_metal.dispatch(surface);
}

static void destroy(void)
{
    surface_metal.destroy(surface);
    surface = NULL;
}

static bool has_news(void)
{
    struct pollfd fd = { .fd = surface_metal.fd(surface), .events = POLLIN };
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
    const struct vulkan vk = { .GetInstanceProcAddr = get_function };
    VkSurfaceKHR made;
    CHECK(surface_metal.create_vulkan(surface, &vk, &made) == VK_SUCCESS);
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

static CAMetalLayer *layer_of_view(void)
{
    NSArray *layers = [[view layer] sublayers];
    return [layers count] ? [layers objectAtIndex:0] : nil;
}

static unsigned covers(void)
{
    return (unsigned)GSDebugAllocationCount(NSClassFromString(@"VenusGPUMetalCover"));
}

static void nothing_is_left(void)
{
    CHECK(covers() == 0);
    CHECK(standin_layers == 0);
    CHECK(standin_views == 0);
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
    CHECK([(id)layer_given isKindOfClass:[CAMetalLayer class]]);
    hear(WIDTH, HEIGHT, false);

    CAMetalLayer *layer = layer_of_view();
    CHECK(layer == layer_given);
    CHECK([[[view layer] sublayers] lastObject] == pointer); /* it stays on top */
    CHECK([layer isHidden]);
    CHECK([layer isOpaque]);
    CHECK([layer contentsScale] == 1);
    CHECK(NSEqualRects([layer bounds], NSMakeRect(0, 0, WIDTH, HEIGHT)));
    CHECK(NSEqualSizes([layer drawableSize], NSMakeSize(WIDTH, HEIGHT)));

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
    CHECK(NSEqualSizes([layer_of_view() drawableSize], NSMakeSize(800, 600)));
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
    CHECK(NSEqualSizes([layer_of_view() drawableSize], NSMakeSize(2 * WIDTH, 2 * HEIGHT)));
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
static void test_both_threads_at_once(void)
{
    open_window();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run_step, (void *)take_turns) == 0);
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

/* The last one: what the main thread is asked to do it never does. */
static void test_run_loop_that_has_stopped(void)
{
    open_shown();
    on_thread(destroy);
    CHECK(covers() == 1); /* the run loop's */
    [window setContentSize:NSMakeSize(800, 600)];
    CHECK(standin_off_main == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
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
    { "a run loop that has stopped", test_run_loop_that_has_stopped },
};

int main(void)
{
    int status = 0;
    NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
    GSDebugAllocationActive(YES);
    [NSApplication sharedApplication];
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", sizeof(tests) / sizeof(tests[0]));
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        NSAutoreleasePool *of_test = [[NSAutoreleasePool alloc] init];
        failed = NULL;
        tests[i].run();
        [of_test release];
        printf("%sok %zu - %s\n", failed ? "not " : "", i + 1, tests[i].name);
        status |= failed != NULL;
    }
    [pool release];
    return status;
}
