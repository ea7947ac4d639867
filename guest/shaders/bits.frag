#version 450
#extension GL_GOOGLE_include_directive : require
// SPDX-License-Identifier: MIT
// bits.glsl for formats that hold numbers from 0 to 1.
#include "bits.glsl"
layout(location = 0) out vec4 colour;

void main()
{
    colour = vec4(bits());
}
