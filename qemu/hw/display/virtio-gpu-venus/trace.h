#include "trace/trace-hw_display_virtio_gpu_venus.h"
