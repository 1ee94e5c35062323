// SPDX-License-Identifier: Apache-2.0
// File calls that need _GNU_SOURCE.
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// Copies up to `count` bytes at both descriptors' own positions inside the kernel, sharing extents where the file
/// system can. Returns the bytes copied, 0 at the end, -1 with errno.
ssize_t clinux_copy_file_range(int from, int to, size_t count);
/// O_TMPFILE.
extern const int clinux_o_tmpfile;
/// Takes blocks for the first `bytes` of a file, whose size stays. 0, or -1 with errno (EOPNOTSUPP: not here).
int clinux_reserve(int fd, int64_t bytes);
/// Begins to write a range to the disk and does not wait. 0, or -1 with errno.
int clinux_start_writeback(int fd, int64_t offset, int64_t bytes);
/// The magic number of the file system at `path` (statfs(2)), or -1 with errno.
int64_t clinux_file_system_kind(const char *path);
