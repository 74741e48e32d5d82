/* VRRP for one Ethernet interface of lwIP 2.1 or later. Copy this page and its header.
 *
 * It stands between the driver and lwIP, of which neither is changed: `input` and `linkoutput` of
 * the netif are its hooks. lwipopts.h needs LWIP_ARP, LWIP_IGMP and one more MEMP_NUM_SYS_TIMEOUT.
 *
 * Each virtual address is a netif of its own that has no wire: an alias. While it is up lwIP takes
 * packets for the address; what it answers leaves through `lan`. ARP for a virtual address is never
 * lwIP's: the engine answers, with the virtual MAC. */
#include "vrrp_lwip.h"
#include <string.h>
#include "lwip/igmp.h"
#include "lwip/sys.h"
#include "lwip/tcpip.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#define LAN 1 /* the engine's number of the interface */
#if NO_SYS    /* one thread does everything */
#define tcpip_inpkt(p, netif, function) (function)(p, netif)
#define tcpip_try_callback(function, arg) ((function)(arg), ERR_OK)
#endif

static vrrp_storage_t storage;
static vrrp_t *vrrp;
static vrrp_key_t key = {LAN, 0, VRRP_IPV4};
static struct netif *lan, alias[VRRP_MAX_ADDRESSES];
static netif_linkoutput_fn driver_output;
static uint8_t virtual_mac[6], serving, aliases; /* serving: the virtual MAC is ours */

/* lwIP's clock, without its wrap after 49 days. */
static uint64_t now_us(void)
{
    static uint64_t now_ms;
    return 1000 * (now_ms += (u32_t)(sys_now() - (u32_t)now_ms));
}

/* The alias of a virtual address, given in network order. NULL: it is none. */
static struct netif *alias_of(const uint8_t *ipv4)
{
    for (size_t i = 0; i < aliases; i++) {
        if (memcmp(netif_ip4_addr(&alias[i]), ipv4, 4) == 0) {
            return &alias[i];
        }
    }
    return NULL;
}

/* What lwIP sends. From a virtual address: with the virtual MAC, or not at all in Backup. */
static err_t hooked_output(struct netif *netif, struct pbuf *p)
{
    uint8_t head[34]; /* Ethernet and IPv4 */
    if (pbuf_copy_partial(p, head, sizeof head, ETH_PAD_SIZE) == sizeof head &&
        head[12] == 0x08 && head[13] == 0x00 && alias_of(&head[26]) != NULL &&
        (!serving || pbuf_take_at(p, virtual_mac, 6, ETH_PAD_SIZE + 6) != ERR_OK)) {
        return ERR_IF;
    }
    return driver_output(netif, p);
}

/* What the engine sends. Short of memory the frame is lost, as on a wire. */
static void transmit(const uint8_t *frame, size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(ETH_PAD_SIZE + len), PBUF_RAM);
    if (p != NULL) {
        pbuf_take_at(p, frame, (u16_t)len, ETH_PAD_SIZE);
        driver_output(lan, p);
        pbuf_free(p);
    }
}

static void perform(const vrrp_output_t *output, const uint8_t *frame)
{
    const ip4_addr_t group = {PP_HTONL(LWIP_MAKEU32(224, 0, 0, 18))};
    struct netif *served = alias_of(output->address.address.octets);
    if (output->kind == VRRP_OUTPUT_TRANSMIT) {
        transmit(frame, output->frame_len);
    } else if (output->kind == VRRP_OUTPUT_SET_MAC) { /* tell a controller that filters, too */
        memcpy(virtual_mac, output->mac, sizeof virtual_mac);
        serving = output->on;
    } else if (output->kind == VRRP_OUTPUT_SET_ADDRESS && served != NULL) {
        (output->on && output->accept ? netif_set_up : netif_set_down)(served);
    } else if (output->kind == VRRP_OUTPUT_SET_GROUP &&
               (output->on ? igmp_joingroup_netif : igmp_leavegroup_netif)(lan, &group) != ERR_OK) {
        vrrp_handle_failure(vrrp, now_us(), output);
    } else if (output->kind == VRRP_OUTPUT_STATE_CHANGE) {
        LWIP_PLATFORM_DIAG(("vrrp: %s: %s\n", vrrp_state_name(output->to),
                            vrrp_reason_text(output->reason)));
    }
}

static void on_timer(void *queued);

/* After every input: does what the engine says, and sets the timer. */
static void run(void)
{
    static uint8_t frame[VRRP_MAX_FRAME_LEN];
    vrrp_output_t output = {.size = sizeof output};
    uint64_t deadline_us = 0, now = now_us();
    while (vrrp_poll_output(vrrp, frame, sizeof frame, &output) > 0) {
        perform(&output, frame);
    }
    vrrp_poll_timeout(vrrp, &deadline_us);
    deadline_us = LWIP_MAX(LWIP_MIN(deadline_us, now + 60000000), now);
    sys_untimeout(on_timer, NULL);
    sys_timeout((u32_t)((deadline_us - now + 999) / 1000), on_timer, NULL);
}

/* What has arrived comes before what has come due: lwIP's thread reads its queue first. */
static void on_timer(void *queued)
{
    if (queued != NULL || tcpip_try_callback(on_timer, &vrrp) != ERR_OK) {
        vrrp_handle_timeout(vrrp, now_us());
        run();
    }
}

/* What the driver has received. lwIP gets what is for a MAC of ours or for a group. */
static err_t take(struct pbuf *p, struct netif *netif)
{
    static uint8_t scratch[1514], reply[VRRP_MAX_FRAME_LEN];
    vrrp_output_t output = {.size = sizeof output};
    u16_t len = (u16_t)LWIP_MIN(p->tot_len - ETH_PAD_SIZE, (int)sizeof scratch);
    const uint8_t *frame = pbuf_get_contiguous(p, scratch, sizeof scratch, len, ETH_PAD_SIZE);
    if (frame == NULL || p->tot_len < SIZEOF_ETH_HDR) {
        return ERR_BUF; /* the caller frees it */
    }
    if (vrrp_handle_frame(vrrp, now_us(), LAN, frame, len, NULL) != VRRP_NOT_VRRP) {
        run();
    } else if (vrrp_answer(vrrp, LAN, frame, len, reply, sizeof reply, &output) > 0) {
        transmit(reply, output.frame_len);
    } else if ((frame[0] & 1) != 0 || memcmp(frame, netif->hwaddr, 6) == 0 ||
               (serving && memcmp(frame, virtual_mac, 6) == 0)) {
        return ethernet_input(p, netif);
    }
    pbuf_free(p);
    return ERR_OK;
}

static err_t hooked_input(struct pbuf *p, struct netif *netif)
{
    return tcpip_inpkt(p, netif, take);
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
    return ERR_OK;
}

int vrrp_lwip_start(struct netif *netif, uint8_t vrid, const vrrp_config_t *config)
{
    int result = vrrp_init(&storage, sizeof storage, VRRP_ABI, &vrrp);
    key.vrid = vrid;
    if (result != VRRP_OK || (result = vrrp_insert(vrrp, now_us(), &key, config)) != VRRP_OK) {
        return result;
    }
    lan = netif;
    while (aliases < config->addresses_len) {
        ip4_addr_t ip;
        memcpy(&ip, config->addresses[aliases].address.octets, sizeof ip);
        netif_add(&alias[aliases++], &ip, IP4_ADDR_BROADCAST, IP4_ADDR_ANY4, NULL, alias_init,
                  netif_input);
    }
    driver_output = lan->linkoutput;
    lan->linkoutput = hooked_output;
    lan->input = hooked_input;
    vrrp_set_enabled(vrrp, now_us(), &key, 1);
    vrrp_lwip_refresh(lan);
    return VRRP_OK;
}

void vrrp_lwip_refresh(struct netif *netif)
{
    vrrp_interface_t state = {.size = sizeof state};
    if (netif != lan) {
        return; /* not started yet */
    }
    state.up = netif_is_up(netif) && netif_is_link_up(netif);
    memcpy(state.mac, netif->hwaddr, sizeof state.mac);
    memcpy(state.ipv4, netif_ip4_addr(netif), sizeof state.ipv4);
    vrrp_set_interface(vrrp, now_us(), LAN, &state);
    run();
}

int vrrp_lwip_stop(void)
{
    vrrp_set_enabled(vrrp, now_us(), &key, 0);
    run();
    return serving;
}
