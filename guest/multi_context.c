/* SPDX-License-Identifier: MIT */
/*
 * Many Vulkan programs at once, and none sees another's memory. Half of them are processes, half are
 * threads of this one; each has an instance and a device of its own, a context of the virtual GPU.
 *
 *   multi_context [--contexts 8] [--frames 500] [--seconds 0] [--json FILE]
 *
 * Each holds some memory full of words that say whose they are, and over and over frees a piece and
 * takes a new one. What it holds must stay its own, and in a new piece there must be no word of
 * another process, dead or alive. (Another thread's may be there: Vulkan keeps no secrets within a
 * process. It is counted as `shared`.) --frames is how many pieces each takes. All begin together when
 * the last of them has its device.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chance.h"
#include "example.h"

#define MOST_CONTEXTS 64
#define PIECES        8
#define PIECE         262144u /* bytes */
#define WORDS         (PIECE / sizeof(uint64_t))
#define PATIENCE_MS   300000 /* until all contexts must be there */
#define COPIED        (VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT)

/* A word: this, whose process, whose thread, and how often that one has written. */
#define MARK            (UINT64_C(0xabe) << 52)
#define MARK_MASK       (UINT64_C(0xfff) << 52)
#define PROCESS_MASK    (UINT64_C(0xffffff) << 28)
#define process_bits(n) ((uint64_t)(n) << 28 & PROCESS_MASK)
#define CONTEXT_MASK    (UINT64_C(0xff) << 20)

/* What all processes see. */
struct common {
    atomic_uint ready;
    struct {
        uint64_t pieces, shared;
    } of[MOST_CONTEXTS];
};

struct context {
    const struct example *example;
    struct common *common;
    uint32_t id, contexts;
    bool local; /* whether the pieces are the device's own memory, or memory that the CPU sees */
    struct vk vk;
    struct chance chance;
    struct vk_buffer staging, pieces[PIECES];
    uint64_t words[PIECES]; /* what each is full of */
};

static void copy(struct context *c, const struct vk_buffer *from, const struct vk_buffer *to)
{
    VkCommandBuffer commands = vk_begin(&c->vk);

    vkCmdCopyBuffer(commands, from->buffer, to->buffer, 1, &(VkBufferCopy){ .size = PIECE });
    vk_show_to_cpu(commands);
    vk_end(&c->vk, commands);
}

/* The piece itself, or what the device copies of it. */
static const uint64_t *look(struct context *c, const struct vk_buffer *piece)
{
    if (!c->local)
        return piece->data;
    copy(c, piece, &c->staging);
    return c->staging.data;
}

static void fill(struct context *c, const struct vk_buffer *piece, uint64_t word)
{
    uint64_t *to = c->local ? c->staging.data : piece->data;

    for (size_t i = 0; i < WORDS; i++)
        to[i] = word;
    if (c->local)
        copy(c, &c->staging, piece);
}

static void check_old(struct context *c, uint32_t n)
{
    const uint64_t *seen = look(c, &c->pieces[n]);

    for (size_t i = 0; i < WORDS; i++) {
        if (seen[i] != c->words[n])
            die("context %u: word %zu of its memory is %016llx, not %016llx", c->id, i,
                (unsigned long long)seen[i], (unsigned long long)c->words[n]);
    }
}

static void check_new(struct context *c, uint32_t n)
{
    const uint64_t *seen = look(c, &c->pieces[n]);
    bool shared = false;

    for (size_t i = 0; i < WORDS; i++) {
        if ((seen[i] & MARK_MASK) != MARK)
            continue;
        if ((seen[i] & PROCESS_MASK) != process_bits(getpid()))
            die("context %u: word %zu of new memory is another process's, %016llx", c->id, i,
                (unsigned long long)seen[i]);
        shared |= (seen[i] & CONTEXT_MASK) != (uint64_t)c->id << 20;
    }
    c->common->of[c->id].shared += shared;
}

static void take(struct context *c, uint32_t n, uint64_t count)
{
    c->pieces[n] =
        c->local ? vk_local_create(&c->vk, PIECE, COPIED) : vk_buffer_create(&c->vk, PIECE, COPIED);
    check_new(c, n);
    c->words[n] =
        MARK | process_bits(getpid()) | (uint64_t)c->id << 20 | (count & ~(~UINT64_C(0) << 20));
    fill(c, &c->pieces[n], c->words[n]);
}

static void wait_for_others(struct context *c)
{
    const double start = now_ms();

    atomic_fetch_add(&c->common->ready, 1);
    while (atomic_load(&c->common->ready) < c->contexts) {
        siginfo_t ended = { 0 };
        usleep(1000);
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid)
            die("a process ended before all contexts came up");
        if (now_ms() - start > PATIENCE_MS)
            die("only %u of %u contexts came up in %d s", atomic_load(&c->common->ready),
                c->contexts, PATIENCE_MS / 1000);
    }
}

static void *run(void *argument)
{
    struct context *c = argument;
    struct example example = *c->example;
    uint64_t count = 0;

    c->chance = chance_start(c->id + 1);
    c->local = c->id / 2 % 2;
    vk_create(&c->vk, 0, NULL);
    c->staging = vk_buffer_create(&c->vk, PIECE, COPIED);
    for (uint32_t n = 0; n < PIECES; n++)
        take(c, n, count++);
    wait_for_others(c);
    example.deadline.start_ms = now_ms();
    while (example_goes_on(&example, (long)count)) {
        uint32_t n = chance_below(&c->chance, PIECES);
        check_old(c, n);
        vk_buffer_destroy(&c->vk, &c->pieces[n]);
        take(c, n, count++);
    }
    for (uint32_t n = 0; n < PIECES; n++) {
        check_old(c, n);
        vk_buffer_destroy(&c->vk, &c->pieces[n]);
    }
    c->common->of[c->id].pieces = count;
    vk_buffer_destroy(&c->vk, &c->staging);
    vk_destroy(&c->vk);
    return NULL;
}

/* In a process of its own, which ends with this one. */
static pid_t start_process(struct context *c)
{
    pid_t parent = getpid(), child = fork();

    if (child < 0)
        die("fork failed");
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    run(c);
    _exit(0);
}

int main(int argc, char **argv)
{
    const struct example example = example_options(argc, argv, 500);
    const long count = option(argc, argv, "--contexts", 8);
    static struct context contexts[MOST_CONTEXTS];
    pthread_t threads[MOST_CONTEXTS];
    pid_t processes[MOST_CONTEXTS];
    uint64_t pieces = 0, least = UINT64_MAX, shared = 0;
    struct vk vk;

    if (count < 2 || count > MOST_CONTEXTS)
        die("--contexts is 2 to %d", MOST_CONTEXTS);
    example_without_picture(&example);
    struct common *common =
        mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (common == MAP_FAILED)
        die("no memory to share");
    for (long i = 0; i < count; i++)
        contexts[i] =
            (struct context){ &example, common, .id = (uint32_t)i, .contexts = (uint32_t)count };

    double start = now_ms();
    for (long i = 0; i < count; i += 2) /* first, as only a process with one thread may fork */
        processes[i] = start_process(&contexts[i]);
    /* This one, for the report, also keeps the driver loaded. Venus (Mesa 26.1) has something to do at a
     * thread's end, and the loader unloads it with a process's last instance: a thread that ended after
     * that would call what is no longer there. */
    vk_create(&vk, 0, NULL);
    for (long i = 1; i < count; i += 2) {
        if (pthread_create(&threads[i], NULL, run, &contexts[i]))
            die("no more threads after %ld", i / 2);
    }
    for (long i = 1; i < count; i += 2)
        pthread_join(threads[i], NULL);
    for (long i = 0; i < count; i += 2) {
        int status;
        if (waitpid(processes[i], &status, 0) < 0 || status != 0)
            die("the process of context %ld ended with wait status %#x", i, status);
    }
    double seconds = (now_ms() - start) / 1e3;

    for (long i = 0; i < count; i++) {
        pieces += common->of[i].pieces;
        shared += common->of[i].shared;
        least = common->of[i].pieces < least ? common->of[i].pieces : least;
    }
    example_begin_report(&example, &vk);
    printf(", \"contexts\": %ld, \"processes\": %ld, \"threads\": %ld, \"seconds\": %.2f, "
           "\"pieces\": %llu, \"least\": %llu, \"shared\": %llu",
           count, (count + 1) / 2, count / 2, seconds, (unsigned long long)pieces,
           (unsigned long long)least, (unsigned long long)shared);
    example_end_report();
    vk_destroy(&vk);
    return 0;
}
