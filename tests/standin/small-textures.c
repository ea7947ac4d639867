/* SPDX-License-Identifier: MIT */
/* A renderer of SDL's whose largest texture is smaller than every screen: for a process that preloads this. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST = 512 };

struct SDL_Renderer;
struct SDL_Texture;

typedef struct SDL_Texture *create_texture(struct SDL_Renderer *renderer, uint32_t format,
                                           int access, int width, int height);
typedef int set_error(const char *format, ...);

create_texture SDL_CreateTexture __attribute__((visibility("default")));

struct SDL_Texture *SDL_CreateTexture(struct SDL_Renderer *renderer, uint32_t format, int access,
                                      int width, int height)
{
    if (width > MOST || height > MOST) {
        ((set_error *)dlsym(RTLD_NEXT, "SDL_SetError"))("at most %dx%d", MOST, MOST);
        return NULL;
    }
    return ((create_texture *)dlsym(RTLD_NEXT, "SDL_CreateTexture"))(renderer, format, access,
                                                                     width, height);
}
