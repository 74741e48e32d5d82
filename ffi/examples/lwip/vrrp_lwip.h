/* VRRP for one Ethernet interface of lwIP, in IPv4 and IPv6, with any number of virtual routers.
 *
 * To be called in lwIP's core, or with LOCK_TCPIP_CORE(). */
#ifndef VRRP_LWIP_H
#define VRRP_LWIP_H

#include "lwip/netif.h"
#include "vrrp_gate.h"

/* Stands between `netif`, which lwIP has already been given with its MAC and its own addresses, and
 * its driver. Gives the gate, for vrrp_gate_insert() and its like. NULL: see vrrp_gate_init(). */
struct vrrp_gate *vrrp_lwip_start(struct netif *netif);

/* The time for calls on the gate. */
uint64_t vrrp_lwip_now_us(void);

/* Does what the gate says. Call it after every call that changes the gate. */
void vrrp_lwip_run(void);

/* Says that the link, an address or the MAC of `netif` has changed, or that it was set up or down.
 * Fits netif_set_link_callback() and netif_set_status_callback(). */
void vrrp_lwip_refresh(struct netif *netif);

#endif
