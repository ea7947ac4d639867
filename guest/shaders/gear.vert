#version 450
#extension GL_GOOGLE_include_directive : require
// SPDX-License-Identifier: MIT
// A gear's front, back and teeth. Each step has three quads, and each of those one normal.
#include "gear.glsl"
layout(location = 0) out vec3 tint;

// Which end of the step (x) and which edge of the quad (y) a corner is at.
const ivec2 corner[6] = ivec2[](ivec2(0, 0), ivec2(0, 1), ivec2(1, 1),
                                ivec2(0, 0), ivec2(1, 1), ivec2(1, 0));

void main()
{
    int step = gl_VertexIndex / 18, quad = gl_VertexIndex / 6 % 3;
    ivec2 at = corner[gl_VertexIndex % 6];

    if (quad == 1) // the back is the front's mirror image, so it runs the other way round
        at.y = 1 - at.y;
    vec2 rim0 = direction(step) * rim(step), rim1 = direction(step + 1) * rim(step + 1);
    vec2 outer = at.x == 0 ? rim0 : rim1;
    vec2 inner = direction(step + at.x) * shape.x;
    vec3 position, normal;
    if (quad == 2) {
        vec2 along = rim1 - rim0;
        position = vec3(outer, at.y == 0 ? shape.w : -shape.w);
        normal = vec3(along.y, -along.x, 0);
    } else {
        normal = vec3(0, 0, quad == 0 ? 1 : -1);
        position = vec3(at.y == 0 ? inner : outer, shape.w * normal.z);
    }
    tint = lit(normal);
    gl_Position = view * vec4(position, 1);
}
