// SPDX-License-Identifier: Apache-2.0
// Event descriptors and thread names, which Glibc's module map leaves out.
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/// A non-blocking, close-on-exec eventfd, or -1.
int clinux_eventfd(void);
/// A blocking, close-on-exec eventfd, or -1.
int clinux_eventfd_blocking(void);
/// A close-on-exec epoll descriptor, or -1.
int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int fd, uint32_t events, uint64_t data);
int clinux_epoll_modify(int epoll, int fd, uint32_t events, uint64_t data);
int clinux_epoll_remove(int epoll, int fd);
/// accept4 with SOCK_NONBLOCK | SOCK_CLOEXEC.
int clinux_accept(int fd, struct sockaddr *address, socklen_t *length);
/// Names the calling thread; the kernel keeps 15 bytes.
void clinux_thread_name(const char *name);
