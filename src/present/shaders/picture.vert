// SPDX-License-Identifier: MIT
// One triangle that covers the viewport, which is where the picture goes.
#version 450

void main()
{
    vec2 corner = vec2(gl_VertexIndex << 1 & 2, gl_VertexIndex & 2);
    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
