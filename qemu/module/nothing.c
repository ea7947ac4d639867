/*
 * Nothing: stands in for one of QEMU's modules while another is linked to it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

typedef int nothing;
