// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "clinux.h"
#include <sched.h>
#include <sys/prctl.h>

int clinux_unshare(int flags) { return unshare(flags); }
int clinux_setns(int fd, int nstype) { return setns(fd, nstype); }
int clinux_prctl_deathsig(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }
