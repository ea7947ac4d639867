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

static bool has_manifest(const char *folder)
{
    DIR *dir = opendir(folder);
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        found = length > 5 && !strcmp(entry->d_name + length - 5, ".json");
    }
    if (dir)
        closedir(dir);
    return found;
}

/* In the same place under each folder of a list with colons; NULL: there is no list. */
static bool has_manifest_under(const char *list, const char *where)
{
    while (list && *list) {
        size_t length = strcspn(list, ":");
        char *folder = message("%.*s/%s", (int)length, list, where);
        bool found = folder && has_manifest(folder);
        free(folder);
        if (found)
            return true;
        list += length + (list[length] == ':');
    }
    return false;
}

static bool loader_finds_one(const struct driver_places *places)
{
    if (has_manifest_under(getenv("XDG_CONFIG_HOME"), "vulkan/icd.d") ||
        has_manifest_under(getenv("XDG_CONFIG_DIRS"), "vulkan/icd.d") ||
        has_manifest_under(getenv("XDG_DATA_HOME"), "vulkan/icd.d") ||
        has_manifest_under(getenv("XDG_DATA_DIRS"), "vulkan/icd.d") ||
        has_manifest_under(getenv("HOME"), ".config/vulkan/icd.d") ||
        has_manifest_under(getenv("HOME"), ".local/share/vulkan/icd.d"))
        return true;
    for (const char *const *folder = places->folders; *folder; folder++) {
        if (has_manifest(*folder))
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
        getenv("VK_ADD_DRIVER_FILES") || loader_finds_one(places))
        return NULL;
    return *manifest;
}
