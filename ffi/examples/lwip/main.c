/* A host whose network stack is lwIP: its driver, its address, and what it serves.
 *
 *     PRECONFIGURED_TAPIF=tap0 \
 *         lwip-vrrp NAME LINK MAC ADDRESS VRID PRIORITY INTERVAL-CS VIRTUAL-ADDRESS
 *
 * The driver is the one that comes with lwIP: a tap device. LINK is the network interface whose
 * carrier counts, as a PHY's would. It serves an echo that appends NAME (UDP, port 7) and a page
 * that names it (TCP, port 80), and stops on SIGTERM. */
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lwip/tcp.h"
#include "lwip/tcpip.h"
#include "lwip/udp.h"
#include "netif/tapif.h"
#include "vrrp_lwip.h"

static const char *name;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* Answers from the address that was asked. */
static void echo(void *unused, struct udp_pcb *pcb, struct pbuf *question, const ip_addr_t *from,
                 u16_t port)
{
    u16_t len = (u16_t)strlen(name);
    struct pbuf *answer = pbuf_alloc(PBUF_TRANSPORT, (u16_t)(question->tot_len + len), PBUF_RAM);

    LWIP_UNUSED_ARG(unused);
    if (answer != NULL) {
        pbuf_copy(answer, question);
        pbuf_take_at(answer, name, len, question->tot_len);
        udp_sendto_if_src(pcb, answer, from, port, ip_current_netif(), ip_current_dest_addr());
        pbuf_free(answer);
    }
    pbuf_free(question);
}

static err_t page(void *unused, struct tcp_pcb *pcb, struct pbuf *request, err_t error)
{
    char text[128];

    LWIP_UNUSED_ARG(unused);
    LWIP_UNUSED_ARG(error);
    if (request != NULL) {
        tcp_recved(pcb, request->tot_len);
        pbuf_free(request);
        snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\n\r\nhello from %s\n", name);
        tcp_write(pcb, text, (u16_t)strlen(text), TCP_WRITE_FLAG_COPY);
    }
    tcp_recv(pcb, NULL);
    return tcp_close(pcb);
}

static err_t visitor(void *unused, struct tcp_pcb *pcb, err_t error)
{
    LWIP_UNUSED_ARG(unused);
    if (error == ERR_OK) {
        tcp_recv(pcb, page);
    }
    return error;
}

static void serve(void)
{
    struct udp_pcb *udp = udp_new();
    struct tcp_pcb *tcp = tcp_new();

    if (udp_bind(udp, IP_ADDR_ANY, 7) != ERR_OK || tcp_bind(tcp, IP_ADDR_ANY, 80) != ERR_OK) {
        fail("cannot bind");
    }
    udp_recv(udp, echo, NULL);
    tcp_accept(tcp_listen(tcp), visitor);
}

static int has_carrier(const char *interface)
{
    struct ifreq request = {0};
    int any = socket(AF_INET, SOCK_DGRAM, 0);
    int carrier;

    strncpy(request.ifr_name, interface, sizeof request.ifr_name - 1);
    carrier = ioctl(any, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
    close(any);
    return carrier;
}

static void start(struct netif *lan, char **args)
{
    u8_t mac[6];
    ip4_addr_t address, mask, none, service;
    vrrp_virtual_address_t virtual_address = {.prefix_len = 24};
    vrrp_config_t config;
    int result;

    if (!ip4addr_aton(args[4], &address) || !ip4addr_aton(args[8], &service) ||
        sscanf(args[3], "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3],
               &mac[4], &mac[5]) != 6) {
        fail("expected a MAC and two IPv4 addresses");
    }
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_zero(&none);
    if (netif_add(lan, &address, &mask, &none, NULL, tapif_init, tcpip_input) == NULL) {
        fail("cannot add the interface");
    }
    memcpy(lan->hwaddr, mac, sizeof mac);
    netif_set_default(lan);
    netif_set_link_down(lan); /* until the carrier has been looked at */
    netif_set_up(lan);

    virtual_address.address.family = VRRP_IPV4;
    memcpy(virtual_address.address.octets, &service, 4);
    vrrp_config_init(&config, sizeof config);
    config.priority = (uint8_t)atoi(args[6]);
    config.advert_interval_cs = (uint16_t)atoi(args[7]);
    config.accept = 1;
    config.addresses = &virtual_address;
    config.addresses_len = 1;
    result = vrrp_lwip_start(lan, (uint8_t)atoi(args[5]), &config);
    if (result != VRRP_OK) {
        fail(vrrp_strerror(result));
    }
    serve();
}

int main(int argc, char **argv)
{
    static struct netif lan;
    const struct timespec pause = {0, 20 * 1000 * 1000};
    sigset_t stop;

    if (argc != 9) {
        fail("expected NAME LINK MAC ADDRESS VRID PRIORITY INTERVAL-CS VIRTUAL-ADDRESS");
    }
    name = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    start(&lan, argv);
    UNLOCK_TCPIP_CORE();

    for (int stopping = 0, serving = 1; serving;) {
        int link = has_carrier(argv[2]); /* a PHY has an interrupt for this */

        LOCK_TCPIP_CORE();
        if (link != netif_is_link_up(&lan)) {
            (link ? netif_set_link_up : netif_set_link_down)(&lan);
            vrrp_lwip_refresh(&lan);
        }
        serving = !stopping || vrrp_lwip_stop();
        UNLOCK_TCPIP_CORE();
        stopping |= sigtimedwait(&stop, NULL, &pause) == SIGTERM;
    }
    return 0;
}
