// SPDX-License-Identifier: MIT
// What the shaders of a gear share: its measures and where its teeth begin and end.
layout(push_constant) uniform Push {
    mat4 view;  // from the gear's own space to the screen
    vec4 light; // where it comes from, in the gear's own space; w: the teeth's shift, in teeth
    vec4 shape; // radius of the hole, to the gaps' ground, to the teeth's tips; half the thickness
    vec4 paint; // red, green, blue; how many teeth
};

// Each tooth has four steps around the rim: up, along its tip, down, along the gap.
vec2 direction(int step)
{
    float angle = 6.28318530718 * ((float(step) - 1.5) / 4.0 + light.w) / paint.w;

    return vec2(cos(angle), sin(angle));
}

float rim(int step)
{
    int part = step & 3;

    return part == 1 || part == 2 ? shape.z : shape.y;
}

vec3 lit(vec3 normal)
{
    return paint.rgb * (0.25 + 0.75 * max(dot(normalize(normal), light.xyz), 0.0));
}
