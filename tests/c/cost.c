/* The engine's cost in instructions through the C interface, for callgrind to count: the same work
 * as tests/tools/src/bin/engine-cost.rs, call by call.
 *
 * usage: cost receive|send ROUTERS ROUNDS
 */
#include "check.h"

#define INTERVAL_US 100000u

static union vrrp_storage storage, peer_storage;
static uint8_t frames[VRRP_MAX_ROUTERS][128];
static size_t lengths[VRRP_MAX_ROUTERS];

static uint32_t ifindex_of(unsigned n)
{
    return 1 + n / 255;
}

static int drain(struct vrrp *vrrp, uint8_t *buffer)
{
    struct vrrp_output output;
    int sent = 0;

    output.size = sizeof output;
    while (vrrp_poll_output(vrrp, buffer, VRRP_MAX_FRAME_LEN, &output) == 1)
        sent += output.kind == VRRP_OUTPUT_TRANSMIT;
    return sent;
}

/* A table of `routers` virtual routers, whose timers are spread over the interval. */
static struct vrrp *table(union vrrp_storage *memory, unsigned routers, uint8_t last, uint8_t priority,
                     uint64_t start)
{
    struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 0, 0, 0}}, 32};
    uint8_t buffer[VRRP_MAX_FRAME_LEN];
    struct vrrp_interface interface = {0};
    struct vrrp_config config;
    struct vrrp *vrrp;
    unsigned n;

    CHECK_INT(VRRP_OK, vrrp_init(memory, sizeof *memory, VRRP_ABI, &vrrp));
    interface.size = sizeof interface;
    interface.up = 1;
    interface.mac[0] = 2;
    interface.mac[5] = last;
    interface.ipv4[0] = 10;
    interface.ipv4[3] = last;
    CHECK_INT(VRRP_OK, vrrp_config_init(&config, sizeof config));
    config.priority = priority;
    config.advert_interval_cs = INTERVAL_US / 10000;
    config.addresses = &service;
    config.addresses_len = 1;
    for (n = 0; n < routers; n++) {
        struct vrrp_key key = {0, 0, VRRP_IPV4};
        uint64_t now = start + (uint64_t)n * INTERVAL_US / routers;

        key.ifindex = ifindex_of(n);
        key.vrid = (uint8_t)(n % 255 + 1);
        service.address.octets[2] = (uint8_t)key.ifindex;
        service.address.octets[3] = key.vrid;
        CHECK_INT(VRRP_OK, vrrp_set_interface(vrrp, now, key.ifindex, &interface));
        CHECK_INT(VRRP_OK, vrrp_insert(vrrp, now, &key, &config));
        CHECK_INT(VRRP_OK, vrrp_set_enabled(vrrp, now, &key, 1));
        if (priority < 255 || last == 1)
            drain(vrrp, buffer);
    }
    return vrrp;
}

/* What the Active router of each sends: the first frame of an owner. */
static void collect(unsigned routers)
{
    struct vrrp *peer = table(&peer_storage, routers, 2, 255, 0);
    uint8_t buffer[VRRP_MAX_FRAME_LEN];
    struct vrrp_output output;

    output.size = sizeof output;
    while (vrrp_poll_output(peer, buffer, sizeof buffer, &output) == 1) {
        unsigned n = (output.key.ifindex - 1) * 255 + output.key.vrid - 1;

        if (output.kind != VRRP_OUTPUT_TRANSMIT ||
            output.frame_kind != VRRP_FRAME_ADVERTISEMENT)
            continue;
        memcpy(frames[n], buffer, output.frame_len);
        lengths[n] = output.frame_len;
    }
}

static void receive(struct vrrp *vrrp, unsigned routers, uint64_t *now, uint64_t rounds)
{
    uint8_t buffer[VRRP_MAX_FRAME_LEN];
    uint64_t deadline;
    unsigned n;

    for (; rounds > 0; rounds--) {
        for (n = 0; n < routers; n++) {
            *now += INTERVAL_US / routers;
            vrrp_handle_frame(vrrp, *now, ifindex_of(n), frames[n], lengths[n], NULL);
            drain(vrrp, buffer);
            vrrp_poll_timeout(vrrp, &deadline);
            if (deadline <= *now) {
                vrrp_handle_timeout(vrrp, *now);
                drain(vrrp, buffer);
            }
        }
    }
}

static void send(struct vrrp *vrrp, uint64_t *now, uint64_t adverts)
{
    uint8_t buffer[VRRP_MAX_FRAME_LEN];
    uint64_t deadline, sent = 0;

    while (sent < adverts) {
        vrrp_poll_timeout(vrrp, &deadline);
        if (deadline > *now)
            *now = deadline;
        vrrp_handle_timeout(vrrp, *now);
        sent += (uint64_t)drain(vrrp, buffer);
    }
}

/* What callgrind counts. */
__attribute__((noinline)) static void counted(int receives, struct vrrp *vrrp, unsigned routers,
                                              uint64_t *now, uint64_t rounds)
{
    if (receives)
        receive(vrrp, routers, now, rounds);
    else
        send(vrrp, now, rounds * routers);
}

int main(int argc, char **argv)
{
    int receives = argc == 4 && strcmp(argv[1], "receive") == 0;
    unsigned routers = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0, n;
    uint64_t rounds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0, now = 1000000;
    struct vrrp_key last = {0, 0, VRRP_IPV4};
    struct vrrp_status status;
    struct vrrp *vrrp;

    if (routers == 0 || routers > VRRP_MAX_ROUTERS || rounds == 0)
        return fputs("usage: cost receive|send ROUTERS ROUNDS\n", stderr), 2;
    if (receives) {
        collect(routers);
        vrrp = table(&storage, routers, 1, 100, now);
        receive(vrrp, routers, &now, 3);
    } else {
        vrrp = table(&storage, routers, 1, 255, now);
        send(vrrp, &now, 3 * routers);
    }
    counted(receives, vrrp, routers, &now, rounds);
    /* What was counted is what was meant. */
    for (n = 0; n < routers; n++) {
        last.ifindex = ifindex_of(n);
        last.vrid = (uint8_t)(n % 255 + 1);
        status.size = sizeof status;
        CHECK_INT(VRRP_OK, vrrp_status(vrrp, &last, &status));
        CHECK_INT(receives ? VRRP_STATE_BACKUP : VRRP_STATE_ACTIVE, status.state);
        CHECK_INT(receives ? 255 : 0, status.active.priority);
    }
    return 0;
}
