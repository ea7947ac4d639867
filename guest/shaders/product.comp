#version 450
#extension GL_EXT_buffer_reference : require
// SPDX-License-Identifier: MIT
// c = a * b, n x n whole numbers each, row after row, modulo 2^32. A group makes a tile of 16 x 16,
// for which all its threads load tiles of a and b in turn.
layout(local_size_x = 16, local_size_y = 16) in;
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint at[]; };
layout(push_constant) uniform Push { Words a, b, c; uint n; };

shared uint of_a[16][16], of_b[16][16];

void main()
{
    uint x = gl_GlobalInvocationID.x, y = gl_GlobalInvocationID.y;
    uint column = gl_LocalInvocationID.x, row = gl_LocalInvocationID.y, sum = 0;

    for (uint tile = 0; tile < n; tile += 16) {
        of_a[row][column] = y < n && tile + column < n ? a.at[y * n + tile + column] : 0;
        of_b[row][column] = x < n && tile + row < n ? b.at[(tile + row) * n + x] : 0;
        barrier();
        for (uint k = 0; k < 16; k++)
            sum += of_a[row][k] * of_b[k][column];
        barrier();
    }
    if (x < n && y < n)
        c.at[y * n + x] = sum;
}
