/* A gate between a driver and a stack, both in memory, time as a number: who gets which frame, and
 * what becomes of MACs on the way. */
#include "check.h"
#include "vrrp_gate.h"

#define VRID 51
#define CENTISECOND 10000u

/* A host: its gate, what its stack has, and what its driver was given last. */
struct host {
    union vrrp_gate_storage storage;
    struct vrrp_gate *gate;
    uint8_t last;                   /* of 10.0.0.x, fe80::x, and of its MAC */
    struct host *peer;              /* what it sends arrives there; NULL: nowhere */
    int addresses;                  /* that the stack has */
    int removed, failing;
    uint8_t state[2];               /* of IPv4 and IPv6 */
    uint8_t sent[VRRP_GATE_MAX_FRAME_LEN];
    uint32_t sent_len, frames;
    uint8_t hint[VRRP_GATE_MAX_FRAME_LEN];
    uint32_t hint_len;              /* of what the stack was given to learn from */
    uint8_t macs[8][6];             /* that the driver is to let in */
    int macs_len;
    int answered;                   /* probes of the client that went from the host's own MAC */
};

static struct host a, b;
static uint64_t now;
static uint8_t buffer[VRRP_GATE_MAX_FRAME_LEN];
static const uint8_t virtual_mac[6] = {0, 0, 0x5e, 0, 1, VRID};
static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 99};
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t service[4] = {10, 0, 0, 80}, client[4] = {10, 0, 0, 99};

static void mac_of(uint8_t last, uint8_t mac[6])
{
    memset(mac, 0, 6);
    mac[0] = 2;
    mac[5] = last;
}

static struct vrrp_virtual_address virtual_address(uint8_t family, uint8_t last)
{
    struct vrrp_virtual_address address;

    memset(&address, 0, sizeof address);
    address.address.family = family;
    address.prefix_len = family == VRRP_IPV4 ? 24 : 64;
    if (family == VRRP_IPV4) {
        memcpy(address.address.octets, service, 3);
        address.address.octets[3] = last;
    } else {
        address.address.octets[0] = 0xfe;
        address.address.octets[1] = 0x80;
        address.address.octets[15] = last;
    }
    return address;
}

static void insert(struct host *host, uint8_t family, uint8_t priority, int accept)
{
    struct vrrp_virtual_address address = virtual_address(family, 80);
    struct vrrp_gate_key key = {VRID, VRRP_IPV4};
    struct vrrp_config config;

    key.family = family;
    CHECK_INT(VRRP_OK, vrrp_config_init(&config, sizeof config));
    config.priority = priority;
    config.accept = (uint8_t)accept;
    config.addresses = &address;
    config.addresses_len = 1;
    CHECK_INT(VRRP_OK, vrrp_gate_insert(host->gate, now, &key, &config));
}

static void describe(struct host *host, int up)
{
    struct vrrp_interface state = {0};

    state.size = sizeof state;
    state.up = (uint8_t)up;
    mac_of(host->last, state.mac);
    memcpy(state.ipv4, virtual_address(VRRP_IPV4, host->last).address.octets, 4);
    memcpy(state.ipv6, virtual_address(VRRP_IPV6, host->last).address.octets, 16);
    CHECK_INT(VRRP_OK, vrrp_gate_set_interface(host->gate, now, &state));
}

static void start(struct host *host, uint8_t last)
{
    memset(host, 0, sizeof *host);
    host->last = last;
    CHECK_INT(VRRP_OK, vrrp_gate_init(&host->storage, sizeof host->storage, VRRP_ABI, last,
                                      &host->gate));
    describe(host, 1);
}

static void arrive(const struct host *from);

/* Does what the gate says; gives what the driver would send to the other host. */
static void run(struct host *host)
{
    struct vrrp_gate_action action;

    action.size = sizeof action;
    while (vrrp_gate_poll(host->gate, now, 1, buffer, sizeof buffer, &action) == 1) {
        CHECK_INT(sizeof action, action.size);
        switch (action.kind) {
        case VRRP_GATE_SEND:
            memcpy(host->sent, buffer, action.frame_len);
            host->sent_len = action.frame_len;
            host->frames++;
            arrive(host);
            break;
        case VRRP_GATE_DELIVER:
            CHECK_INT(VRRP_IPV4, action.address.address.family);
            memcpy(host->hint, buffer, action.frame_len);
            host->hint_len = action.frame_len;
            break;
        case VRRP_GATE_SET_ADDRESS:
            CHECK_INT(VRID, action.key.vrid);
            CHECK_INT(action.key.family, action.address.address.family);
            if (action.on && host->failing)
                CHECK_INT(VRRP_OK, vrrp_gate_handle_failure(host->gate, now, &action));
            else
                host->addresses += action.on ? 1 : -1;
            break;
        case VRRP_GATE_STATE_CHANGE:
            host->state[action.key.family == VRRP_IPV6] = action.to;
            CHECK(vrrp_reason_text(action.reason) != NULL);
            break;
        case VRRP_GATE_SET_FILTER:
            host->macs_len = vrrp_gate_macs(host->gate, host->macs[0], 8);
            break;
        default:
            CHECK_INT(VRRP_GATE_REMOVED, action.kind);
            host->removed++;
        }
    }
}

/* What a host has sent last arrives at the other one. */
static void arrive(const struct host *from)
{
    uint8_t frame[VRRP_GATE_MAX_FRAME_LEN];

    if (from->peer == NULL)
        return;
    memcpy(frame, from->sent, from->sent_len);
    CHECK(vrrp_gate_receive(from->peer->gate, now, frame, from->sent_len, NULL) >= 0);
}

/* Lets time pass for both, a centisecond at a time. */
static void pass(unsigned centiseconds)
{
    struct host *hosts[2];
    uint64_t deadline;
    int i;

    hosts[0] = &a;
    hosts[1] = &b;
    while (centiseconds-- > 0) {
        now += CENTISECOND;
        for (i = 0; i < 2; i++) {
            if (hosts[i]->gate == NULL)
                continue;
            CHECK_INT(VRRP_OK, vrrp_gate_handle_timeout(hosts[i]->gate, now));
            run(hosts[i]);
            CHECK_INT(VRRP_OK, vrrp_gate_poll_timeout(hosts[i]->gate, &deadline));
            CHECK(deadline > now);
        }
    }
}

static size_t arp_request(uint8_t *frame, const uint8_t target[4])
{
    static const uint8_t head[10] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};

    memcpy(frame, everybody, 6);
    memcpy(frame + 6, client_mac, 6);
    memcpy(frame + 12, head, sizeof head);
    memcpy(frame + 22, client_mac, 6);
    memcpy(frame + 28, client, 4);
    memset(frame + 32, 0, 6);
    memcpy(frame + 38, target, 4);
    return 42;
}

/* An IPv4 packet of a protocol that nobody looks into. */
static size_t packet(uint8_t *frame, const uint8_t to_mac[6], const uint8_t from_mac[6],
                     const uint8_t to[4], const uint8_t from[4])
{
    static const uint8_t head[12] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0};

    memcpy(frame, to_mac, 6);
    memcpy(frame + 6, from_mac, 6);
    frame[12] = 0x08;
    frame[13] = 0;
    memcpy(frame + 14, head, sizeof head);
    memcpy(frame + 26, from, 4);
    memcpy(frame + 30, to, 4);
    return 34;
}

/* Gives a frame to the gate of `a`. Answers for which stack it is. */
static int receive(int verdict, uint8_t *frame, size_t len)
{
    struct vrrp_gate_addressee addressee = {VRRP_GATE_TO_OWN, {0, {0}}};

    CHECK_INT(verdict, vrrp_gate_receive(a.gate, now, frame, len, &addressee));
    if (addressee.to == VRRP_GATE_TO_VIRTUAL)
        CHECK(memcmp(addressee.address.octets, service, 4) == 0);
    run(&a);
    return addressee.to;
}

static uint32_t discards(int reason)
{
    uint32_t count;

    CHECK_INT(VRRP_OK, vrrp_gate_discards(a.gate, reason, &count));
    return count;
}

/* Gives a frame to the gate of `a`, which is to discard it for a reason. */
static void discarded(int reason, uint8_t *frame, size_t len)
{
    uint32_t before = discards(reason);

    receive(VRRP_GATE_TAKEN, frame, len);
    CHECK_INT(before + 1, discards(reason));
}

/* While Active: requests are answered, packets pass both ways under the MACs of both sides. */
static void active(void)
{
    uint8_t frame[64], own_mac[6], own[4];
    size_t len;

    mac_of(6, own_mac);
    memcpy(own, virtual_address(VRRP_IPV4, 6).address.octets, 4);

    len = arp_request(frame, service);
    receive(VRRP_GATE_TAKEN, frame, len);
    CHECK_INT(42, a.sent_len);
    CHECK(memcmp(a.sent, client_mac, 6) == 0 && memcmp(a.sent + 22, virtual_mac, 6) == 0);
    /* The hint tells the stack, at its own MAC, where the client is. */
    CHECK_INT(42, a.hint_len);
    CHECK(memcmp(a.hint, own_mac, 6) == 0 && memcmp(a.hint + 22, client_mac, 6) == 0);
    a.hint_len = 0;

    len = arp_request(frame, own);
    CHECK_INT(VRRP_GATE_TO_OWN, receive(VRRP_GATE_STACK, frame, len));

    len = packet(frame, virtual_mac, client_mac, service, client);
    CHECK_INT(VRRP_GATE_TO_VIRTUAL, receive(VRRP_GATE_STACK, frame, len));
    CHECK(memcmp(frame, own_mac, 6) == 0);

    len = packet(frame, client_mac, own_mac, client, service);
    CHECK_INT(VRRP_OK, vrrp_gate_send(a.gate, frame, len));
    CHECK(memcmp(frame + 6, virtual_mac, 6) == 0);
    len = packet(frame, client_mac, own_mac, client, own);
    CHECK_INT(VRRP_OK, vrrp_gate_send(a.gate, frame, len));
    CHECK(memcmp(frame + 6, own_mac, 6) == 0);

    len = packet(frame, client_mac, own_mac, service, client);
    discarded(VRRP_GATE_DISCARD_OTHER_STATION, frame, len);
    discarded(VRRP_GATE_DISCARD_TRUNCATED, frame, 13);

    /* An answer that was not taken gives way to the next one. */
    len = arp_request(frame, service);
    CHECK_INT(VRRP_GATE_TAKEN, vrrp_gate_receive(a.gate, now, frame, len, NULL));
    discarded(VRRP_GATE_DISCARD_NO_ROOM, frame, len);
}

/* While Backup: nothing passes, in either direction. */
static void backup(void)
{
    uint8_t frame[64], own_mac[6];
    size_t len;

    mac_of(6, own_mac);
    len = packet(frame, virtual_mac, client_mac, service, client);
    discarded(VRRP_GATE_DISCARD_MAC_NOT_TAKEN_UP, frame, len);
    len = arp_request(frame, service);
    discarded(VRRP_GATE_DISCARD_TO_UNSERVED, frame, len);
    len = packet(frame, client_mac, own_mac, client, service);
    CHECK_INT(VRRP_GATE_DISCARD_FROM_UNSERVED, vrrp_gate_send(a.gate, frame, len));
}

static uint8_t state_of(struct host *host, uint8_t family)
{
    struct vrrp_gate_key key = {VRID, VRRP_IPV4};
    struct vrrp_statistics statistics;
    struct vrrp_status status;

    key.family = family;
    status.size = sizeof status;
    statistics.size = sizeof statistics;
    CHECK_INT(VRRP_OK, vrrp_gate_status(host->gate, &key, &status));
    CHECK_INT(VRRP_OK, vrrp_gate_statistics(host->gate, &key, &statistics));
    CHECK(status.state != VRRP_STATE_ACTIVE || statistics.adverts_sent > 0);
    return status.state;
}

static void election(void)
{
    struct vrrp_gate_key key = {VRID, VRRP_IPV4};
    uint32_t count;

    start(&a, 6);
    insert(&a, VRRP_IPV4, 100, 1);
    insert(&a, VRRP_IPV6, 100, 1);
    run(&a);
    CHECK_INT(VRRP_STATE_BACKUP, state_of(&a, VRRP_IPV4));
    pass(400);
    CHECK_INT(VRRP_STATE_ACTIVE, state_of(&a, VRRP_IPV4));
    CHECK_INT(VRRP_STATE_ACTIVE, a.state[1]);
    CHECK_INT(2, a.addresses);
    active();

    /* A better host takes over, and the first one gives up what it has. */
    start(&b, 7);
    a.peer = &b;
    b.peer = &a;
    insert(&b, VRRP_IPV4, 200, 1);
    insert(&b, VRRP_IPV6, 200, 1);
    pass(600);
    CHECK_INT(VRRP_STATE_ACTIVE, b.state[0]);
    CHECK_INT(VRRP_STATE_BACKUP, state_of(&a, VRRP_IPV4));
    CHECK_INT(VRRP_STATE_BACKUP, state_of(&a, VRRP_IPV6));
    CHECK_INT(0, a.addresses);
    backup();

    /* It resigns, and takes over again when its priority is set. */
    CHECK_INT(VRRP_OK, vrrp_gate_resign(b.gate, now, &key));
    pass(300);
    CHECK_INT(VRRP_STATE_ACTIVE, state_of(&a, VRRP_IPV4));
    CHECK_INT(VRRP_STATE_BACKUP, state_of(&b, VRRP_IPV4));
    CHECK_INT(VRRP_OK, vrrp_gate_set_priority(b.gate, now, &key, 201));
    pass(600);
    CHECK_INT(VRRP_STATE_ACTIVE, state_of(&b, VRRP_IPV4));

    /* Disabled, it stops; removed, it is gone. */
    CHECK_INT(VRRP_OK, vrrp_gate_set_enabled(b.gate, now, &key, 0));
    pass(300);
    CHECK_INT(VRRP_STATE_INITIALIZE, state_of(&b, VRRP_IPV4));
    CHECK_INT(VRRP_OK, vrrp_gate_remove(b.gate, now, &key));
    pass(300);
    CHECK_INT(1, b.removed);
    CHECK_INT(VRRP_OK, vrrp_gate_drops(b.gate, NULL, VRRP_DROP_UNKNOWN_VRID, &count));
    CHECK(count > 0);
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_gate_resign(b.gate, now, &key));
}

/* An address that the stack does not take is asked for again, and given up when that goes on. */
static void failures(void)
{
    start(&a, 6);
    a.failing = 1;
    memset(&b, 0, sizeof b);
    insert(&a, VRRP_IPV4, 255, 1);
    run(&a);
    CHECK_INT(0, a.addresses);
    CHECK_INT(VRRP_STATE_INITIALIZE, state_of(&a, VRRP_IPV4));
    a.failing = 0;
    pass(200);
    CHECK_INT(1, a.addresses);
    CHECK_INT(VRRP_STATE_ACTIVE, state_of(&a, VRRP_IPV4));
}

/* A driver that can send nothing: frames wait for 10 ms. Other actions do not. */
static void blocked(void)
{
    struct vrrp_gate_action action;

    start(&a, 6);
    action.size = sizeof action;
    insert(&a, VRRP_IPV4, 255, 1);
    do
        CHECK_INT(1, vrrp_gate_poll(a.gate, now, 0, buffer, sizeof buffer, &action));
    while (action.kind == VRRP_GATE_SET_FILTER);
    CHECK_INT(VRRP_GATE_SET_ADDRESS, action.kind);
    CHECK_INT(0, vrrp_gate_poll(a.gate, now, 0, buffer, sizeof buffer, &action));
    CHECK_INT(0, discards(VRRP_GATE_DISCARD_NO_ROOM));
    now += 10000;
    while (vrrp_gate_poll(a.gate, now, 0, buffer, sizeof buffer, &action) == 1)
        CHECK(action.kind != VRRP_GATE_SEND);
    CHECK(discards(VRRP_GATE_DISCARD_NO_ROOM) > 0);
    /* With nobody there a shutdown ends after its time. */
    CHECK_INT(1, vrrp_gate_shutdown(a.gate, now));
    pass(600);
    CHECK_INT(0, vrrp_gate_shutdown(a.gate, now));
    CHECK_INT(VRRP_STATE_INITIALIZE, state_of(&a, VRRP_IPV4));
}

static int lets_in(const uint8_t mac[6])
{
    int i;

    for (i = 0; i < a.macs_len; i++)
        if (memcmp(a.macs[i], mac, 6) == 0)
            return 1;
    return 0;
}

/* Until then the client answers what was sent last, if that asked from the host's own MAC. */
static void pass_with_client(int centiseconds)
{
    uint8_t frame[64], own_mac[6], own[4];

    mac_of(6, own_mac);
    memcpy(own, virtual_address(VRRP_IPV4, 6).address.octets, 4);
    while (centiseconds-- > 0) {
        a.sent_len = 0;
        pass(1);
        if (a.sent_len != 42 || memcmp(a.sent + 38, client, 4) != 0 ||
            memcmp(a.sent + 22, own_mac, 6) != 0)
            continue;
        a.answered++;
        arp_request(frame, own);
        frame[21] = 2;
        memcpy(frame, own_mac, 6);
        memcpy(frame + 32, own_mac, 6);
        CHECK_INT(VRRP_GATE_STACK, vrrp_gate_receive(a.gate, now, frame, 42, NULL));
    }
}

/* A driver that lets in no frame to the virtual MAC, though it was told. */
static void black_hole(void)
{
    static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 0x12};
    struct vrrp_gate_reception reception;
    uint8_t frame[64];
    size_t len;

    memset(&b, 0, sizeof b);
    start(&a, 6);
    insert(&a, VRRP_IPV4, 100, 1);
    run(&a);
    CHECK(lets_in(group) && !lets_in(virtual_mac));
    pass(400);
    CHECK_INT(VRRP_STATE_ACTIVE, state_of(&a, VRRP_IPV4));
    CHECK(lets_in(group) && lets_in(virtual_mac));
    CHECK_INT(a.macs_len, vrrp_gate_macs(a.gate, NULL, 0));
    CHECK_INT(VRRP_ERR_NULL, vrrp_gate_macs(a.gate, NULL, 1));

    reception.size = sizeof reception;
    len = arp_request(frame, service);
    receive(VRRP_GATE_TAKEN, frame, len);
    pass_with_client(350);
    CHECK_INT(VRRP_OK, vrrp_gate_reception(a.gate, &reception));
    CHECK_INT(0, reception.unheard.family);
    pass_with_client(150);
    CHECK_INT(3, a.answered);
    CHECK_INT(VRRP_OK, vrrp_gate_reception(a.gate, &reception));
    CHECK_INT(sizeof reception, reception.size);
    CHECK_INT(VRRP_IPV4, reception.unheard.family);
    CHECK(memcmp(reception.unheard.octets, service, 4) == 0);
    CHECK_INT(0, reception.frames);

    len = packet(frame, virtual_mac, client_mac, service, client);
    receive(VRRP_GATE_STACK, frame, len);
    CHECK_INT(VRRP_OK, vrrp_gate_reception(a.gate, &reception));
    CHECK_INT(0, reception.unheard.family);
    CHECK_INT(1, reception.frames);
    CHECK_INT(VRRP_ERR_NULL, vrrp_gate_reception(a.gate, NULL));
    reception.size = 4;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_gate_reception(a.gate, &reception));
}

/* Without a link nothing is Active. */
static void link_down(void)
{
    start(&a, 6);
    insert(&a, VRRP_IPV4, 255, 1);
    run(&a);
    CHECK_INT(VRRP_STATE_ACTIVE, state_of(&a, VRRP_IPV4));
    describe(&a, 0);
    run(&a);
    CHECK_INT(VRRP_STATE_INITIALIZE, state_of(&a, VRRP_IPV4));
}

static void misuse(void)
{
    static union vrrp_storage engine_storage;
    struct vrrp_gate_key key = {VRID, VRRP_IPV4}, none = {0, VRRP_IPV4};
    struct vrrp_address peer = virtual_address(VRRP_IPV4, 7).address;
    struct vrrp_virtual_address address = virtual_address(VRRP_IPV4, 80);
    struct vrrp_gate_action action;
    struct vrrp_config config;
    struct vrrp_gate *gate;
    struct vrrp *engine;
    uint64_t deadline;
    uint32_t count;
    int reason;

    memset(&action, 0, sizeof action);
    start(&a, 6);
    CHECK_INT(VRRP_ERR_ABI, vrrp_gate_init(&a.storage, sizeof a.storage, VRRP_ABI + 1, 0, &gate));
    CHECK_INT(VRRP_ERR_STORAGE, vrrp_gate_init(&a.storage, 64, VRRP_ABI, 0, &gate));
    CHECK_INT(VRRP_ERR_NULL, vrrp_gate_init(NULL, 0, VRRP_ABI, 0, &gate));
    CHECK_INT(8, (int)vrrp_gate_storage_align() & 8);
    /* The handle of an engine is none of a gate. */
    CHECK_INT(VRRP_OK, vrrp_init(&engine_storage, sizeof engine_storage, VRRP_ABI, &engine));
    CHECK_INT(VRRP_ERR_HANDLE, vrrp_gate_poll_timeout((struct vrrp_gate *)(void *)engine, &deadline));
    CHECK_INT(VRRP_ERR_NULL, vrrp_gate_poll_timeout(NULL, &deadline));
    CHECK_INT(VRRP_OK, vrrp_config_init(&config, sizeof config));
    config.addresses = &address;
    config.addresses_len = 1;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_gate_insert(a.gate, now, &none, &config));
    config.peers = &peer;
    config.peers_len = 1;
    CHECK_INT(VRRP_ERR_PEERS, vrrp_gate_insert(a.gate, now, &key, &config));
    config.peers_len = 0;
    CHECK_INT(VRRP_OK, vrrp_gate_insert(a.gate, now, &key, &config));
    CHECK_INT(VRRP_ERR_EXISTS, vrrp_gate_insert(a.gate, now, &key, &config));
    CHECK_INT(VRRP_OK, vrrp_gate_reconfigure(a.gate, now, &key, &config));
    CHECK_INT(VRRP_OK, vrrp_gate_set_tracked(a.gate, now, 1, 0));
    CHECK_INT(VRRP_ERR_NULL, vrrp_gate_receive(a.gate, now, NULL, 60, NULL));
    CHECK_INT(VRRP_ERR_SIZE, vrrp_gate_poll(a.gate, now, 1, buffer, sizeof buffer, &action));
    action.size = sizeof action;
    CHECK_INT(VRRP_ERR_BUFFER, vrrp_gate_poll(a.gate, now, 1, buffer, 100, &action));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_gate_handle_failure(a.gate, now, &action));
    CHECK_INT(VRRP_ERR_NULL, vrrp_gate_send(a.gate, NULL, 60));
    CHECK_INT(VRRP_OK, vrrp_gate_send(a.gate, NULL, 0));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_gate_discards(a.gate, 0, &count));
    for (reason = VRRP_GATE_DISCARD_TRUNCATED; vrrp_gate_discard_name(reason) != NULL; reason++)
        CHECK_INT(VRRP_OK, vrrp_gate_discards(a.gate, reason, &count));
    CHECK_INT(VRRP_GATE_DISCARD_NO_ROOM + 1, reason);
}

int main(void)
{
    election();
    failures();
    blocked();
    black_hole();
    link_down();
    misuse();
    puts("gate: passed");
    return 0;
}
