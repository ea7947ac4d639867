#version 450
#extension GL_GOOGLE_include_directive : require
// SPDX-License-Identifier: MIT
// bits.glsl for formats that hold whole numbers.
#include "bits.glsl"
layout(location = 0) out ivec4 colour;

void main()
{
    colour = ivec4(bits()) * 100;
}
