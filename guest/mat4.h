/* SPDX-License-Identifier: MIT */
/*
 * Places in space, as GLSL's mat4 has them. No sine is ever taken: turns are given by a cosine and a
 * sine that a program states as fractions, so that the numbers are the same on every C library.
 */
#ifndef GUEST_MAT4_H
#define GUEST_MAT4_H

struct mat4 {
    float m[4][4]; /* m[column][row] */
};

/* First b, then a. */
struct mat4 mat4_multiply(struct mat4 a, struct mat4 b);

struct mat4 mat4_identity(void);
struct mat4 mat4_move(float x, float y, float z);

/* Turns by the angle of that cosine and sine; from above y, or from the far end of x or z, it is
 * counter-clockwise. */
struct mat4 mat4_turn_x(float cosine, float sine);
struct mat4 mat4_turn_y(float cosine, float sine);
struct mat4 mat4_turn_z(float cosine, float sine);

/*
 * The view along -z into Vulkan's clip space, where y points down and z runs from 0 to w. `zoom` is
 * the cotangent of half the angle that is seen from top to bottom.
 */
struct mat4 mat4_perspective(float zoom, float aspect, float near, float far);

#endif
