// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "clinux_process.h"
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int clinux_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
int clinux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, (void *)0, 0);
}
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int from) {
    return posix_spawn_file_actions_addclosefrom_np(actions, from);
}
const int clinux_spawn_setsid = POSIX_SPAWN_SETSID;
int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
const int clinux_o_direct = O_DIRECT;
int clinux_exited(int status) { return WIFEXITED(status); }
int clinux_exit_status(int status) { return WEXITSTATUS(status); }
int clinux_term_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
