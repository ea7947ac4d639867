/* SPDX-License-Identifier: MIT */
/*
 * A device whose render server venus-gpu-renderd starts: contexts work, and whatever is killed, server, keeper or the
 * service, the next context works, with no restart of who has the device.
 */
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../renderer/process.h"
#include "../renderer/venus.h"
#include "daemon.h"

enum { PATIENCE_MS = 20000 };

struct both {
    struct guest *guest;
    struct daemon *daemon;
};

static int setup(void **state)
{
    struct both *both = calloc(1, sizeof(*both));
    void *part;
    guest_setup_without_device(&part);
    both->guest = part;
    daemon_setup(&part);
    both->daemon = part;
    *state = both;
    return 0;
}

static int teardown(void **state)
{
    struct both *both = *state;
    void *part = both->guest;
    guest_teardown(&part);
    part = both->daemon;
    daemon_teardown(&part);
    free(both);
    return 0;
}

static void use_service(const struct daemon *daemon, struct venus_gpu_config *config)
{
    static char name[120];
    snprintf(name, sizeof(name), "unix:%s", daemon->socket);
    guest_config(config);
    config->render_server = name;
}

static void start(struct both *both)
{
    struct venus_gpu_config config;
    use_service(both->daemon, &config);
    guest_start(both->guest, &config);
}

static void assert_works(struct guest *guest, uint32_t context)
{
    struct venus venus;
    venus_open_all(&venus, guest, context);
    assert_ok(guest_wait(venus_submit_nothing(&venus)));
    venus_close(&venus);
}

/* A driver that does not survive a fork, as NVIDIA's; what keeps the server from loading it can be seen in the sandbox. */
static void nvidias_driver_is_loaded_late(void **state)
{
    struct both *both = *state;
    void *lavapipe = dlopen("libvulkan_lvp.so", RTLD_LAZY | RTLD_LOCAL); /* which it is made of */
    const char *driver = getenv("STANDIN_DRIVER");
    char *object = getenv("VENUS_GPU_LATE_DRIVER");
    if (!lavapipe || !driver || !object || getenv("VK_DRIVER_FILES"))
        skip();
    dlclose(lavapipe);
    object = strdup(object);
    daemon_add_driver(both->daemon, driver, object);
    daemon_start(both->daemon, NULL);
    unsetenv("VK_DRIVER_FILES");
    setenv("VENUS_GPU_LATE_DRIVER", object, 1);
    free(object);
    start(both);
    assert_works(both->guest, 1);
    assert_works(both->guest, 2);
    if (!dlsym(RTLD_DEFAULT, "virgl_renderer_resource_map_fixed")) /* virglrenderer 1.1 */
        assert_true(daemon_logged(both->daemon, "is kept from loading NVIDIA's driver"));
}

static pid_t server_of(const struct both *both)
{
    return child_of(child_of(both->daemon->pid));
}

static void contexts_work(void **state)
{
    struct both *both = *state;
    daemon_start(both->daemon, NULL);
    for (unsigned i = 0; i < 2; i++) {
        start(both);
        process_wait_for_children(getpid(), 1); /* the service, and no server */
        assert_works(both->guest, 1);
        guest_reset(both->guest);
        assert_works(both->guest, 1);
        guest_stop(both->guest);
        process_wait_for_children(both->daemon->pid, 0);
    }
}

/* Memory of the renderer's, with a shader's compiler and all, works for an ordinary user's too. */
static void contexts_work_for_an_ordinary_user(void **state)
{
    struct both *both = *state;
    char *mapped;
    daemon_start(both->daemon, &(struct daemon_options){ .is_ordinary = true });
    start(both);
    assert_works(both->guest, 1);
    assert_ok(guest_context_create(both->guest, 2));
    guest_shm(both->guest, 2, PAGE, &mapped);
    memset(mapped, 1, PAGE);
}

/* The contexts are lost, and the next one works. */
static void assert_survives_kill(struct both *both, pid_t victim, pid_t server)
{
    struct guest *guest = both->guest;
    assert_ok(guest_context_create(guest, 7));
    process_kill(victim);
    process_wait_for_end(server);
    assert_true(guest_wait_for(guest_submit_fenced(guest, 7, 0, NULL, 0), PATIENCE_MS));
    assert_ok(guest_context_destroy(guest, 7));
    assert_works(guest, 1);
}

static void killed_server_is_started_again(void **state)
{
    struct both *both = *state;
    daemon_start(both->daemon, NULL);
    start(both);
    for (unsigned i = 0; i < 2; i++)
        assert_survives_kill(both, server_of(both), server_of(both));
    assert_true(daemon_logged(both->daemon, "ended by signal 9"));
}

static void killed_keeper_is_started_again(void **state)
{
    struct both *both = *state;
    daemon_start(both->daemon, NULL);
    start(both);
    for (unsigned i = 0; i < 2; i++)
        assert_survives_kill(both, child_of(both->daemon->pid), server_of(both));
}

/* Its servers end with it. While there is none, contexts cannot be had; with a new one they can. */
static void killed_service(void **state)
{
    struct both *both = *state;
    struct guest *guest = both->guest;
    daemon_start(both->daemon, NULL);
    start(both);
    pid_t keeper = child_of(both->daemon->pid), server = child_of(keeper);
    assert_ok(guest_context_create(guest, 1));
    pid_t worker = child_of(server);
    process_kill(both->daemon->pid);
    assert_int_equal(waitpid(both->daemon->pid, NULL, 0), both->daemon->pid);
    both->daemon->pid = 0;
    process_wait_for_end(worker);
    process_wait_for_end(server);
    process_wait_for_end(keeper);

    assert_ok(guest_context_destroy(guest, 1));
    assert_int_equal(guest_context_create(guest, 2), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    assert_true(guest_logged(guest, "Cannot reach the render server's service"));
    daemon_start(both->daemon, NULL); /* on the socket that the other one left there */
    assert_works(guest, 3);
}

/*
 * It is stopped, so it does not answer. What waits for it, for as long as that may be, ends it. The next one has as long to
 * start, in a sandbox, which takes longer than an answer does.
 */
static void server_that_hangs(void **state)
{
    struct both *both = *state;
    struct venus_gpu_config config;
    daemon_start(both->daemon, NULL);
    use_service(both->daemon, &config);
    config.max_call_ms = 3 * process_soon_ms();
    guest_start(both->guest, &config);
    pid_t server = server_of(both);
    assert_int_equal(kill(server, SIGSTOP), 0);
    assert_true(guest_context_create(both->guest, 1) != VIRTIO_GPU_RESP_OK_NODATA ||
                guest_context_destroy(both->guest, 1) == VIRTIO_GPU_RESP_OK_NODATA);
    process_wait_for_end(server);
    assert_works(both->guest, 2);
}

static void memory_is_limited(void **state)
{
    struct both *both = *state;
    struct venus_gpu_config config;
    char path[64], line[256];
    bool is_limited = false;
    daemon_start(both->daemon, NULL);
    use_service(both->daemon, &config);
    config.max_context_memory = 256 << 20;
    guest_start(both->guest, &config);
    if (!guest_logged(both->guest, "llvmpipe"))
        skip();
    snprintf(path, sizeof(path), "/proc/%d/limits", (int)server_of(both));
    for (int i = 0; i < 1000 && !is_limited; i++) {
        unsigned long long bytes;
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        while (fgets(line, sizeof(line), file))
            is_limited |= sscanf(line, "Max address space %llu", &bytes) == 1;
        fclose(file);
        usleep(10 * 1000);
    }
    assert_true(is_limited);
    assert_works(both->guest, 1);
}

/* ---- services that are none ---------------------------------------------------------------------- */

/* A device that does not start says why, and leaves nothing open. */
static void assert_fails(struct both *both, const char *text)
{
    struct venus_gpu_config config;
    unsigned fds = process_fds();
    use_service(both->daemon, &config);
    char *error = guest_try_start(both->guest, &config);
    if (!error)
        fail_msg("it started");
    if (!strstr(error, text))
        fail_msg("no \"%s\" in: %s", text, error);
    free(error);
    assert_int_equal(process_fds(), fds);
}

/* A service that answers with what it is given, and closes the connection, or keeps it open and silent. */
static pid_t start_liar(const struct daemon *daemon, const void *answer, size_t size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemon->socket);
    unlink(daemon->socket);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 8), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = accept(listener, NULL, NULL);
        if (answer)
            send(fd, answer, size, MSG_NOSIGNAL);
        while (!answer)
            pause();
        _exit(0);
    }
    close(listener);
    return pid;
}

static void end_liar(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void no_service(void **state)
{
    struct both *both = *state;
    struct broker_reply reply = { .magic = BROKER_MAGIC, .status = BROKER_OK };
    struct venus_gpu_config config;

    assert_fails(both, "Cannot reach the render server's service at");
    /* It says that all is well, and gives nothing. */
    pid_t pid = start_liar(both->daemon, &reply, sizeof(reply));
    assert_fails(both, "does not answer");
    end_liar(pid);
    pid = start_liar(both->daemon, "x", 1);
    assert_fails(both, "does not answer");
    end_liar(pid);
    memset(&reply.text, 'x', sizeof(reply.text)); /* without an end */
    reply.status = BROKER_FAILED;
    pid = start_liar(both->daemon, &reply, sizeof(reply));
    assert_fails(both, "started none: xxx");
    end_liar(pid);

    guest_config(&config);
    config.render_server = "unix:";
    char *error = guest_try_start(both->guest, &config);
    assert_non_null(error);
    assert_non_null(strstr(error, "needs a path"));
    free(error);
}

/* It never answers: the start ends all the same. */
static void silent_service(void **state)
{
    struct both *both = *state;
    pid_t pid = start_liar(both->daemon, NULL, 0);
    uint64_t before = now_ns();
    assert_fails(both, "does not answer");
    assert_true(now_ns() - before < UINT64_C(15) * 1000 * 1000 * 1000);
    end_liar(pid);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(contexts_work),
        TEST(contexts_work_for_an_ordinary_user),
        TEST(nvidias_driver_is_loaded_late),
        TEST(killed_server_is_started_again),
        TEST(killed_keeper_is_started_again),
        TEST(killed_service),
        TEST(server_that_hangs),
        TEST(memory_is_limited),
        TEST(no_service),
        TEST(silent_service),
    };
    return cmocka_run_group_tests_name("renderd-device", tests, NULL, NULL);
}
