// SPDX-License-Identifier: Apache-2.0
// Linux calls that Swift cannot make by itself: variadic ones, macros, and what Glibc's module map leaves out.
#pragma once
#include <sched.h>
#include <stdint.h>
#include <sys/types.h>

int clinux_unshare(int flags);
int clinux_setns(int fd, int nstype);
int clinux_prctl_deathsig(int signal);
