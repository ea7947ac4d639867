/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources here trace as what they were, a part of hw/display. */
#include "trace/trace-hw_display.h"
