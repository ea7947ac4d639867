/* SPDX-License-Identifier: MIT */
/*
 * A Vulkan with which the library places blobs: a driver whose memory is files, and that fails in each way a driver can.
 *
 * It has one device. Its mappings are its own business, as a driver's are: what is freed while it is mapped, it unmaps, whatever is there by
 * then. One per process.
 */
#ifndef FAKE_VULKAN_H
#define FAKE_VULKAN_H

#include <stdbool.h>
#include <stdint.h>

#include "vk/vulkan.h"

enum vulkan_fault {
    VULKAN_WORKS,
    VULKAN_HAS_NO_LOADER,    /* there is no instance to be had */
    VULKAN_LACKS_PARTS,      /* of Vulkan: its loader keeps it to itself unless it is asked for such */
    VULKAN_LACKS_PLACING,    /* the extension */
    VULKAN_LACKS_RESERVING,  /* the feature */
    VULKAN_IS_ANOTHER,       /* device */
    VULKAN_HAS_LARGE_PAGES,  /* of 64 KiB */
    VULKAN_REFUSES_IMPORT,   /* as what is no memory of its own */
    VULKAN_CLOSES_IMPORT,    /* refuses it, and closes the descriptor, whose number another thread gets */
    VULKAN_WANTS_THE_TYPE,   /* of its own memory, the last one */
    VULKAN_REFUSES_MAP,
    VULKAN_MAP_LEAVES_HOLE,  /* as it is refused */
    VULKAN_MAPS_ELSEWHERE,
    VULKAN_MAPS_ALL,         /* that there is, not what was imported of it */
    VULKAN_REFUSES_UNMAP,
    VULKAN_IS_LOST,          /* once, at the next map */
    VULKAN_IS_LOST_ALWAYS,
};

/* Forget everything, and behave so from now on. */
void fake_vulkan_start(enum vulkan_fault fault);
/* From now on. */
void fake_vulkan_set(enum vulkan_fault fault);

PFN_vkVoidFunction fake_vulkan_get_instance_proc_addr(VkInstance instance, const char *name);

/* The device and driver that it is. */
extern const uint8_t fake_vulkan_device_uuid[VK_UUID_SIZE], fake_vulkan_driver_uuid[VK_UUID_SIZE];

unsigned fake_vulkan_instances(void); /* that were made since the start */
unsigned fake_vulkan_devices(void);   /* likewise */
unsigned fake_vulkan_memories(void);  /* that there are */
unsigned fake_vulkan_mapped(void);    /* of these */
uint64_t fake_vulkan_last_size(void); /* bytes that were asked for last */
uint32_t fake_vulkan_last_type(void);
void *fake_vulkan_last_address(void); /* that something was to be mapped at */
/* The other thread's descriptor, or -1. */
int fake_vulkan_bystander(void);
/* What was done that a driver may crash of, or NULL. */
const char *fake_vulkan_complaint(void);

#endif
