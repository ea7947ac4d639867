/*
 * virtio-gpu-venus: guest addresses behind an IOMMU
 *
 * With VIRTIO_F_ACCESS_PLATFORM the addresses that a guest sends are the bus's.
 * QEMU translates those of virtqueues; the pages of a backing or of a guest
 * blob are listed inside commands, and translated here.
 *
 * The library asks for guest memory on its own thread, without the BQL.  An
 * IOMMU cannot be asked there: a translation that fails is reported to the
 * guest by an interrupt, which takes the BQL.  So it is asked when the command
 * comes, under the BQL, and the library gets a copy of the command with
 * physical addresses in it.
 *
 * A mapping that the guest takes back from the IOMMU stays ours for as long as
 * the resource has its backing, as with QEMU's other virtio-gpu devices.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/virtio/virtio-bus.h"
#include "qemu/iov.h"
#include "qemu/rcu.h"
#include "system/dma.h"
#include "trace.h"
#include "venus-internal.h"

/* As many as the library takes: 1 GiB in pages of 4 KiB. */
#define VENUS_MAX_ENTRIES 262144

/* No guest has memory there, so the library refuses the command. */
static const struct virtio_gpu_mem_entry nowhere = {
    .addr = ~0ULL,
    .length = ~0U,
};

bool venus_iommu_is_on(VirtIOGPUVenus *v)
{
    return VIRTIO_DEVICE(v)->dma_as != &address_space_memory;
}

/* Where a command of @type has its number of entries, and where they begin. */
static bool venus_iommu_find_entries(uint32_t type, size_t *number,
                                     size_t *entries)
{
    switch (type) {
    case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
        *number = offsetof(struct virtio_gpu_resource_attach_backing,
                           nr_entries);
        *entries = sizeof(struct virtio_gpu_resource_attach_backing);
        return true;
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
        *number = offsetof(struct virtio_gpu_resource_create_blob, nr_entries);
        *entries = sizeof(struct virtio_gpu_resource_create_blob);
        return true;
    default:
        return false;
    }
}

/* Appends to @list what one entry of the guest's is, in physical addresses. */
static bool venus_iommu_translate(AddressSpace *as, uint64_t addr, uint64_t len,
                                  GArray *list)
{
    do {
        IOMMUTLBEntry tlb =
            address_space_get_iotlb_entry(as, addr, false,
                                          MEMTXATTRS_UNSPECIFIED);
        uint64_t skip = addr & tlb.addr_mask;
        uint64_t rest = tlb.addr_mask - skip;   /* after the first byte */
        uint64_t piece = len > rest ? rest + 1 : len;
        struct virtio_gpu_mem_entry entry = {
            .addr = cpu_to_le64(tlb.translated_addr + skip),
            .length = cpu_to_le32(piece),
        };

        if (!(tlb.perm & IOMMU_RO) || list->len == VENUS_MAX_ENTRIES ||
            (tlb.target_as != as && tlb.target_as != &address_space_memory)) {
            trace_virtio_gpu_venus_no_translation(addr, len);
            return false;
        }
        g_array_append_val(list, entry);
        addr += piece;
        len -= piece;
    } while (len);
    return true;
}

void *venus_iommu_translate_command(VirtIOGPUVenus *v,
                                    const VirtQueueElement *elem, size_t *size)
{
    struct virtio_gpu_ctrl_hdr hdr;
    g_autofree struct virtio_gpu_mem_entry *entries = NULL;
    size_t number_at, entries_at;
    uint32_t number;
    GByteArray *copy;
    g_autoptr(GArray) list = NULL;

    if (iov_to_buf(elem->out_sg, elem->out_num, 0, &hdr, sizeof(hdr)) <
            sizeof(hdr) ||
        !venus_iommu_find_entries(le32_to_cpu(hdr.type), &number_at,
                                  &entries_at)) {
        return NULL;
    }

    copy = g_byte_array_new();
    g_byte_array_set_size(copy, entries_at);
    *size = iov_to_buf(elem->out_sg, elem->out_num, 0, copy->data, entries_at);
    if (*size < entries_at) {
        return g_byte_array_free(copy, false);  /* the library refuses it */
    }
    /* The guest may have changed it meanwhile, and meant another command. */
    memcpy(copy->data, &hdr, sizeof(hdr));

    memcpy(&number, copy->data + number_at, sizeof(number));
    number = le32_to_cpu(number);
    if (number > VENUS_MAX_ENTRIES ||
        number > (iov_size(elem->out_sg, elem->out_num) - entries_at) /
                     sizeof(*entries)) {
        return g_byte_array_free(copy, false);  /* with none: refused as well */
    }

    /* All at once: to find each one anew would take as long as its answer. */
    entries = g_new(struct virtio_gpu_mem_entry, number);
    iov_to_buf(elem->out_sg, elem->out_num, entries_at, entries,
               number * sizeof(*entries));
    list = g_array_new(false, false, sizeof(*entries));
    RCU_READ_LOCK_GUARD();
    for (uint32_t i = 0; i < number; i++) {
        if (!venus_iommu_translate(VIRTIO_DEVICE(v)->dma_as,
                                   le64_to_cpu(entries[i].addr),
                                   le32_to_cpu(entries[i].length), list)) {
            g_array_set_size(list, 0);
            g_array_append_val(list, nowhere);
            break;
        }
    }
    number = cpu_to_le32(list->len);
    memcpy(copy->data + number_at, &number, sizeof(number));
    g_byte_array_append(copy, (const uint8_t *)list->data,
                        list->len * sizeof(*entries));
    *size = copy->len;
    return g_byte_array_free(copy, false);
}
