#version 450
#extension GL_GOOGLE_include_directive : require
// SPDX-License-Identifier: MIT
// bits.glsl for formats that hold whole numbers without a sign.
#include "bits.glsl"
layout(location = 0) out uvec4 colour;

void main()
{
    colour = bits() * 100u;
}
