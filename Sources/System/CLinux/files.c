// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "clinux_files.h"
#include <stddef.h>
#include <unistd.h>

ssize_t clinux_copy_file_range(int from, int to, size_t count) {
    return copy_file_range(from, NULL, to, NULL, count, 0);
}
