/* SPDX-License-Identifier: MIT */
/*
 * Matrix products by ggml's Vulkan backend, many in one graph: as a language model's layers have them, which are some
 * hundreds for each wait. test-backend-ops puts two or three large ones in a graph, so that it measures the wait too.
 *
 *   ggml_products [--type f16] [--n 512] [--products 1] [--warmup-seconds 1] [--seconds 3]
 *
 * The matrices are 4096 x 14336 of --type (f16 or q4_0), as in one layer of a model of 8 thousand million numbers, and
 * 14336 x --n. round_ms is one graph: ggml_backend_graph_compute(), which waits for the device.
 * scripts/gpu-payload.sh builds it, in the root that has ggml.
 */
#include <stdlib.h>
#include <string.h>

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include "common.h"

#define ROWS          4096
#define COLUMNS       14336
#define MOST_PRODUCTS 1000

/* All rows are the same: what is in them makes no difference to the time, as long as it is neither zero nor infinite. */
static void fill(struct ggml_tensor *tensor)
{
    const size_t size = ggml_row_size(tensor->type, COLUMNS), count = (size_t)tensor->ne[1];
    float *numbers = malloc(COLUMNS * sizeof *numbers);
    char *rows = malloc(size * count);

    if (!numbers || !rows)
        die("no memory for %zu rows", count);
    for (size_t i = 0; i < COLUMNS; i++)
        numbers[i] = (float)((i * 2654435761u) % 2000) / 1000.0f - 1.0f;
    if (tensor->type == GGML_TYPE_F32)
        memcpy(rows, numbers, size);
    else if (tensor->type == GGML_TYPE_F16)
        ggml_fp32_to_fp16_row(numbers, (ggml_fp16_t *)rows, COLUMNS);
    else
        ggml_quantize_chunk(tensor->type, numbers, rows, 0, 1, COLUMNS, NULL);
    for (size_t i = 1; i < count; i++)
        memcpy(rows + i * size, rows, size);
    ggml_backend_tensor_set(tensor, rows, 0, size * count);
    free(rows);
    free(numbers);
}

int main(int argc, char **argv)
{
    const char *type = option_text(argc, argv, "--type", "f16");
    long n = option(argc, argv, "--n", 512), products = option(argc, argv, "--products", 1);
    double warmup = 1e3 * (double)option(argc, argv, "--warmup-seconds", 1);
    double limit = 1e3 * (double)option(argc, argv, "--seconds", 3);
    struct samples round = { 0 };

    if (n < 1 || n > 4096 || products < 1 || products > MOST_PRODUCTS)
        die("--n is 1 to 4096, --products 1 to %d", MOST_PRODUCTS);
    if (strcmp(type, "f16") != 0 && strcmp(type, "q4_0") != 0)
        die("--type is f16 or q4_0, not \"%s\"", type);
    ggml_backend_load_all();
    ggml_backend_dev_t device = ggml_backend_dev_by_name("Vulkan0");
    ggml_backend_t backend = device ? ggml_backend_dev_init(device, NULL) : NULL;
    if (!backend)
        die("ggml has no device Vulkan0 here");
    struct ggml_context *ctx = ggml_init(
        (struct ggml_init_params){ .mem_size = (MOST_PRODUCTS + 16) * ggml_tensor_overhead() +
                                               ggml_graph_overhead_custom(2 * MOST_PRODUCTS, false),
                                   .no_alloc = true });
    struct ggml_tensor *a = ggml_new_tensor_2d(
        ctx, strcmp(type, "f16") == 0 ? GGML_TYPE_F16 : GGML_TYPE_Q4_0, COLUMNS, ROWS);
    struct ggml_tensor *b = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, COLUMNS, n);
    struct ggml_cgraph *graph = ggml_new_graph_custom(ctx, 2 * MOST_PRODUCTS, false);
    for (long i = 0; i < products; i++)
        ggml_build_forward_expand(graph, ggml_mul_mat(ctx, a, b));
    if (!ggml_backend_alloc_ctx_tensors(ctx, backend))
        die("the device has no memory for %ld products", products);
    fill(a);
    fill(b);

    double start = now_ms();
    for (double now = start; now - start < warmup + limit || !round.count;) {
        if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS)
            die("ggml could not compute the graph");
        double done = now_ms();
        if (now - start >= warmup)
            samples_add(&round, done - now);
        now = done;
    }
    printf("{\"program\": \"ggml_products\", \"device\": \"%s\", \"type\": \"%s\", \"n\": %ld, "
           "\"products\": %ld, ",
           ggml_backend_dev_description(device), type, n, products);
    samples_print(&round, "round_ms");
    printf("}\n");
    samples_finish(&round);
    ggml_backend_free(backend);
    ggml_free(ctx);
    return 0;
}
