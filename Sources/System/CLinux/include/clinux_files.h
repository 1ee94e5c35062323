// SPDX-License-Identifier: Apache-2.0
// File calls that need _GNU_SOURCE.
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// Copies up to `count` bytes at both descriptors' own positions inside the kernel, sharing extents where the file
/// system can. Returns the bytes copied, 0 at the end, -1 with errno.
ssize_t clinux_copy_file_range(int from, int to, size_t count);
