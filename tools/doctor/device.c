/* SPDX-License-Identifier: MIT */
/*
 * The device itself, without a hypervisor: virglrenderer, its render server, and libvenusgpu, which is started
 * and told to make a context, as a guest's first Vulkan program would. All three are loaded, not linked to, so
 * that their absence is a finding too.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <link.h>
#include <linux/virtio_gpu.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <venus-gpu.h>

#include "examine.h"
#include "report.h"

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- virglrenderer ------------------------------------------------------------------------------- */

void examine_virglrenderer(void *unused)
{
    static const struct {
        const char *symbol, *fact;
    } marks[] = {
        { "virgl_renderer_submit_cmd2", "virgl-submit-cmd2" },
        { "virgl_set_log_callback", "virgl-log-callback" },
        { "virgl_renderer_resource_map_fixed", "virgl-map-fixed" },
    };
    (void)unused;
    void *library = dlopen("libvirglrenderer.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (!library) {
        report_finding(LEVEL_ERROR, "virglrenderer", "",
                       "Install virglrenderer 1.0 or newer (Debian 13: libvirglrenderer1)", "%s",
                       dlerror());
        return;
    }
    struct link_map *map = NULL;
    char *path = dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 ? realpath(map->l_name, NULL) : NULL;
    report_fact("virgl-file", path ? path : "libvirglrenderer.so.1");
    free(path);
    for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (dlsym(library, marks[i].symbol))
            report_fact(marks[i].fact, "yes");
    }
}

/* ---- its render server --------------------------------------------------------------------------- */

/* As src/renderer/server.c looks for it. */
static const char *find_server(void)
{
    static const char *const paths[] = {
        RENDER_SERVER_PATH,
        "/usr/libexec/virgl_render_server",
        "/usr/lib/virgl_render_server",
        "/usr/local/libexec/virgl_render_server",
    };
    const char *asked = getenv("RENDER_SERVER_EXEC_PATH");
    if (asked && *asked)
        return asked;
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    return NULL;
}

void examine_server(void *unused)
{
    (void)unused;
    const char *path = find_server();
    if (!path || access(path, X_OK) != 0)
        report_finding(
            LEVEL_ERROR, "render-server", path ? path : "",
            "Install virglrenderer's render server (Debian 13: virgl-server), or name it in "
            "RENDER_SERVER_EXEC_PATH",
            "%s", path ? strerror(errno) : "there is no virgl_render_server");
    else if (!dlopen("libm.so.6", RTLD_LAZY | RTLD_LOCAL))
        report_finding(
            LEVEL_WARNING, "render-server", path,
            "Install the C library's libm.so.6: lavapipe needs it for pow() and the like",
            "the device loads libm.so.6 into it for lavapipe's sake, and cannot: %s", dlerror());
    else
        report_finding(
            LEVEL_OK, "render-server", path, "",
            "it is there, and so is libm.so.6, which the device loads into it for lavapipe's sake");
}

/* ---- the device ---------------------------------------------------------------------------------- */

static struct {
    struct venus_gpu *(*create)(const struct venus_gpu_config *, const struct venus_gpu_ops *,
                                void *, char **);
    void (*destroy)(struct venus_gpu *);
    void (*reset)(struct venus_gpu *);
    int (*submit)(struct venus_gpu *, enum venus_gpu_queue, const struct venus_gpu_request *,
                  size_t);
    const char *(*renderer_name)(const struct venus_gpu *);
    const char *(*version)(void);
} library;

static bool load_library(void)
{
    void *handle = dlopen("libvenusgpu.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        report_finding(
            LEVEL_ERROR, "device", "",
            "Install the libraries that it needs; a symbol that is missing is of an older release "
            "than the one that it was built with",
            "the device's library cannot be loaded: %s", dlerror());
        return false;
    }
    *(void **)&library.create = dlsym(handle, "venus_gpu_create");
    *(void **)&library.destroy = dlsym(handle, "venus_gpu_destroy");
    *(void **)&library.reset = dlsym(handle, "venus_gpu_reset");
    *(void **)&library.submit = dlsym(handle, "venus_gpu_submit_sized");
    *(void **)&library.renderer_name = dlsym(handle, "venus_gpu_renderer_name");
    *(void **)&library.version = dlsym(handle, "venus_gpu_version");
    if (library.create && library.destroy && library.reset && library.submit &&
        library.renderer_name && library.version)
        return true;
    report_finding(LEVEL_ERROR, "device", "", "Install the doctor's own release of libvenusgpu",
                   "libvenusgpu.so.0 is of another release than the doctor (" VENUS_GPU_VERSION
                   ")");
    return false;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_done;
static char last_log[400];

static void *map_guest(void *opaque, uint64_t addr, uint64_t *len)
{
    (void)opaque, (void)addr, (void)len;
    return NULL; /* there is no guest memory, and no command of ours names any */
}

static void unmap_guest(void *opaque, void *ptr, uint64_t len)
{
    (void)opaque, (void)ptr, (void)len;
}

static void command_done(void *opaque, void *tag, uint32_t written)
{
    (void)opaque, (void)tag, (void)written;
    pthread_mutex_lock(&lock);
    is_done = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void log_line(void *opaque, enum venus_gpu_log_level level, const char *message)
{
    (void)opaque;
    if (level > VENUS_GPU_LOG_WARNING)
        return;
    pthread_mutex_lock(&lock);
    snprintf(last_log, sizeof(last_log), "%s", message);
    pthread_mutex_unlock(&lock);
}

/* Runs one command to its end; the type of its answer, or 0. */
static uint32_t run(struct venus_gpu *gpu, void *command, size_t size)
{
    struct virtio_gpu_ctrl_hdr answer = { 0 };
    const struct iovec out = { command, size }, in = { &answer, sizeof(answer) };
    const struct venus_gpu_request request = { .out = &out, .num_out = 1, .in = &in, .num_in = 1 };
    is_done = false;
    if (library.submit(gpu, VENUS_GPU_QUEUE_CONTROL, &request, sizeof(request)) < 0)
        return 0;
    pthread_mutex_lock(&lock);
    while (!is_done)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return le32toh(answer.type);
}

static bool make_context(struct venus_gpu *gpu)
{
    struct virtio_gpu_ctx_create create = {
        .hdr = { .type = htole32(VIRTIO_GPU_CMD_CTX_CREATE), .ctx_id = htole32(1) },
        .context_init = htole32(4), /* VIRTIO_GPU_CAPSET_VENUS */
    };
    return run(gpu, &create, sizeof(create)) == VIRTIO_GPU_RESP_OK_NODATA;
}

/* Whether a process has one of those libraries in its memory, of a list that ends with NULL. */
static bool has_library(int pid, const char *const *names)
{
    char path[64], line[1024];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof(line), file)) {
        for (const char *const *name = names; *name; name++)
            found |= strstr(line, *name) != NULL;
    }
    if (file)
        fclose(file);
    return found;
}

/* A Vulkan driver: a library that a manifest would name. */
static const char *const drivers[] = { "/libvulkan_", "/libGLX_nvidia", "/libnvidia-vulkan", NULL };
/* What keeps an old render server from loading one. */
static const char *const keepers[] = { "venus-gpu-late-driver", NULL };

/* The render server is our only child: whether it has one of those already, which its processes then inherit. */
static bool server_has(const char *const *names)
{
    bool found = false;
    DIR *threads = opendir("/proc/self/task");
    for (struct dirent *thread; threads && (thread = readdir(threads));) {
        char path[300];
        int child;
        snprintf(path, sizeof(path), "/proc/self/task/%s/children", thread->d_name);
        FILE *file = fopen(path, "re");
        while (file && fscanf(file, "%d", &child) == 1)
            found |= has_library(child, names);
        if (file)
            fclose(file);
    }
    if (threads)
        closedir(threads);
    return found;
}

/* The library's message: what happened, and on its second line what to do. */
static void report_refusal(char *message)
{
    char *why = message ? message : (char *)"out of memory", *what_to_do = NULL;
    if (message && (what_to_do = strchr(message, '\n')))
        *what_to_do++ = '\0';
    report_finding(
        LEVEL_ERROR, "device", "",
        what_to_do ? what_to_do : "Mend what is marked above, if anything is, and run this again",
        "it does not start: %s%s%s", why, *last_log ? " The renderer says: " : "", last_log);
    free(message);
}

void examine_device(void *unused)
{
    static const struct venus_gpu_ops ops = { .size = sizeof(ops),
                                              .map_guest = map_guest,
                                              .unmap_guest = unmap_guest,
                                              .command_done = command_done,
                                              .log = log_line };
    (void)unused;
    if (!load_library())
        return;
    struct venus_gpu_config config;
    char *message = NULL;
    venus_gpu_config_init(&config);
    config.window_size = 1 << 30;
    double begin = now_ms();
    struct venus_gpu *gpu = library.create(&config, &ops, NULL, &message);
    double started = now_ms();
    if (!gpu) {
        report_refusal(message);
        return;
    }
    bool has_context = make_context(gpu);
    double created = now_ms();
    if (has_context) {
        report_fact("device-works", "yes");
        if (server_has(drivers))
            report_fact("server-has-driver", "yes");
        if (server_has(keepers))
            report_fact("server-is-kept", "yes");
        report_finding(
            LEVEL_OK, "device", library.renderer_name(gpu), "",
            "libvenusgpu %s started with its render server in %.0f ms, and a context in %.1f ms",
            library.version(), started - begin, created - started);
    } else {
        report_finding(
            LEVEL_ERROR, "device", library.renderer_name(gpu),
            "Run it again with RENDER_SERVER_EXEC_PATH naming another render server, or with another "
            "driver (VK_DRIVER_FILES)",
            "it starts, but the render server makes no context%s%s", *last_log ? ": " : "",
            last_log);
    }
    library.reset(gpu);
    library.destroy(gpu);
}
