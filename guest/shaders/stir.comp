#version 450
#extension GL_EXT_buffer_reference : require
// SPDX-License-Identifier: MIT
// Changes every word in a way that depends on where it is.
layout(local_size_x = 256) in;
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint at[]; };
layout(push_constant) uniform Push { Words words; uint count; };

void main()
{
    for (uint i = gl_GlobalInvocationID.x; i < count; i += 256 * gl_NumWorkGroups.x)
        words.at[i] = (words.at[i] ^ i) * 2654435761u;
}
