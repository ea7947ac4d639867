#version 450
#extension GL_EXT_buffer_reference : require
// SPDX-License-Identifier: MIT
// Fills words with numbers that say whose they are and where they belong.
layout(local_size_x = 64) in;
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint at[]; };
layout(push_constant) uniform Push { Words words; uint owner, count; };

void main()
{
    uint i = gl_GlobalInvocationID.x;

    if (i < count)
        words.at[i] = (owner + i) * 2654435761u;
}
