// SPDX-License-Identifier: Apache-2.0
// Processes, mounts and files: calls that Glibc's module map leaves out.
#pragma once
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>

/// A close-on-exec descriptor that becomes readable when process `pid` ends, or -1.
int clinux_pidfd_open(int pid);
int clinux_pidfd_send_signal(int pidfd, int signal);
/// As posix_spawn_file_actions_addclosefrom_np: the child closes every descriptor from `from` on.
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int from);
/// POSIX_SPAWN_SETSID.
extern const int clinux_spawn_setsid;
/// Two close-on-exec ends: reader, writer.
int clinux_pipe(int ends[2]);
/// O_DIRECT.
extern const int clinux_o_direct;
int clinux_exited(int status);
int clinux_exit_status(int status);
int clinux_term_signal(int status);
