#version 450
#extension GL_GOOGLE_include_directive : require
// SPDX-License-Identifier: MIT
// The inside of a gear's hole: round, so each corner has a normal of its own.
#include "gear.glsl"
layout(location = 0) out vec3 tint;

const ivec2 corner[6] = ivec2[](ivec2(0, 0), ivec2(1, 0), ivec2(1, 1),
                                ivec2(0, 0), ivec2(1, 1), ivec2(0, 1));

void main()
{
    ivec2 at = corner[gl_VertexIndex % 6];
    vec2 towards = direction(gl_VertexIndex / 6 + at.x);

    tint = lit(vec3(-towards, 0));
    gl_Position = view * vec4(towards * shape.x, at.y == 0 ? shape.w : -shape.w, 1);
}
