// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "clinux_network.h"
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

const unsigned clinux_ethtool_stxcsum = ETHTOOL_STXCSUM;

int clinux_ethtool_set(const char *interface, unsigned command, unsigned value) {
    if (strlen(interface) >= IFNAMSIZ) {
        errno = ENAMETOOLONG;
        return -1;
    }
    struct ethtool_value argument = {.cmd = command, .data = value};
    struct ifreq request = {.ifr_data = (char *)&argument};
    strcpy(request.ifr_name, interface);
    int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0) return -1;
    int result = ioctl(socket_fd, SIOCETHTOOL, &request);
    int saved = errno;
    close(socket_fd);
    errno = saved;
    return result;
}
