/* Ending the connections of the service addresses without losing one. */
#ifndef MOD_VRRP_DRAIN_H
#define MOD_VRRP_DRAIN_H

#include <stddef.h>
#include <stdint.h>

/* A service address in network order; IPv4 is in the first four octets. */
struct service {
    uint8_t family; /* 4 or 6 */
    uint8_t octets[16];
};

/* Makes listening sockets silent to new connections for these addresses, and for no others: the
 * client asks again, and by then the successor is there. 0: done; otherwise an errno. */
int drain_close(const int *sockets, size_t n, const struct service *service, size_t services);
void drain_open(const int *sockets, size_t n);

/* How many TCP connections of these addresses still have something to say. -1: it cannot be told.
 * With `older`, only those that drain_mark() saw. */
int drain_count(const struct service *service, size_t services, int older);
/* Remembers the connections that there are now. */
void drain_mark(const struct service *service, size_t services);

#endif
