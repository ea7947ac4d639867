/* SPDX-License-Identifier: MIT */
/*
 * Target: a saved state, which can be anything. The input is its bytes.
 *
 * What is loaded can be saved, and loading that gives the same once more. What is not leaves nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "../tests/unit/fake-renderer.h"
#include "faults.h"
#include "machine.h"
#include "steps.h"

static uint64_t stat(const char *name)
{
    struct venus_gpu_stat list[128];
    size_t count = venus_gpu_stats(machine.gpu, list, 128);
    for (size_t i = 0; i < count && i < 128; i++) {
        if (!strcmp(list[i].name, name))
            return list[i].value;
    }
    complain("no counter %s", name);
    return 0;
}

static void *save(size_t *size)
{
    void *data = NULL;
    if (venus_gpu_save(machine.gpu, &data, size, NULL) < 0)
        complain("what was loaded cannot be saved");
    return data;
}

/* What was loaded: look at it, save it, and do so again with what that gave. */
static void save_and_load(void)
{
    size_t first_size, second_size;
    void *first = save(&first_size);
    machine_look();
    machine_reset();
    if (venus_gpu_load(machine.gpu, first, first_size, NULL) < 0)
        complain("what was saved cannot be loaded");
    void *second = save(&second_size);
    if (second_size != first_size)
        complain("a state of %zu bytes became one of %zu", first_size, second_size);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine_options options;
    machine_describe(&options);
    /* The last byte, behind the end of a state. */
    options.private_ram = size && data[size - 1] & 1;
    unsetenv("VENUS_GPU_POLL_FENCES");
    steps_begin();
    faults_forget();
    fake_reset();
    if (!machine_start(&options))
        complain("the machine did not start");
    char *why = NULL;
    int ret = venus_gpu_load(machine.gpu, data, size ? size - 1 : 0, &why);
    steps_settle();
    if (ret == 0)
        save_and_load();
    else if (!why || stat("resources") || stat("contexts") || stat("memory-bytes"))
        complain("a state that was refused has left something");
    free(why);
    machine_stop();
    steps_end();
    return 0;
}
