#version 450
// SPDX-License-Identifier: MIT
layout(set = 0, binding = 0) uniform sampler2D picture;
layout(location = 0) in vec2 uv;
layout(location = 1) in flat vec3 tint;
layout(location = 0) out vec4 colour;

void main()
{
    colour = vec4(texture(picture, uv).rgb * tint, 1.0);
}
