// SPDX-License-Identifier: Apache-2.0
// rtnetlink's constants and structures, and the ioctls of network interfaces.
#pragma once
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

/// Switches one ethtool offload of an interface (`ETHTOOL_STXCSUM`, …). 0, or -1 with errno.
int clinux_ethtool_set(const char *interface, unsigned command, unsigned value);
/// ETHTOOL_STXCSUM: transmit checksums by the device.
extern const unsigned clinux_ethtool_stxcsum;
