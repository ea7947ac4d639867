/* SPDX-License-Identifier: MIT */
/* A virglrenderer of before 1.0, as far as it can be told from outside: it has none of the newer functions. */
int virgl_renderer_init(void *cookie, int flags, void *callbacks);

int virgl_renderer_init(void *cookie, int flags, void *callbacks)
{
    (void)cookie, (void)flags, (void)callbacks;
    return -1;
}
