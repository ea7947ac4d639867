// SPDX-License-Identifier: MIT
// One column for each set of red, green, blue and alpha, each all or nothing: the column's bits.
uvec4 bits()
{
    return uvec4(gl_FragCoord.x) >> uvec4(0, 1, 2, 3) & 1u;
}
