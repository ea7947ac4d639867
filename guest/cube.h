/* SPDX-License-Identifier: MIT */
/* The textured cube that `frame` draws once and `vkcube_anim` over and over. */
#ifndef GUEST_CUBE_H
#define GUEST_CUBE_H

#include "mat4.h"
#include "vk.h"

/* What is behind the cube. */
extern const float cube_background[4];

/* Everything that drawing it binds. */
struct cube {
    struct vk_image texture;
    VkSampler sampler;
    VkDescriptorSetLayout set_layout;
    VkDescriptorPool descriptors;
    VkDescriptorSet set;
    VkPipelineLayout layout;
    VkPipeline pipeline;
};

/* For one colour attachment of this format and size, and no depth. */
void cube_create(struct cube *cube, const struct vk *vk, VkFormat format, uint32_t width,
                 uint32_t height);
void cube_destroy(struct cube *cube, const struct vk *vk);

/* The cube as it stands at first: upright, tipped towards the viewer. */
struct mat4 cube_start(void);

/* Records the drawing of the cube that was turned like this, within a rendering. */
void cube_draw(const struct cube *cube, VkCommandBuffer commands, const struct mat4 *turned,
               float aspect);

#endif
