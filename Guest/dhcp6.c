// SPDX-License-Identifier: Apache-2.0
// dhcp6 INTERFACE - asks for an address by DHCPv6 (RFC 8415) and puts it onto the interface; nothing else of the protocol.
#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SOLICIT = 1, ADVERTISE = 2, REQUEST = 3, REPLY = 7 };
enum { CLIENT_ID = 1, SERVER_ID = 2, IA_NA = 3, IA_ADDRESS = 5, ELAPSED = 8 };

static uint8_t message[512];
static size_t length;

static void option(uint16_t code, const void *value, uint16_t size) {
    uint16_t head[2] = {htons(code), htons(size)};
    memcpy(message + length, head, 4);
    memcpy(message + length + 4, value, size);
    length += 4 + size;
}

// The option's value in a list of options, and its size.
static const uint8_t *find(const uint8_t *at, const uint8_t *end, uint16_t code, uint16_t *size) {
    while (end - at >= 4) {
        uint16_t found = (uint16_t)(at[0] << 8 | at[1]);
        *size = (uint16_t)(at[2] << 8 | at[3]);
        if (end - at - 4 < *size) break;
        if (found == code) return at + 4;
        at += 4 + *size;
    }
    return NULL;
}

int main(int count, char **words) {
    if (count != 2) return 2;
    int door = socket(AF_INET6, SOCK_DGRAM, 0);
    struct ifreq card = {0};
    strncpy(card.ifr_name, words[1], IFNAMSIZ - 1);
    if (door < 0 || ioctl(door, SIOCGIFHWADDR, &card) < 0) return perror(words[1]), 1;
    unsigned number = if_nametoindex(words[1]);
    struct sockaddr_in6 here = {.sin6_family = AF_INET6, .sin6_port = htons(546)};
    struct sockaddr_in6 servers = {.sin6_family = AF_INET6, .sin6_port = htons(547), .sin6_scope_id = number};
    inet_pton(AF_INET6, "ff02::1:2", &servers.sin6_addr);
    struct timeval second = {.tv_sec = 1};
    setsockopt(door, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    setsockopt(door, SOL_SOCKET, SO_BINDTODEVICE, words[1], strlen(words[1]));
    if (bind(door, (struct sockaddr *)&here, sizeof here) < 0) return perror("bind"), 1;

    uint8_t self[10] = {0, 3, 0, 1}, server[128], answer[1024];
    memcpy(self + 4, card.ifr_hwaddr.sa_data, 6);
    uint16_t server_size = 0, size;
    int state = SOLICIT;
    for (int tries = 0; tries < 20; tries++) {
        const uint8_t head[4] = {(uint8_t)state, self[7], self[8], self[9]};
        uint8_t association[12] = {0, 0, 0, 1}, elapsed[2] = {0};
        memcpy(message, head, 4);
        length = 4;
        option(CLIENT_ID, self, sizeof self);
        if (state == REQUEST) option(SERVER_ID, server, server_size);
        option(IA_NA, association, sizeof association);
        option(ELAPSED, elapsed, sizeof elapsed);
        sendto(door, message, length, 0, (struct sockaddr *)&servers, sizeof servers);
        ssize_t got = recv(door, answer, sizeof answer, 0);
        if (got < 4 || memcmp(answer + 1, head + 1, 3) != 0) continue;
        const uint8_t *end = answer + got, *value;
        if (state == SOLICIT && answer[0] == ADVERTISE) {
            if (!(value = find(answer + 4, end, SERVER_ID, &size)) || size > sizeof server) continue;
            memcpy(server, value, server_size = size);
            state = REQUEST;
        } else if (state == REQUEST && answer[0] == REPLY) {
            if (!(value = find(answer + 4, end, IA_NA, &size)) || size < 12) continue;
            if (!(value = find(value + 12, value + size, IA_ADDRESS, &size)) || size < 16) continue;
            char address[INET6_ADDRSTRLEN + 4];
            inet_ntop(AF_INET6, value, address, INET6_ADDRSTRLEN);
            puts(address);
            fflush(stdout);
            execl("/bin/busybox", "ip", "-6", "addr", "add", strcat(address, "/128"), "dev", words[1], NULL);
            return 1;
        }
    }
    fprintf(stderr, "%s: no answer\n", words[1]);
    return 1;
}
