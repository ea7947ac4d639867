/* SPDX-License-Identifier: MIT */
/*
 * See server.h. virglrenderer could start a render server itself. We do it, in the same way (one
 * socket, handed over as --socket-fd), since what we start we can end: a server that
 * does not answer, and processes of contexts that hang in a driver and would never find their socket closed.
 */
#include "renderer/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/message.h"
#include "platform/platform.h"
#include "renderer/driver.h"

extern char **environ;

const char *server_find(void)
{
    const char *asked = getenv("RENDER_SERVER_EXEC_PATH"); /* virglrenderer's own variable */
    if (asked && *asked)
        return asked;
    if (access(RENDER_SERVER_PATH, X_OK) == 0)
        return RENDER_SERVER_PATH;
    const char *const *place = platform_server_places;
    while (*place && access(*place, X_OK) < 0)
        place++;
    return *place;
}

/* The number of the socket in the child: behind the three standard ones. */
enum { CHILD_SOCKET = 3 };

/* The child's end of something, out of the way of that number. */
static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_SOCKET + 1);
    int error = errno;
    close(fd);
    return moved < 0 ? -error : moved;
}

/* The environment of the server, and what of it is its own: to be freed. */
struct environment {
    char **entries;
    char *preload; /* what is to be loaded first, behind what is already; NULL: nothing is */
    char *driver;  /* the Vulkan driver; NULL: that is left to the loader */
};

static void environment_free(struct environment *env)
{
    free(env->preload);
    free(env->driver);
    free(env->entries);
}

static bool is_variable(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return !strncmp(entry, name, length) && entry[length] == '=';
}

/* Libraries to be loaded first: those that were asked for, ours, and the object, if there is one. */
static char *preload_variable(const char *object)
{
    const char *others = getenv(platform_preload_variable);
    return message("%s=%s%s%s%s%s", platform_preload_variable, others ? others : "",
                   others ? ":" : "", platform_preload, object ? ":" : "", object ? object : "");
}

static bool environment_make(struct environment *env, const char *path, struct server *server)
{
    const struct driver_places places = { platform_driver_manifests, platform_loader_folders };
    const char *object;
    const char *manifest = driver_choose(&places);
    size_t count = 0, at = 0;
    while (environ[count])
        count++;
    *env = (struct environment){ .entries = calloc(count + 3, sizeof(*env->entries)) };
    server->late = late_driver_choose(path, &places, &object);
    if (platform_preload)
        env->preload = preload_variable(object);
    if (manifest)
        env->driver = message("VK_DRIVER_FILES=%s", manifest);
    if (!env->entries || (platform_preload && !env->preload) || (manifest && !env->driver)) {
        environment_free(env);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!platform_preload || !is_variable(environ[i], platform_preload_variable))
            env->entries[at++] = environ[i];
    }
    if (env->preload)
        env->entries[at++] = env->preload;
    if (env->driver)
        env->entries[at++] = env->driver;
    return true;
}

static int spawn(const char *path, int socket, int messages, struct server *server)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", CHILD_SOCKET);
    char *argv[] = { (char *)path, (char *)"--socket-fd", number, NULL };
    struct environment env;
    if (!environment_make(&env, path, server))
        return -ENOMEM;

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, CHILD_SOCKET); /* without close-on-exec */
    posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO);
#ifdef HAVE_CLOSEFROM
    /* The front end's that are not close-on-exec: what libvirt hands it, say. */
    posix_spawn_file_actions_addclosefrom_np(&actions, CHILD_SOCKET + 1);
#endif
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none); /* our threads block them */
    posix_spawnattr_setflags(
        &attr, (short)(POSIX_SPAWN_SETSIGMASK | (server->is_a_group ? POSIX_SPAWN_SETPGROUP : 0)));
    int ret = posix_spawn(&server->pid, path, &actions, &attr, argv, env.entries);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    environment_free(&env);
    if (ret)
        server->pid = 0;
    return -ret;
}

/*
 * A process group of its own: so that Ctrl-C in the terminal is for the front end alone, and to end all of it
 * at once. A sandbox may kill whoever makes one (QEMU's does, with elevateprivileges=deny): there without.
 */
static bool may_make_group(void)
{
    return !platform_is_in_sandbox();
}

int server_start(const char *path, struct server *server, int *messages)
{
    int sockets[2], pipes[2];
    int ret = platform_socketpair(platform_server_socket(), sockets);
    if (ret < 0)
        return ret;
    ret = platform_pipe(pipes);
    if (ret < 0) {
        close(sockets[0]);
        close(sockets[1]);
        return ret;
    }
    int child_socket = move_up(sockets[1]), child_messages = move_up(pipes[1]);
    ret = child_socket < 0 ? child_socket : child_messages < 0 ? child_messages : 0;
    server->is_a_group = may_make_group();
    if (ret == 0)
        ret = spawn(path, child_socket, child_messages, server);
    if (ret == 0)
        platform_expect_little_of(server->pid);
    if (child_socket >= 0)
        close(child_socket);
    if (child_messages >= 0)
        close(child_messages);
    if (ret < 0) {
        close(sockets[0]);
        close(pipes[0]);
        return ret;
    }
    *messages = pipes[0];
    return sockets[0];
}

/*
 * The kernel bounds address space, the only thing that shared memory counts as. Programs and a driver with its
 * compiler take up 600 MiB of it; each thread a stack and a heap; and there is a thread per processor.
 */
static const uint64_t own_space = UINT64_C(1) << 30, space_per_thread = (8 + 128) << 20;

void server_limit_memory(const struct server *server, uint64_t bytes)
{
    long threads = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t space = own_space + space_per_thread * (uint64_t)(threads > 0 ? threads : 1);
    if (bytes > UINT64_MAX - space)
        return;
    platform_limit_address_space(server->pid, bytes + space);
}

bool server_has_ended(const struct server *server, int *signal)
{
    siginfo_t info = { 0 };
    *signal = 0;
    if (!server->pid || waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return true;
    if (info.si_pid == server->pid && info.si_code != CLD_EXITED)
        *signal = info.si_status;
    return info.si_pid == server->pid;
}

/* Whether it is still our child, be it a dead one. If somebody else has waited for it, its number may be
 * anybody's by now. */
static bool is_ours(pid_t pid)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void server_kill(const struct server *server)
{
    pid_t pid = server->pid;
    if (!pid || !is_ours(pid))
        return;
    if (server->is_a_group) {
        kill(-pid, SIGKILL);
    } else {
        kill(pid, SIGSTOP);          /* so that it starts no more of them */
        platform_kill_children(pid); /* those that serve contexts */
        kill(pid, SIGKILL);
    }
}

/* A process that hangs in its driver's kernel part does not end, not even when it is killed. */
enum { STOP_STEP_NS = 1000 * 1000, STOP_STEPS = 1000 };

void server_stop(struct server *server)
{
    server_kill(server);
    if (server->pid && is_ours(server->pid)) {
        for (int i = 0; i < STOP_STEPS && waitpid(server->pid, NULL, WNOHANG) == 0; i++)
            nanosleep(&(struct timespec){ .tv_nsec = STOP_STEP_NS }, NULL);
    }
    server->pid = 0;
}
