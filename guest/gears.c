/* SPDX-License-Identifier: MIT */
/*
 * Three gears that turn each other: several pipelines in one picture, a depth image that sorts what
 * is in front, and push constants that make one shader draw different things.
 *
 *   gears [--frames 60] [--seconds 0] [--size 640x480] [--png FILE] [--json FILE]
 *
 * The gears have no vertices in memory: shaders/gear.vert makes them out of their measures, which are
 * push constants. Frame n is the gears turned n times.
 */
#include "example.h"
#include "gear.vert.h"
#include "hole.vert.h"
#include "mat4.h"
#include "sky.vert.h"
#include "target.h"
#include "tint.frag.h"

#define FORMAT VK_FORMAT_R8G8B8A8_UNORM
#define DEPTH  VK_FORMAT_D16_UNORM /* the one depth format that every driver can draw on */

/* As shaders/gear.glsl has it. */
struct push {
    struct mat4 view;
    float light[3], shift;
    float hole, ground, tip, half;
    float red, green, blue, teeth;
};
_Static_assert(sizeof(struct push) <= 128, "what every driver has room for");

/* The teeth of all are equally large; a gear turns the faster the fewer it has. */
static const struct gear {
    float x, y, hole, half, shift, colour[3];
    int teeth, turns; /* so many of the frame's angles, and their sign says which way */
} gears[] = {
    { -3.2f, -2.0f, 1.2f, 0.6f, 0.0f, { 0.85f, 0.15f, 0.1f }, 24, 2 },
    { 2.94f, -2.0f, 0.5f, 1.0f, 0.5f, { 0.1f, 0.75f, 0.2f }, 12, -4 },
    { -3.2f, 4.82f, 1.4f, 0.4f, 0.5f, { 0.2f, 0.3f, 0.95f }, 16, -3 },
};

enum { SKY, GEAR, HOLE, PIPELINES };

struct scene {
    struct vk vk;
    struct target target;
    VkPipelineLayout layout;
    VkPipeline pipelines[PIPELINES];
};

static void create(struct scene *s, uint32_t width, uint32_t height)
{
    const struct shader {
        const uint32_t *code;
        size_t size;
    } vertex[PIPELINES] = {
        [SKY] = { sky_vert, sizeof sky_vert },
        [GEAR] = { gear_vert, sizeof gear_vert },
        [HOLE] = { hole_vert, sizeof hole_vert },
    };

    vk_create(&s->vk, 0, NULL);
    target_create(&s->target, &s->vk, FORMAT, DEPTH, width, height);
    VK_CHECK(vkCreatePipelineLayout(
        s->vk.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){ VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(struct push) } },
        NULL, &s->layout));
    for (int i = 0; i < PIPELINES; i++)
        s->pipelines[i] = vk_pipeline_create(&s->vk, &(struct vk_pipeline_needs){
                                                         .layout = s->layout,
                                                         .format = FORMAT,
                                                         .depth = DEPTH,
                                                         .width = width,
                                                         .height = height,
                                                         .vertex = vertex[i].code,
                                                         .vertex_size = vertex[i].size,
                                                         .fragment = tint_frag,
                                                         .fragment_size = sizeof tint_frag,
                                                     });
}

static void destroy(struct scene *s)
{
    for (int i = 0; i < PIPELINES; i++)
        vkDestroyPipeline(s->vk.device, s->pipelines[i], NULL);
    vkDestroyPipelineLayout(s->vk.device, s->layout, NULL);
    target_destroy(&s->target, &s->vk);
    vk_destroy(&s->vk);
}

/* The turn by a gear's multiple of the frame's angle. */
static struct mat4 turned(struct mat4 angle, int turns)
{
    struct mat4 out = mat4_identity();

    for (int i = 0; i < (turns < 0 ? -turns : turns); i++)
        out = mat4_multiply(out, angle);
    if (turns < 0) { /* the other way round: the inverse of a turn is its transpose */
        float sine = out.m[0][1];
        out.m[0][1] = out.m[1][0];
        out.m[1][0] = sine;
    }
    return out;
}

static void draw_gear(const struct scene *s, VkCommandBuffer commands, const struct gear *gear,
                      struct mat4 camera, struct mat4 angle)
{
    const float light[3] = { 0.48f, 0.6f, 0.64f }; /* of length 1 */
    const float pitch = 0.17f * (float)gear->teeth;
    const struct mat4 turn = turned(angle, gear->turns);
    struct push push = {
        .view = mat4_multiply(camera, mat4_multiply(mat4_move(gear->x, gear->y, 0), turn)),
        .shift = gear->shift,
        .hole = gear->hole,
        .ground = pitch - 0.36f,
        .tip = pitch + 0.32f,
        .half = gear->half,
        .red = gear->colour[0],
        .green = gear->colour[1],
        .blue = gear->colour[2],
        .teeth = (float)gear->teeth,
    };

    /* The light as the gear sees it: turned back, by the transpose. */
    for (int row = 0; row < 3; row++) {
        for (int k = 0; k < 3; k++)
            push.light[row] += turn.m[row][k] * light[k];
    }
    vkCmdPushConstants(commands, s->layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof push, &push);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, s->pipelines[GEAR]);
    vkCmdDraw(commands, 18 * 4 * (uint32_t)gear->teeth, 1, 0, 0);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, s->pipelines[HOLE]);
    vkCmdDraw(commands, 6 * 4 * (uint32_t)gear->teeth, 1, 0, 0);
}

static void draw(const struct scene *s, struct mat4 angle)
{
    const float black[4] = { 0, 0, 0, 1 };
    const float aspect = (float)s->target.width / (float)s->target.height;
    const struct mat4 eye =
        mat4_multiply(mat4_turn_x(15.0f / 17, 8.0f / 17), mat4_turn_y(12.0f / 13, 5.0f / 13));
    const struct mat4 camera = mat4_multiply(mat4_perspective(3.0f, aspect, 5, 60),
                                             mat4_multiply(mat4_move(0, -0.8f, -26), eye));
    VkCommandBuffer commands = vk_begin(&s->vk);

    target_begin(&s->target, commands, black);
    for (size_t i = 0; i < sizeof gears / sizeof *gears; i++)
        draw_gear(s, commands, &gears[i], camera, angle);
    /* Last, where no gear is: it lies as far away as the depth image can tell. */
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, s->pipelines[SKY]);
    vkCmdDraw(commands, 3, 1, 0, 0);
    target_end(&s->target, commands);
    vk_end(&s->vk, commands);
}

int main(int argc, char **argv)
{
    struct example example = example_options(argc, argv, 60);
    struct mat4 angle = mat4_identity();
    struct samples frame_ms = { 0 };
    struct scene scene;

    example_size(&example, argc, argv, 640, 480);
    create(&scene, example.width, example.height);
    for (long frame = 0; example_goes_on(&example, frame); frame++) {
        double start = now_ms();
        draw(&scene, angle);
        samples_add(&frame_ms, now_ms() - start);
        angle = mat4_multiply(angle, mat4_turn_z(3599.0f / 3601, 120.0f / 3601));
    }

    if (example.png)
        target_write_png(&scene.target, example.png);
    example_begin_report(&example, &scene.vk);
    printf(", \"crc32\": \"%08x\", ", target_crc(&scene.target));
    samples_print(&frame_ms, "frame_ms");
    example_end_report();
    samples_finish(&frame_ms);
    destroy(&scene);
    return 0;
}
