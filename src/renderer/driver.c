/* SPDX-License-Identifier: MIT */
/* See driver.h. Where a loader looks is in its LoaderDriverInterface.md, "Driver Discovery". */
#include "renderer/driver.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/message.h"

/* Whether something is so of the manifest at that path. */
typedef bool (*manifest_test)(const char *path);

static bool any(const char *path)
{
    (void)path;
    return true;
}

/* NVIDIA's has its name in the names of its libraries. Mesa's driver for the same GPUs is called nouveau. */
static bool names_nvidia(const char *path)
{
    char text[4096];
    FILE *file = fopen(path, "re");
    size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = '\0';
    return strcasestr(text, "nvidia");
}

static bool is_manifest(const char *name)
{
    size_t length = strlen(name);
    return length > 5 && !strcmp(name + length - 5, ".json");
}

static bool folder_has(const char *folder, manifest_test test)
{
    DIR *dir = opendir(folder);
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
        char *path = is_manifest(entry->d_name) ? message("%s/%s", folder, entry->d_name) : NULL;
        found = path && test(path);
        free(path);
    }
    if (dir)
        closedir(dir);
    return found;
}

/* In the same place under each folder of a list with colons; NULL: there is no list. Without a place it is a list of
 * manifests, and of folders that have some. */
static bool list_has(const char *list, const char *where, manifest_test test)
{
    while (list && *list) {
        int length = (int)strcspn(list, ":");
        char *path =
            where ? message("%.*s/%s", length, list, where) : message("%.*s", length, list);
        bool found =
            path && (folder_has(path, test) || (!where && is_manifest(path) && test(path)));
        free(path);
        if (found)
            return true;
        list += length + (list[length] == ':');
    }
    return false;
}

static bool loader_finds(const struct driver_places *places, manifest_test test)
{
    if (list_has(getenv("XDG_CONFIG_HOME"), "vulkan/icd.d", test) ||
        list_has(getenv("XDG_CONFIG_DIRS"), "vulkan/icd.d", test) ||
        list_has(getenv("XDG_DATA_HOME"), "vulkan/icd.d", test) ||
        list_has(getenv("XDG_DATA_DIRS"), "vulkan/icd.d", test) ||
        list_has(getenv("HOME"), ".config/vulkan/icd.d", test) ||
        list_has(getenv("HOME"), ".local/share/vulkan/icd.d", test))
        return true;
    for (const char *const *folder = places->folders; *folder; folder++) {
        if (folder_has(*folder, test))
            return true;
    }
    return false;
}

const char *driver_choose(const struct driver_places *places)
{
    const char *const *manifest = places->manifests;
    while (*manifest && access(*manifest, R_OK) < 0)
        manifest++;
    if (!*manifest || getenv("VK_DRIVER_FILES") || getenv("VK_ICD_FILENAMES") ||
        getenv("VK_ADD_DRIVER_FILES") || loader_finds(places, any))
        return NULL;
    return *manifest;
}

bool driver_is_nvidias(const struct driver_places *places)
{
    const char *chosen = getenv("VK_DRIVER_FILES");
    if (!chosen)
        chosen = getenv("VK_ICD_FILENAMES"); /* as it was called before */
    if (chosen)
        return list_has(chosen, NULL, names_nvidia);
    return list_has(getenv("VK_ADD_DRIVER_FILES"), NULL, names_nvidia) ||
           loader_finds(places, names_nvidia);
}
