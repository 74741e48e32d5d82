/* Ending the connections of the service addresses without losing one. */
#ifndef MOD_VRRP_DRAIN_H
#define MOD_VRRP_DRAIN_H

#include <stddef.h>
#include <stdint.h>

/* Most service addresses. */
#define SERVICES_MAX 256

/* A service address in network order; IPv4 is in the first four octets. */
struct service {
    uint8_t family; /* 4 or 6 */
    uint8_t octets[16];
};

/* Makes listening sockets silent to new connections for these addresses, and for no others: the
 * client asks again, and by then the successor is there. 0: done; otherwise an errno. */
int drain_close(const int *sockets, size_t n, const struct service *service, size_t services);
void drain_open(const int *sockets, size_t n);

/* Counting is done in a thread of its own: the kernel's tables are long on a busy host, and a master that
 * reads them itself stops advertising meanwhile. */

/* Begins to count the connections of these addresses, at most SERVICES_MAX, and remembers those that there
 * are now. 0: done; otherwise an errno, and all counts are -1. */
int drain_mark(const struct service *service, size_t services);
/* How many TCP connections still had something to say when they were last counted, at the earliest after
 * drain_mark() and drain_close(); another count begins. With `older`, only those that drain_mark() saw. -1:
 * it cannot be told, or not yet. */
int drain_count(int older);

#endif
