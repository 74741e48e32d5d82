/* A host whose network stack is lwIP: its driver, its addresses, and what it serves.
 *
 *     PRECONFIGURED_TAPIF=tap0 \
 *         lwip-vrrp NAME LINK MAC IPV4 IPV6 {VRID PRIORITY INTERVAL-CS ADDRESS[,ADDRESS...]}...
 *
 * The driver is the one that comes with lwIP: a tap device. LINK is the network interface whose
 * carrier counts, as a PHY's would. It serves an echo that appends NAME (UDP, port 7) and a page
 * that names it (TCP, port 80), on every address it has, and stops on SIGTERM. */
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
static struct vrrp_gate *gate;

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
    struct udp_pcb *udp = udp_new_ip_type(IPADDR_TYPE_ANY);
    struct tcp_pcb *tcp = tcp_new_ip_type(IPADDR_TYPE_ANY);

    if (udp_bind(udp, IP_ANY_TYPE, 7) != ERR_OK || tcp_bind(tcp, IP_ANY_TYPE, 80) != ERR_OK) {
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

static void add_interface(struct netif *lan, char **args)
{
    u8_t mac[6];
    s8_t at;
    ip4_addr_t address, mask, none;
    ip6_addr_t address6;

    if (sscanf(args[3], "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3],
               &mac[4], &mac[5]) != 6 ||
        !ip4addr_aton(args[4], &address) || !ip6addr_aton(args[5], &address6)) {
        fail("expected a MAC, an IPv4 address and an IPv6 address");
    }
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_zero(&none);
    if (netif_add(lan, &address, &mask, &none, NULL, tapif_init, tcpip_input) == NULL) {
        fail("cannot add the interface");
    }
    memcpy(lan->hwaddr, mac, sizeof mac);
    netif_create_ip6_linklocal_address(lan, 1);
    netif_ip6_addr_set_state(lan, 0, IP6_ADDR_PREFERRED);
    if (netif_add_ip6_address(lan, &address6, &at) == ERR_OK) {
        netif_ip6_addr_set_state(lan, at, IP6_ADDR_PREFERRED);
    }
    netif_set_default(lan);
    netif_set_link_down(lan); /* until the carrier has been looked at */
    netif_set_up(lan);
}

/* One virtual router, from its four words. */
static void insert(char **args)
{
    struct vrrp_virtual_address addresses[VRRP_MAX_ADDRESSES];
    struct vrrp_gate_key key = {(uint8_t)atoi(args[0]), VRRP_IPV4};
    struct vrrp_config config;
    ip_addr_t address;
    int result;

    vrrp_config_init(&config, sizeof config);
    config.priority = (uint8_t)atoi(args[1]);
    config.advert_interval_cs = (uint16_t)atoi(args[2]);
    config.accept = 1;
    config.addresses = addresses;
    for (char *word = strtok(args[3], ","); word != NULL; word = strtok(NULL, ",")) {
        struct vrrp_virtual_address *next = &addresses[config.addresses_len];

        if (config.addresses_len == VRRP_MAX_ADDRESSES || !ipaddr_aton(word, &address)) {
            fail("expected a few addresses");
        }
        config.addresses_len++;
        key.family = IP_IS_V6(&address) ? VRRP_IPV6 : VRRP_IPV4;
        memset(next, 0, sizeof *next);
        next->address.family = key.family;
        next->prefix_len = IP_IS_V6(&address) ? 64 : 24;
        if (IP_IS_V6(&address)) {
            memcpy(next->address.octets, ip_2_ip6(&address)->addr, 16);
        } else {
            memcpy(next->address.octets, ip_2_ip4(&address), 4);
        }
    }
    result = vrrp_gate_insert(gate, vrrp_lwip_now_us(), &key, &config);
    if (result != VRRP_OK) {
        fail(vrrp_strerror(result));
    }
}

int main(int argc, char **argv)
{
    static struct netif lan;
    const struct timespec pause = {0, 20 * 1000 * 1000};
    sigset_t stop;

    if (argc < 10 || argc % 4 != 2) {
        fail("expected NAME LINK MAC IPV4 IPV6, and for each virtual router "
             "VRID PRIORITY INTERVAL-CS ADDRESSES");
    }
    name = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    add_interface(&lan, argv);
    gate = vrrp_lwip_start(&lan);
    if (gate == NULL) {
        fail("libvrrp was built for more than this program was compiled for");
    }
    for (int i = 6; i < argc; i += 4) {
        insert(&argv[i]);
    }
    vrrp_lwip_run();
    serve();
    UNLOCK_TCPIP_CORE();

    for (int stopping = 0, serving = 1; serving;) {
        int link = has_carrier(argv[2]); /* a PHY has an interrupt for this */

        LOCK_TCPIP_CORE();
        if (link != netif_is_link_up(&lan)) {
            (link ? netif_set_link_up : netif_set_link_down)(&lan);
            vrrp_lwip_refresh(&lan);
        }
        serving = !stopping || vrrp_gate_shutdown(gate, vrrp_lwip_now_us()) > 0;
        vrrp_lwip_run();
        UNLOCK_TCPIP_CORE();
        stopping |= sigtimedwait(&stop, NULL, &pause) == SIGTERM;
    }
    return 0;
}
