/* SPDX-License-Identifier: MIT */
/* Matrices, column by column: see mat4.h. */
#include "mat4.h"

struct mat4 mat4_multiply(struct mat4 a, struct mat4 b)
{
    struct mat4 out = { 0 };

    for (int column = 0; column < 4; column++) {
        for (int row = 0; row < 4; row++) {
            for (int k = 0; k < 4; k++)
                out.m[column][row] += a.m[k][row] * b.m[column][k];
        }
    }
    return out;
}

struct mat4 mat4_identity(void)
{
    return mat4_move(0, 0, 0);
}

struct mat4 mat4_move(float x, float y, float z)
{
    return (struct mat4){ { { 1, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 0 }, { x, y, z, 1 } } };
}

struct mat4 mat4_turn_x(float c, float s)
{
    return (struct mat4){ { { 1, 0, 0, 0 }, { 0, c, s, 0 }, { 0, -s, c, 0 }, { 0, 0, 0, 1 } } };
}

struct mat4 mat4_turn_y(float c, float s)
{
    return (struct mat4){ { { c, 0, -s, 0 }, { 0, 1, 0, 0 }, { s, 0, c, 0 }, { 0, 0, 0, 1 } } };
}

struct mat4 mat4_turn_z(float c, float s)
{
    return (struct mat4){ { { c, s, 0, 0 }, { -s, c, 0, 0 }, { 0, 0, 1, 0 }, { 0, 0, 0, 1 } } };
}

struct mat4 mat4_perspective(float zoom, float aspect, float near, float far)
{
    return (struct mat4){ { { zoom / aspect, 0, 0, 0 },
                            { 0, -zoom, 0, 0 },
                            { 0, 0, far / (near - far), -1 },
                            { 0, 0, near * far / (near - far), 0 } } };
}
