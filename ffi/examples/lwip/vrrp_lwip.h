/* VRRP for one Ethernet interface of lwIP: one virtual router with IPv4 addresses.
 *
 * To be called in lwIP's core, or with LOCK_TCPIP_CORE(). */
#ifndef VRRP_LWIP_H
#define VRRP_LWIP_H

#include "lwip/netif.h"
#include "vrrp.h"

/* Takes part in the election for `config->addresses` on `netif`, which lwIP has already been given
 * with its MAC and its own address. `peers` and `mac_mode` stay as vrrp_config_init() has them.
 * VRRP_OK, or why not: see vrrp_insert(). */
int vrrp_lwip_start(struct netif *netif, uint8_t vrid, const vrrp_config_t *config);

/* Says that the link, the address or the MAC of `netif` has changed, or that it was set up or down.
 * Fits netif_set_link_callback() and netif_set_status_callback(). */
void vrrp_lwip_refresh(struct netif *netif);

/* Stops. The addresses are served until the successor is heard, one and a half intervals at most.
 * Call it until it answers 0. */
int vrrp_lwip_stop(void);

#endif
