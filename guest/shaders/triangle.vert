#version 450
// SPDX-License-Identifier: MIT
// A triangle out of the vertex number, turned by the angle of that cosine and sine.
layout(push_constant) uniform Push { vec2 turn; float aspect; };
layout(location = 0) out vec3 tint;

const vec2 corner[3] = vec2[](vec2(0.0, -0.8), vec2(-0.69, 0.4), vec2(0.69, 0.4));
const vec3 tints[3] = vec3[](vec3(1, 0, 0), vec3(0, 1, 0), vec3(0, 0, 1));

void main()
{
    vec2 at = corner[gl_VertexIndex];

    tint = tints[gl_VertexIndex];
    gl_Position = vec4((at.x * turn.x - at.y * turn.y) / aspect, at.x * turn.y + at.y * turn.x, 0, 1);
}
