// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "clinux_files.h"
#include <fcntl.h>
#include <stddef.h>
#include <sys/vfs.h>
#include <unistd.h>

ssize_t clinux_copy_file_range(int from, int to, size_t count) {
    return copy_file_range(from, NULL, to, NULL, count, 0);
}

const int clinux_o_tmpfile = O_TMPFILE;
int clinux_reserve(int fd, int64_t bytes) { return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes); }
int clinux_start_writeback(int fd, int64_t offset, int64_t bytes) {
    return sync_file_range(fd, offset, bytes, SYNC_FILE_RANGE_WRITE);
}
int64_t clinux_file_system_kind(const char *path) {
    struct statfs info;
    return statfs(path, &info) == 0 ? (int64_t)(uint32_t)info.f_type : -1;
}
