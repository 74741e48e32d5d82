/* Two engines on a wire in memory, time as a number: election, failover, resigning, and everything
 * else that two engines can say to each other. */
#include "check.h"

#define SECOND 1000000u
#define IF 7u
#define OBJECT 3u

/* A host with one interface. */
struct host {
    union vrrp_storage storage;
    struct vrrp *vrrp;
    uint8_t last;               /* of 10.0.0.x, fe80::x, and of its MAC */
    int connected;
    int packets;                /* hand over IP payloads instead of frames */
    int has_mac, has_address, has_group, removed;
    int sent[VRRP_FRAME_NEIGHBOR_PROBE + 1]; /* by kind of frame */
    uint8_t state, reason;
};

static struct host a, b;
static uint64_t now;

static struct vrrp_address address(uint8_t family, uint8_t last)
{
    struct vrrp_address address = {0, {0}};

    address.family = family;
    if (family == VRRP_IPV4) {
        address.octets[0] = 10;
        address.octets[3] = last;
    } else {
        address.octets[0] = 0xfe;
        address.octets[1] = 0x80;
        address.octets[15] = last;
    }
    return address;
}

static void start(struct host *host, uint8_t last)
{
    struct vrrp_interface state = {0};

    memset(host, 0, sizeof *host);
    host->last = last;
    host->connected = 1;
    CHECK_INT(VRRP_OK, vrrp_init(&host->storage, sizeof host->storage, VRRP_ABI, &host->vrrp));
    state.size = sizeof state;
    state.up = 1;
    state.mac[0] = 2;
    state.mac[5] = last;
    memcpy(state.ipv4, address(VRRP_IPV4, last).octets, 4);
    memcpy(state.ipv6, address(VRRP_IPV6, last).octets, 16);
    CHECK_INT(VRRP_OK, vrrp_set_interface(host->vrrp, now, IF, &state));
}

/* The IP header of a frame as a stack would have read it. */
static int handle_packet(struct host *host, const uint8_t *frame, const struct vrrp_output *output)
{
    struct vrrp_packet packet = {0};
    const uint8_t *ip = frame + output->ip_offset;
    size_t length = output->frame_len - output->payload_offset;

    packet.size = sizeof packet;
    packet.ifindex = IF;
    packet.source.family = packet.destination.family = output->key.family;
    if (output->key.family == VRRP_IPV4) {
        packet.ttl = ip[8];
        memcpy(packet.source.octets, ip + 12, 4);
        memcpy(packet.destination.octets, ip + 16, 4);
    } else {
        packet.ttl = ip[7];
        memcpy(packet.source.octets, ip + 8, 16);
        memcpy(packet.destination.octets, ip + 24, 16);
    }
    packet.has_source_mac = 1;
    memcpy(packet.source_mac, frame + 6, 6);
    return vrrp_handle_packet(host->vrrp, now, &packet, frame + output->payload_offset, length, NULL);
}

static void transmit(struct host *from, const uint8_t *frame, const struct vrrp_output *output)
{
    struct host *to = from == &a ? &b : &a;
    struct vrrp_key accepted = {0, 0, 0};

    from->sent[output->frame_kind]++;
    CHECK(output->frame_len <= VRRP_MAX_FRAME_LEN && output->ip_offset == 14);
    if (!from->connected || !to->connected)
        return;
    if (output->frame_kind != VRRP_FRAME_ADVERTISEMENT) {
        CHECK_INT(VRRP_NOT_VRRP,
                  vrrp_handle_frame(to->vrrp, now, IF, frame, output->frame_len, NULL));
    } else if (to->removed) {
        CHECK_INT(VRRP_DROP_UNKNOWN_VRID,
                  vrrp_handle_frame(to->vrrp, now, IF, frame, output->frame_len, NULL));
    } else if (to->packets) {
        CHECK_INT(VRRP_ACCEPTED, handle_packet(to, frame, output));
    } else {
        CHECK_INT(VRRP_ACCEPTED,
                  vrrp_handle_frame(to->vrrp, now, IF, frame, output->frame_len, &accepted));
        CHECK(accepted.ifindex == IF && accepted.vrid == output->key.vrid);
    }
}

/* Performs what an engine asks for. Answers whether there was anything. */
static int perform(struct host *host)
{
    uint8_t frame[VRRP_MAX_FRAME_LEN];
    struct vrrp_output output;
    int any = 0, more;

    output.size = sizeof output;
    while ((more = vrrp_poll_output(host->vrrp, frame, sizeof frame, &output)) == 1) {
        any = 1;
        CHECK_INT(sizeof output, output.size);
        switch (output.kind) {
        case VRRP_OUTPUT_TRANSMIT: transmit(host, frame, &output); break;
        case VRRP_OUTPUT_SET_MAC: host->has_mac = output.on; break;
        case VRRP_OUTPUT_SET_ADDRESS: host->has_address = output.on; break;
        case VRRP_OUTPUT_SET_GROUP: host->has_group = output.on; break;
        case VRRP_OUTPUT_REMOVED: host->removed = 1; break;
        default:
            CHECK_INT(VRRP_OUTPUT_STATE_CHANGE, output.kind);
            CHECK_INT(host->state, output.from);
            host->state = output.to;
            host->reason = output.reason;
        }
    }
    CHECK_INT(0, more);
    return any;
}

static void settle(void)
{
    while (perform(&a) | perform(&b))
        continue;
}

/* Lets the time pass up to `until`. */
static void run(uint64_t until)
{
    for (;;) {
        uint64_t first, second;

        settle();
        CHECK_INT(VRRP_OK, vrrp_poll_timeout(a.vrrp, &first));
        CHECK_INT(VRRP_OK, vrrp_poll_timeout(b.vrrp, &second));
        if (second < first)
            first = second;
        if (first > until)
            break;
        if (first > now)
            now = first;
        CHECK_INT(VRRP_OK, vrrp_handle_timeout(a.vrrp, now));
        CHECK_INT(VRRP_OK, vrrp_handle_timeout(b.vrrp, now));
    }
    now = until;
}

static void defaults(struct vrrp_config *config, uint8_t priority)
{
    CHECK_INT(VRRP_OK, vrrp_config_init(config, sizeof *config));
    config->priority = priority;
}

static void insert(struct host *host, const struct vrrp_key *key, struct vrrp_config *config)
{
    struct vrrp_virtual_address service;

    service.address = address(key->family, 80);
    service.prefix_len = key->family == VRRP_IPV4 ? 24 : 64;
    config->addresses = &service;
    config->addresses_len = 1;
    CHECK_INT(VRRP_OK, vrrp_insert(host->vrrp, now, key, config));
    CHECK_INT(VRRP_OK, vrrp_set_enabled(host->vrrp, now, key, 1));
    memset(&service, 0xff, sizeof service); /* the engine has its own copy */
}

static struct vrrp_status status(struct host *host, const struct vrrp_key *key)
{
    struct vrrp_status status;

    status.size = sizeof status;
    CHECK_INT(VRRP_OK, vrrp_status(host->vrrp, key, &status));
    return status;
}

static void expect(const struct host *host, int state, int reason)
{
    CHECK_INT(state, host->state);
    CHECK_INT(reason, host->reason);
    CHECK_INT(state == VRRP_STATE_ACTIVE, host->has_address);
}

/* Two hosts of priority 200 and 100. */
static void pair(const struct vrrp_key *key, int packets)
{
    struct vrrp_config config;

    now = 0;
    start(&a, 1);
    start(&b, 2);
    a.packets = b.packets = packets;
    defaults(&config, 200);
    insert(&a, key, &config);
    defaults(&config, 100);
    insert(&b, key, &config);
}

static void election_failover_resign(uint8_t family, int packets)
{
    struct vrrp_key key = {IF, 51, VRRP_IPV4};
    struct vrrp_status seen;
    struct vrrp_statistics counters;

    key.family = family;
    pair(&key, packets);
    settle();
    CHECK_INT(VRRP_STATE_BACKUP, a.state);
    CHECK(a.has_group);

    /* Three intervals and 56/256 of one for priority 200. */
    run(3218749);
    CHECK_INT(VRRP_STATE_BACKUP, a.state);
    run(3218750);
    expect(&a, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_TIMEOUT);
    CHECK(a.has_mac && !b.has_mac);
    run(10 * SECOND);
    expect(&b, VRRP_STATE_BACKUP, VRRP_REASON_STARTED);
    seen = status(&b, &key);
    CHECK_INT(200, seen.active.priority);
    CHECK_INT(family, seen.active.address.family);
    CHECK_INT(51, seen.active_mac[5]);
    CHECK_INT(0, status(&a, &key).active.address.family);

    /* The cable of a is pulled, and put back. */
    a.connected = 0;
    run(14 * SECOND);
    expect(&b, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_TIMEOUT);
    a.connected = 1;
    run(17 * SECOND);
    expect(&a, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_TIMEOUT);
    expect(&b, VRRP_STATE_BACKUP, VRRP_REASON_HIGHER_PRIORITY);

    CHECK_INT(VRRP_OK, vrrp_resign(a.vrrp, now, &key));
    run(20 * SECOND);
    expect(&a, VRRP_STATE_BACKUP, VRRP_REASON_RESIGNED);
    expect(&b, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_STOPPED);
    CHECK(status(&a, &key).resigned);
    CHECK_INT(VRRP_OK, vrrp_set_priority(a.vrrp, now, &key, 0));
    run(25 * SECOND);
    expect(&a, VRRP_STATE_ACTIVE, VRRP_REASON_PREEMPTED);

    counters.size = sizeof counters;
    CHECK_INT(VRRP_OK, vrrp_statistics(a.vrrp, &key, &counters));
    CHECK_INT(2, counters.active_transitions);
    CHECK_INT(a.sent[VRRP_FRAME_ADVERTISEMENT], counters.adverts_sent);
    CHECK_INT(1, counters.priority_zero_sent);

    CHECK_INT(VRRP_OK, vrrp_remove(a.vrrp, now, &key));
    run(30 * SECOND);
    CHECK(a.removed && !a.has_address && !a.has_mac && !a.has_group);
    CHECK_INT(0, vrrp_keys(a.vrrp, NULL, 0));
    CHECK_INT(VRRP_OK, vrrp_remove_interface(a.vrrp, IF));
    expect(&b, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_STOPPED);
}

static void tracking(void)
{
    struct vrrp_key key = {IF, 51, VRRP_IPV4};
    struct vrrp_track track = {OBJECT, -150, VRRP_TRACK_WHILE_DOWN};
    struct vrrp_config config;
    struct vrrp_virtual_address service = {{0, {0}}, 24};

    pair(&key, 0);
    run(5 * SECOND);
    defaults(&config, 200);
    service.address = address(VRRP_IPV4, 80);
    config.addresses = &service;
    config.addresses_len = 1;
    config.tracks = &track;
    config.tracks_len = 1;
    CHECK_INT(VRRP_OK, vrrp_reconfigure(a.vrrp, now, &key, &config));
    run(6 * SECOND);
    expect(&a, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_TIMEOUT);
    CHECK_INT(VRRP_OK, vrrp_set_tracked(a.vrrp, now, OBJECT, 0));
    CHECK_INT(50, status(&a, &key).priority);
    CHECK_INT(200, status(&a, &key).base_priority);
    run(11 * SECOND);
    expect(&b, VRRP_STATE_ACTIVE, VRRP_REASON_PREEMPTED);
    CHECK_INT(VRRP_OK, vrrp_set_tracked(a.vrrp, now, OBJECT, 1));
    run(15 * SECOND);
    expect(&a, VRRP_STATE_ACTIVE, VRRP_REASON_PREEMPTED);
}

static void unicast(void)
{
    struct vrrp_key key = {IF, 51, VRRP_IPV4};
    struct vrrp_address peer;
    struct vrrp_config config;

    now = 0;
    start(&a, 1);
    start(&b, 2);
    defaults(&config, 200);
    peer = address(VRRP_IPV4, 2);
    config.peers = &peer;
    config.peers_len = 1;
    insert(&a, &key, &config);
    defaults(&config, 100);
    peer = address(VRRP_IPV4, 1);
    config.peers = &peer;
    config.peers_len = 1;
    config.max_hops = 2;
    insert(&b, &key, &config);
    run(10 * SECOND);
    expect(&a, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_TIMEOUT);
    expect(&b, VRRP_STATE_BACKUP, VRRP_REASON_STARTED);
    CHECK(!a.has_group && a.sent[VRRP_FRAME_ADVERTISEMENT] > 5);
}

/* The version, password and interval of `version`, and what becomes of another password. */
static void versions(uint8_t version)
{
    struct vrrp_key key = {IF, 51, VRRP_IPV4};
    struct vrrp_config config;

    now = 0;
    start(&a, 1);
    start(&b, 2);
    defaults(&config, 200);
    config.version = version;
    config.advert_interval_cs = 200;
    if (version == VRRP_V2) {
        config.auth = VRRP_AUTH_SIMPLE;
        memcpy(config.password, "secret", 6);
    }
    insert(&a, &key, &config);
    config.priority = 100;
    config.mac_mode = VRRP_MAC_INTERFACE;
    insert(&b, &key, &config);
    /* In VRRPv2 and VRRPv3 at once, what VRRPv3 said shadows the other: the drop is not accepted. */
    a.connected = version != VRRP_V2_AND_V3;
    run(10 * SECOND);
    expect(&a, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_TIMEOUT);
    CHECK_INT(version, status(&a, &key).version);
    CHECK_INT(version == VRRP_V2_AND_V3 ? VRRP_STATE_ACTIVE : VRRP_STATE_BACKUP, b.state);
    CHECK(!b.has_mac);
    if (version == VRRP_V2) {
        uint32_t drops;
        uint8_t frame[VRRP_MAX_FRAME_LEN];
        struct vrrp_output output;
        struct vrrp_virtual_address service = {{0, {0}}, 24};

        CHECK_INT(2, status(&b, &key).active_version);
        b.connected = 0;
        CHECK_INT(VRRP_OK, vrrp_set_enabled(a.vrrp, now, &key, 0));
        output.size = sizeof output;
        CHECK_INT(1, vrrp_poll_output(a.vrrp, frame, sizeof frame, &output));
        CHECK_INT(VRRP_OUTPUT_TRANSMIT, output.kind);
        service.address = address(VRRP_IPV4, 80);
        config.addresses = &service;
        memcpy(config.password, "other\0", 6);
        CHECK_INT(VRRP_OK, vrrp_reconfigure(b.vrrp, now, &key, &config));
        CHECK_INT(VRRP_DROP_AUTH_FAILURE,
                  vrrp_handle_frame(b.vrrp, now, IF, frame, output.frame_len, NULL));
        CHECK_INT(VRRP_OK, vrrp_drops(b.vrrp, &key, VRRP_DROP_AUTH_FAILURE, &drops));
        CHECK_INT(1, drops);
    }
}

/* An ARP request for 10.0.0.x. */
static void arp_request(uint8_t frame[42], uint8_t last)
{
    static const uint8_t start[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9,
                                    8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9};

    memset(frame, 0, 42);
    memcpy(frame, start, sizeof start);
    memcpy(frame + 38, address(VRRP_IPV4, last).octets, 4);
}

static void questions(void)
{
    struct vrrp_key key = {IF, 51, VRRP_IPV4}, keys[2];
    uint8_t request[42], frame[VRRP_MAX_FRAME_LEN];
    struct vrrp_virtual_address addresses[2];
    struct vrrp_interface state;
    struct vrrp_output output;
    uint32_t drops;

    pair(&key, 0);
    run(5 * SECOND);
    output.size = sizeof output;
    arp_request(request, 80);
    CHECK_INT(1, vrrp_answer(a.vrrp, IF, request, 42, frame, sizeof frame, &output));
    CHECK_INT(VRRP_FRAME_ARP_REPLY, output.frame_kind);
    CHECK(memcmp(frame + 22, "\0\0\x5e\0\x01\x33\x0a\0\0\x50", 10) == 0);
    CHECK_INT(0, vrrp_answer(b.vrrp, IF, request, 42, frame, sizeof frame, &output));
    arp_request(request, 81);
    CHECK_INT(0, vrrp_answer(a.vrrp, IF, request, 42, frame, sizeof frame, &output));

    CHECK_INT(1, vrrp_keys(a.vrrp, keys, 2));
    CHECK(keys[0].ifindex == IF && keys[0].vrid == 51 && keys[0].family == VRRP_IPV4);
    CHECK_INT(1, vrrp_addresses(a.vrrp, &key, addresses, 2));
    CHECK(memcmp(addresses[0].address.octets, address(VRRP_IPV4, 80).octets, 16) == 0);
    CHECK_INT(24, addresses[0].prefix_len);
    state.size = sizeof state;
    CHECK_INT(VRRP_OK, vrrp_interface(a.vrrp, IF, &state));
    CHECK(state.up == 1 && state.mac[0] == 2 && state.mac[5] == 1 && state.ipv4[3] == 1);

    /* Nothing that arrives is an error: half a frame, and a VRID that nobody has. */
    CHECK_INT(VRRP_NOT_VRRP, vrrp_handle_frame(a.vrrp, now, IF, request, 42, NULL));
    CHECK_INT(VRRP_OK, vrrp_set_enabled(b.vrrp, now, &key, 0));
    vrrp_resign(a.vrrp, now, &key);
    CHECK_INT(1, vrrp_poll_output(a.vrrp, frame, sizeof frame, &output));
    CHECK_INT(VRRP_DROP_BAD_HEADER, vrrp_handle_frame(b.vrrp, now, IF, frame, 40, NULL));
    CHECK_INT(VRRP_DROP_UNKNOWN_VRID,
              vrrp_handle_frame(b.vrrp, now, IF + 1, frame, output.frame_len, NULL));
    CHECK_INT(VRRP_OK, vrrp_drops(b.vrrp, NULL, VRRP_DROP_UNKNOWN_VRID, &drops));
    CHECK_INT(1, drops);

    /* Storage that is initialised again starts over. */
    start(&a, 1);
    CHECK_INT(0, vrrp_keys(a.vrrp, keys, 2));
}

static void failures(void)
{
    struct vrrp_key key = {IF, 51, VRRP_IPV4};
    struct vrrp_output undone;

    pair(&key, 0);
    run(5 * SECOND);
    memset(&undone, 0, sizeof undone);
    undone.size = sizeof undone;
    undone.key = key;
    undone.kind = VRRP_OUTPUT_SET_ADDRESS;
    undone.address.address = address(VRRP_IPV4, 80);
    CHECK_INT(VRRP_OK, vrrp_handle_failure(a.vrrp, now, &undone));
    a.has_address = 0;
    run(6 * SECOND);
    CHECK(a.has_address);
    undone.kind = VRRP_OUTPUT_SET_MAC;
    CHECK_INT(VRRP_OK, vrrp_handle_failure(a.vrrp, now, &undone));
    a.has_mac = 0;
    run(7 * SECOND);
    CHECK(a.has_mac);
    undone.kind = VRRP_OUTPUT_SET_GROUP;
    CHECK_INT(VRRP_OK, vrrp_handle_failure(a.vrrp, now, &undone));
    a.has_group = 0;
    run(9 * SECOND);
    CHECK(a.has_group);
}

int main(void)
{
    election_failover_resign(VRRP_IPV4, 0);
    election_failover_resign(VRRP_IPV4, 1);
    election_failover_resign(VRRP_IPV6, 0);
    election_failover_resign(VRRP_IPV6, 1);
    tracking();
    unicast();
    versions(VRRP_V2);
    versions(VRRP_V3);
    versions(VRRP_V2_AND_V3);
    questions();
    failures();
    puts("memory: all passed");
    return 0;
}
