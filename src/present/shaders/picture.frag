// SPDX-License-Identifier: MIT
// A picture out of a buffer of 32-bit pixels: any offset, stride and order of the channels, scaled to the
// place that it gets. Where it is not scaled its pixels come out as they are.
#version 450

layout(std430, set = 0, binding = 0) readonly buffer Pixels
{
    uint pixels[];
};

layout(push_constant) uniform Picture
{
    ivec2 origin; // where it goes, in pixels of the image
    ivec2 size;
    ivec2 source; // its own size
    uint first;   // its first pixel, in words of the buffer
    uint stride;  // words from one row to the next
    uvec4 shift;  // of red, green, blue and alpha in a word; 32: opaque
};

layout(location = 0) out vec4 colour;

float channel(uint word, uint at)
{
    return at < 32u ? float(word >> at & 255u) / 255.0 : 1.0;
}

vec4 pixel(ivec2 at)
{
    at = clamp(at, ivec2(0), source - 1);
    uint word = pixels[first + uint(at.y) * stride + uint(at.x)];
    return vec4(channel(word, shift.r), channel(word, shift.g), channel(word, shift.b),
                channel(word, shift.a));
}

void main()
{
    vec2 here = gl_FragCoord.xy - vec2(origin);
    if (size == source) {
        colour = pixel(ivec2(here));
        return;
    }
    vec2 at = here * vec2(source) / vec2(size) - 0.5;
    ivec2 corner = ivec2(floor(at));
    vec2 part = at - vec2(corner);
    vec4 upper = mix(pixel(corner), pixel(corner + ivec2(1, 0)), part.x);
    vec4 lower = mix(pixel(corner + ivec2(0, 1)), pixel(corner + ivec2(1, 1)), part.x);
    colour = mix(upper, lower, part.y);
}
