#version 450
#extension GL_EXT_buffer_reference : require
// SPDX-License-Identifier: MIT
// Adds to each block of 256 words the sum of all blocks before it.
layout(local_size_x = 256) in;
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint at[]; };
layout(push_constant) uniform Push { Words words, sums; uint count; };

void main()
{
    uint at = gl_GlobalInvocationID.x;

    if (gl_WorkGroupID.x > 0 && at < count)
        words.at[at] += sums.at[gl_WorkGroupID.x - 1];
}
