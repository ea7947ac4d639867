#version 450
#extension GL_EXT_buffer_reference : require
// SPDX-License-Identifier: MIT
// Makes of each block of 256 words their running sums, in place; the blocks' own sums go to `sums`.
layout(local_size_x = 256) in;
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint at[]; };
layout(push_constant) uniform Push { Words words, sums; uint count; };

shared uint sum[256];

void main()
{
    uint i = gl_LocalInvocationID.x, at = gl_GlobalInvocationID.x;

    sum[i] = at < count ? words.at[at] : 0;
    for (uint step = 1; step < 256; step *= 2) {
        barrier();
        uint more = i >= step ? sum[i - step] : 0;
        barrier();
        sum[i] += more;
    }
    if (at < count)
        words.at[at] = sum[i];
    if (i == 255)
        sums.at[gl_WorkGroupID.x] = sum[i];
}
