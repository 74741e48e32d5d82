/* VRRP for one Ethernet interface of lwIP 2.1 or later: a gate between lwIP and the driver, at the
 * hooks `input` and `linkoutput` of the netif. lwipopts.h needs LWIP_IPV6, one more
 * MEMP_NUM_SYS_TIMEOUT, and a place in LWIP_IPV6_NUM_ADDRESSES for each virtual IPv6 address. */
#include "vrrp_lwip.h"
#include <string.h>
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"
#if NO_SYS /* one thread does everything */
#define tcpip_inpkt(p, netif, function) (function)(p, netif)
#define tcpip_try_callback(function, arg) ((function)(arg), ERR_OK)
#endif

static union vrrp_gate_storage storage;
static struct vrrp_gate *gate;
static struct netif *lan, alias[VRRP_MAX_ADDRESSES]; /* an alias has an IPv4 address and no wire */
static netif_linkoutput_fn driver_output;

uint64_t vrrp_lwip_now_us(void) /* lwIP's clock, without its wrap after 49 days */
{
    static uint64_t now_ms;
    return 1000 * (now_ms += (u32_t)(sys_now() - (u32_t)now_ms));
}

static err_t alias_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    LWIP_UNUSED_ARG(netif);
    return lan->output(lan, p, to);
}

static err_t alias_init(struct netif *netif)
{
    netif->mtu = lan->mtu;
    netif->output = alias_output;
    netif_set_link_up(netif);
    netif_set_up(netif);
    return ERR_OK;
}

static err_t set_ipv4(const ip4_addr_t *address, int on)
{
    const ip4_addr_t *key = on ? IP4_ADDR_ANY4 : address; /* a free alias, or the one in use */
    for (size_t i = 0; i < VRRP_MAX_ADDRESSES; i++) {
        if (!ip4_addr_cmp(netif_ip4_addr(&alias[i]), key)) {
            continue;
        } else if (on) {
            return netif_add(&alias[i], address, IP4_ADDR_BROADCAST, IP4_ADDR_ANY4, NULL,
                             alias_init, netif_input) != NULL ? ERR_OK : ERR_MEM;
        }
        netif_remove(&alias[i]);
        memset(&alias[i], 0, sizeof alias[i]);
    }
    return on ? ERR_MEM : ERR_OK;
}

static err_t set_ipv6(const ip6_addr_t *address, int on) /* no connection of ours begins there */
{
    s8_t at = -1;
    err_t error = on ? netif_add_ip6_address(lan, address, &at) : ERR_OK;
    if (error == ERR_OK && (on || (at = netif_get_ip6_addr_match(lan, address)) >= 0)) {
        netif_ip6_addr_set_state(lan, at, on ? IP6_ADDR_DEPRECATED : IP6_ADDR_INVALID);
    }
    return error;
}

static void pass_on(int kind, const uint8_t *frame, size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(ETH_PAD_SIZE + len), PBUF_RAM);
    if (p == NULL) {
        return; /* lost, as on a wire */
    }
    pbuf_take_at(p, frame, (u16_t)len, ETH_PAD_SIZE);
    if (kind == VRRP_GATE_DELIVER) {
        ethernet_input(p, lan);
    } else {
        driver_output(lan, p);
        pbuf_free(p);
    }
}

static err_t set_address(const struct vrrp_address *address, int on)
{
    ip4_addr_t ip4;
    ip6_addr_t ip6;
    if (address->family == VRRP_IPV4) {
        memcpy(&ip4, address->octets, sizeof ip4);
        return set_ipv4(&ip4, on);
    }
    memset(&ip6, 0, sizeof ip6);
    memcpy(ip6.addr, address->octets, sizeof ip6.addr);
    ip6_addr_assign_zone(&ip6, IP6_UNICAST, lan);
    return set_ipv6(&ip6, on);
}

static void on_timer(void *queued);

void vrrp_lwip_run(void)
{
    static uint8_t frame[VRRP_GATE_MAX_FRAME_LEN];
    struct vrrp_gate_action action = {.size = sizeof action};
    uint64_t deadline_us = 0, now = vrrp_lwip_now_us();
    while (vrrp_gate_poll(gate, now, 1, frame, sizeof frame, &action) > 0) {
        if (action.kind == VRRP_GATE_SEND || action.kind == VRRP_GATE_DELIVER) {
            pass_on(action.kind, frame, action.frame_len);
        } else if (action.kind == VRRP_GATE_SET_ADDRESS &&
                   set_address(&action.address.address, action.on) != ERR_OK) {
            vrrp_gate_handle_failure(gate, now, &action);
        } else if (action.kind == VRRP_GATE_STATE_CHANGE) {
            LWIP_PLATFORM_DIAG(("vrrp: VRID %u (ipv%u): %s: %s\n", action.key.vrid, action.key.family,
                                vrrp_state_name(action.to), vrrp_reason_text(action.reason)));
        }
    }
    vrrp_gate_poll_timeout(gate, &deadline_us);
    deadline_us = LWIP_MAX(LWIP_MIN(deadline_us, now + 60000000), now);
    sys_untimeout(on_timer, NULL);
    sys_timeout((u32_t)((deadline_us - now + 999) / 1000), on_timer, NULL);
}

static void on_timer(void *queued) /* after what has arrived, which lwIP's thread reads first */
{
    if (queued != NULL || tcpip_try_callback(on_timer, &gate) != ERR_OK) {
        vrrp_gate_handle_timeout(gate, vrrp_lwip_now_us());
        vrrp_lwip_run();
    }
}

static err_t hooked_output(struct netif *netif, struct pbuf *p) /* what lwIP sends */
{
    uint8_t *frame = (uint8_t *)p->payload + ETH_PAD_SIZE; /* the first pbuf has all headers */
    if (vrrp_gate_send(gate, frame, (size_t)p->len - ETH_PAD_SIZE) != VRRP_OK) {
        return ERR_IF;
    }
    return driver_output(netif, p);
}

static err_t take(struct pbuf *p, struct netif *netif) /* what the driver has received */
{
    p = pbuf_coalesce(p, PBUF_RAW); /* in one piece, unless memory is short */
    if (p->next == NULL && p->len > ETH_PAD_SIZE &&
        vrrp_gate_receive(gate, vrrp_lwip_now_us(), (uint8_t *)p->payload + ETH_PAD_SIZE,
                          (size_t)p->len - ETH_PAD_SIZE, NULL) == VRRP_GATE_STACK) {
        ethernet_input(p, netif);
    } else {
        pbuf_free(p);
    }
    vrrp_lwip_run();
    return ERR_OK;
}

static err_t hooked_input(struct pbuf *p, struct netif *netif)
{
    return tcpip_inpkt(p, netif, take);
}

struct vrrp_gate *vrrp_lwip_start(struct netif *netif)
{
    uint64_t seed = 0;
    memcpy(&seed, netif->hwaddr, 6);
    if (vrrp_gate_init(&storage, sizeof storage, VRRP_ABI, seed, &gate) != VRRP_OK) {
        return NULL; /* the library was built for more than this program was compiled for */
    }
    lan = netif;
    driver_output = lan->linkoutput;
    lan->linkoutput = hooked_output;
    lan->input = hooked_input;
    vrrp_lwip_refresh(lan);
    return gate;
}

void vrrp_lwip_refresh(struct netif *netif)
{
    struct vrrp_interface state = {.size = sizeof state};
    if (netif == lan) {
        state.up = netif_is_up(netif) && netif_is_link_up(netif);
        memcpy(state.mac, netif->hwaddr, sizeof state.mac);
        memcpy(state.ipv4, netif_ip4_addr(netif), sizeof state.ipv4);
        if (ip6_addr_isvalid(netif_ip6_addr_state(netif, 0))) { /* the link-local one */
            memcpy(state.ipv6, netif_ip6_addr(netif, 0)->addr, sizeof state.ipv6);
        }
        vrrp_gate_set_interface(gate, vrrp_lwip_now_us(), &state);
        vrrp_lwip_run();
    }
}
