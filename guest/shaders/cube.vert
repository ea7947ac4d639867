#version 450
// SPDX-License-Identifier: MIT
// A cube out of nothing but the vertex number: six faces of two triangles, seen through `view`.
layout(push_constant) uniform Push { mat4 view; };
layout(location = 0) out vec2 uv;
layout(location = 1) out flat vec3 tint;

// For each face the axes along its texture's u and v; their cross product points outwards.
const vec3 u_axis[6] = vec3[](vec3(0, 1, 0), vec3(0, 0, 1), vec3(1, 0, 0),
                              vec3(0, 0, 1), vec3(1, 0, 0), vec3(0, 1, 0));
const vec3 v_axis[6] = vec3[](vec3(0, 0, 1), vec3(1, 0, 0), vec3(0, 1, 0),
                              vec3(0, 1, 0), vec3(0, 0, 1), vec3(1, 0, 0));
const vec2 corner[6] = vec2[](vec2(0, 0), vec2(1, 0), vec2(1, 1),
                              vec2(0, 0), vec2(1, 1), vec2(0, 1));

void main()
{
    int face = gl_VertexIndex / 6;
    vec3 u = u_axis[face], v = v_axis[face];
    vec3 normal = cross(u, v);

    uv = corner[gl_VertexIndex % 6];
    tint = 0.6 + 0.4 * abs(normal.zxy) - 0.2 * max(-normal, 0.0);
    gl_Position = view * vec4(normal + u * (2.0 * uv.x - 1.0) + v * (2.0 * uv.y - 1.0), 1.0);
}
