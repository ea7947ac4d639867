#version 450
// SPDX-License-Identifier: MIT
// A colour for each pixel and frame, in whole steps of 1/255: whoever looks can compute every byte.
layout(push_constant) uniform Push { uint frame; };
layout(location = 0) out vec4 colour;

void main()
{
    uvec2 at = uvec2(gl_FragCoord.xy);
    uvec3 steps = uvec3(at.x + 3u * frame, at.y + 5u * frame, (at.x ^ at.y) + 7u * frame) & 255u;

    colour = vec4(vec3(steps) / 255.0, 1.0);
}
