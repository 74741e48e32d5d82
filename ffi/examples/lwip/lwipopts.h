/* What vrrp_lwip.c asks of lwIP on a microcontroller without an operating system. The program in
 * main.c has the options that Debian's library was built with. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define ETH_PAD_SIZE 2

#define LWIP_IPV6 1
#define LWIP_IPV6_NUM_ADDRESSES 6
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 1)

#endif
