#version 450
// SPDX-License-Identifier: MIT
// One triangle over everything and behind everything, lighter towards the top.
layout(location = 0) out vec3 tint;

void main()
{
    vec2 at = vec2(gl_VertexIndex == 2 ? 3 : -1, gl_VertexIndex == 1 ? 3 : -1);

    tint = vec3(0.16, 0.18, 0.24) - 0.06 * at.y;
    gl_Position = vec4(at, 1, 1);
}
