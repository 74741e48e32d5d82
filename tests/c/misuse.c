/* Everything that a caller can do wrong: each is answered with its error, changes nothing, and
 * writes nothing. */
#include "check.h"

#define IF 1u

/* What an output holds before a call that must not write it. */
#define UNTOUCHED 0xa5

static union vrrp_storage storage;
static struct vrrp *vrrp;
static const struct vrrp_key key = {IF, 1, VRRP_IPV4};
static struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 0, 0, 80}}, 24};

static void fresh(void)
{
    vrrp = NULL;
    CHECK_INT(VRRP_OK, vrrp_init(&storage, sizeof storage, VRRP_ABI, &vrrp));
    CHECK((void *)vrrp == (void *)&storage);
}

static struct vrrp_config config(void)
{
    struct vrrp_config config;

    CHECK_INT(VRRP_OK, vrrp_config_init(&config, sizeof config));
    config.addresses = &service;
    config.addresses_len = 1;
    return config;
}

static struct vrrp_interface interface(void)
{
    struct vrrp_interface state = {0};

    state.size = sizeof state;
    state.up = 1;
    state.mac[0] = 2;
    state.ipv4[0] = 10;
    state.ipv4[3] = 1;
    return state;
}

static int untouched(const void *memory, size_t size)
{
    const unsigned char *octets = memory;

    while (size > 0 && *octets == UNTOUCHED)
        octets++, size--;
    return size == 0;
}

static void init(void)
{
    struct vrrp *handle, *before;

    memset(&handle, UNTOUCHED, sizeof handle);
    before = handle;
    CHECK_INT(VRRP_ERR_NULL, vrrp_init(NULL, sizeof storage, VRRP_ABI, &handle));
    CHECK_INT(VRRP_ERR_NULL, vrrp_init(&storage, sizeof storage, VRRP_ABI, NULL));
    CHECK_INT(VRRP_ERR_ABI, vrrp_init(&storage, sizeof storage, VRRP_ABI + 1, &handle));
    CHECK_INT(VRRP_ERR_ABI, vrrp_init(&storage, sizeof storage, 0, &handle));
    CHECK_INT(VRRP_ERR_STORAGE, vrrp_init(&storage, 0, VRRP_ABI, &handle));
    CHECK_INT(VRRP_ERR_STORAGE, vrrp_init(&storage, vrrp_storage_size() - 1, VRRP_ABI, &handle));
    CHECK_INT(VRRP_ERR_ALIGN, vrrp_init(storage.octets + 1, sizeof storage - 1, VRRP_ABI, &handle));
    CHECK_INT(VRRP_ERR_ALIGN, vrrp_init(storage.octets + 4, sizeof storage - 4, VRRP_ABI, &handle));
    CHECK(handle == before && untouched(&handle, sizeof handle));
    CHECK_INT(VRRP_OK, vrrp_init(&storage, vrrp_storage_size(), VRRP_ABI, &handle));
    /* Storage from malloc() of the exact size, for the sanitizers to watch its ends. */
    {
        void *exact = malloc(vrrp_storage_size());

        CHECK_INT(VRRP_OK, vrrp_init(exact, vrrp_storage_size(), VRRP_ABI, &handle));
        CHECK_INT(0, vrrp_keys(handle, NULL, 0));
        free(exact);
    }
}

/* Every function with `handle` in the place of a handle. */
static void every_function(struct vrrp *handle, int error)
{
    struct vrrp_config good = config();
    struct vrrp_interface state = interface();
    struct vrrp_packet packet = {0};
    struct vrrp_output output;
    struct vrrp_status status;
    struct vrrp_statistics statistics;
    uint8_t octets[VRRP_MAX_FRAME_LEN] = {0};
    uint64_t deadline;
    uint32_t count;

    memset(&output, UNTOUCHED, sizeof output);
    memset(&deadline, UNTOUCHED, sizeof deadline);
    packet.size = sizeof packet;
    CHECK_INT(error, vrrp_insert(handle, 0, &key, &good));
    CHECK_INT(error, vrrp_reconfigure(handle, 0, &key, &good));
    CHECK_INT(error, vrrp_remove(handle, 0, &key));
    CHECK_INT(error, vrrp_set_enabled(handle, 0, &key, 1));
    CHECK_INT(error, vrrp_set_priority(handle, 0, &key, 1));
    CHECK_INT(error, vrrp_resign(handle, 0, &key));
    CHECK_INT(error, vrrp_set_interface(handle, 0, IF, &state));
    CHECK_INT(error, vrrp_remove_interface(handle, IF));
    CHECK_INT(error, vrrp_set_tracked(handle, 0, 1, 1));
    CHECK_INT(error, vrrp_handle_frame(handle, 0, IF, octets, sizeof octets, NULL));
    CHECK_INT(error, vrrp_handle_packet(handle, 0, &packet, octets, sizeof octets, NULL));
    CHECK_INT(error, vrrp_handle_timeout(handle, 0));
    CHECK_INT(error, vrrp_handle_failure(handle, 0, &output));
    CHECK_INT(error, vrrp_poll_output(handle, octets, sizeof octets, &output));
    CHECK_INT(error, vrrp_poll_timeout(handle, &deadline));
    CHECK_INT(error, vrrp_answer(handle, IF, octets, sizeof octets, octets, 0, &output));
    CHECK_INT(error, vrrp_status(handle, &key, &status));
    CHECK_INT(error, vrrp_statistics(handle, &key, &statistics));
    CHECK_INT(error, vrrp_drops(handle, &key, 1, &count));
    CHECK_INT(error, vrrp_keys(handle, NULL, 0));
    CHECK_INT(error, vrrp_addresses(handle, &key, NULL, 0));
    CHECK_INT(error, vrrp_interface(handle, IF, &state));
    CHECK(untouched(&output, sizeof output) && untouched(&deadline, sizeof deadline));
}

static void handles(void)
{
    static union vrrp_storage never;

    every_function(NULL, VRRP_ERR_NULL);
    every_function((struct vrrp *)(void *)&never, VRRP_ERR_HANDLE);
    every_function((struct vrrp *)(void *)(never.octets + 1), VRRP_ERR_HANDLE);
}

/* Every pointer but the handle. */
static void pointers(void)
{
    struct vrrp_config good = config();
    struct vrrp_packet packet = {0};
    struct vrrp_output output;
    struct vrrp_status status;
    struct vrrp_statistics statistics;
    uint8_t octets[VRRP_MAX_FRAME_LEN] = {0};
    uint32_t count;

    fresh();
    output.size = sizeof output;
    status.size = sizeof status;
    statistics.size = sizeof statistics;
    packet.size = sizeof packet;
    packet.source.family = packet.destination.family = VRRP_IPV4;
    CHECK_INT(VRRP_ERR_NULL, vrrp_config_init(NULL, sizeof good));
    CHECK_INT(VRRP_ERR_NULL, vrrp_insert(vrrp, 0, NULL, &good));
    CHECK_INT(VRRP_ERR_NULL, vrrp_insert(vrrp, 0, &key, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_reconfigure(vrrp, 0, NULL, &good));
    CHECK_INT(VRRP_ERR_NULL, vrrp_reconfigure(vrrp, 0, &key, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_remove(vrrp, 0, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_set_enabled(vrrp, 0, NULL, 1));
    CHECK_INT(VRRP_ERR_NULL, vrrp_set_priority(vrrp, 0, NULL, 1));
    CHECK_INT(VRRP_ERR_NULL, vrrp_resign(vrrp, 0, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_set_interface(vrrp, 0, IF, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_handle_frame(vrrp, 0, IF, NULL, 60, NULL));
    CHECK_INT(VRRP_NOT_VRRP, vrrp_handle_frame(vrrp, 0, IF, NULL, 0, NULL));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_handle_frame(vrrp, 0, IF, octets, (size_t)-1, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_handle_packet(vrrp, 0, NULL, octets, sizeof octets, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_handle_packet(vrrp, 0, &packet, NULL, 8, NULL));
    CHECK_INT(VRRP_DROP_LENGTH, vrrp_handle_packet(vrrp, 0, &packet, NULL, 0, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_handle_failure(vrrp, 0, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_poll_output(vrrp, octets, sizeof octets, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_poll_timeout(vrrp, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_answer(vrrp, IF, NULL, 60, octets, sizeof octets, &output));
    CHECK_INT(VRRP_ERR_NULL, vrrp_answer(vrrp, IF, octets, 60, NULL, 60, &output));
    CHECK_INT(VRRP_ERR_NULL, vrrp_answer(vrrp, IF, octets, 60, NULL, 0, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_status(vrrp, NULL, &status));
    CHECK_INT(VRRP_ERR_NULL, vrrp_status(vrrp, &key, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_statistics(vrrp, NULL, &statistics));
    CHECK_INT(VRRP_ERR_NULL, vrrp_statistics(vrrp, &key, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_drops(vrrp, &key, 1, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_addresses(vrrp, NULL, NULL, 0));
    CHECK_INT(VRRP_ERR_NULL, vrrp_interface(vrrp, IF, NULL));
    good.peers_len = 1;
    CHECK_INT(VRRP_ERR_NULL, vrrp_insert(vrrp, 0, &key, &good));
    CHECK_INT(0, vrrp_keys(vrrp, NULL, 0));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_drops(vrrp, NULL, 0, &count));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_drops(vrrp, NULL, VRRP_NOT_VRRP, &count));
}

/* A struct of a program that knows more than the library. */
struct larger {
    struct vrrp_config known;
    uint32_t added;
};

static void sizes(void)
{
    struct vrrp_config small = config();
    struct vrrp_interface state = interface();
    struct vrrp_packet packet = {0};
    struct vrrp_output output;
    struct vrrp_status status;
    struct vrrp_statistics statistics;
    struct larger larger;
    uint8_t octets[VRRP_MAX_FRAME_LEN];

    fresh();
    CHECK_INT(VRRP_ERR_SIZE, vrrp_config_init(&small, sizeof small.size));
    small.size = sizeof small.size;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_insert(vrrp, 0, &key, &small));
    small.size = 0;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_insert(vrrp, 0, &key, &small));
    state.size = sizeof state.size;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_set_interface(vrrp, 0, IF, &state));
    CHECK_INT(VRRP_ERR_SIZE, vrrp_handle_packet(vrrp, 0, &packet, octets, 8, NULL));
    output.size = sizeof output.size;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_poll_output(vrrp, octets, sizeof octets, &output));
    CHECK_INT(VRRP_ERR_SIZE, vrrp_answer(vrrp, IF, octets, 0, octets, 0, &output));
    CHECK_INT(VRRP_ERR_SIZE, vrrp_handle_failure(vrrp, 0, &output));
    status.size = statistics.size = 0;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_status(vrrp, &key, &status));
    CHECK_INT(VRRP_ERR_SIZE, vrrp_statistics(vrrp, &key, &statistics));
    CHECK_INT(VRRP_ERR_SIZE, vrrp_interface(vrrp, IF, &state));

    /* What the library does not know may be there as long as it says nothing. */
    memset(&larger, UNTOUCHED, sizeof larger);
    CHECK_INT(VRRP_OK, vrrp_config_init(&larger.known, sizeof larger));
    CHECK_INT(sizeof larger, larger.known.size);
    CHECK_INT(0, larger.added);
    larger.known.addresses = &service;
    larger.known.addresses_len = 1;
    larger.added = 1;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_insert(vrrp, 0, &key, &larger.known));
    larger.added = 0;
    CHECK_INT(VRRP_OK, vrrp_insert(vrrp, 0, &key, &larger.known));
}

/* Every field of a configuration with values that it cannot have. */
static void values(void)
{
    static const struct vrrp_key no_vrid = {IF, 0, VRRP_IPV4}, no_family = {IF, 1, 5};
    static const struct vrrp_key ipv6 = {IF, 1, VRRP_IPV6};
    struct vrrp_address multicast = {VRRP_IPV4, {224, 0, 0, 18}};
    struct vrrp_virtual_address bad = service;
    struct vrrp_track track = {1, 0, VRRP_TRACK_STAND_BACK + 1};
    struct vrrp_interface state = interface();
    struct vrrp_packet packet = {0};
    struct vrrp_output output;
    struct vrrp_config changed;

    fresh();
#define REFUSED(error, assignment) \
    changed = config();            \
    assignment;                    \
    CHECK_INT(error, vrrp_insert(vrrp, 0, &key, &changed))
    REFUSED(VRRP_ERR_VALUE, changed.version = 4);
    REFUSED(VRRP_ERR_VALUE, changed.version = 0);
    REFUSED(VRRP_ERR_VALUE, changed.priority = 0);
    REFUSED(VRRP_ERR_VALUE, changed.mac_mode = 2);
    REFUSED(VRRP_ERR_VALUE, changed.checksum = 3);
    REFUSED(VRRP_ERR_VALUE, changed.owner_receive = 2);
    REFUSED(VRRP_ERR_VALUE, changed.address_check = 2);
    REFUSED(VRRP_ERR_VALUE, changed.source.family = 5);
    REFUSED(VRRP_ERR_VALUE, changed.auth = 2);
    REFUSED(VRRP_ERR_VALUE, (changed.tracks = &track, changed.tracks_len = 1));
    REFUSED(VRRP_ERR_VALUE, (changed.addresses = &bad, bad.address.family = 0));
    REFUSED(VRRP_ERR_BAD_ADDRESS, (changed.addresses = &bad, bad.address.family = VRRP_IPV6));
    REFUSED(VRRP_ERR_BAD_ADDRESS, (changed.addresses = &bad, bad = service, bad.prefix_len = 33));
    REFUSED(VRRP_ERR_BAD_ADDRESS, (changed.peers = &multicast, changed.peers_len = 1));
    REFUSED(VRRP_ERR_NO_ADDRESSES, changed.addresses_len = 0);
    REFUSED(VRRP_ERR_BAD_INTERVAL, changed.advert_interval_cs = 0);
    REFUSED(VRRP_ERR_BAD_INTERVAL, changed.advert_interval_cs = 4096);
    REFUSED(VRRP_ERR_BAD_INTERVAL, (changed.version = VRRP_V2, changed.advert_interval_cs = 150));
    REFUSED(VRRP_ERR_BAD_INTERVAL, (changed.version = VRRP_V2, changed.advert_interval_cs = 25600));
    REFUSED(VRRP_ERR_AUTH_VERSION, changed.auth = VRRP_AUTH_SIMPLE);
    REFUSED(VRRP_ERR_BAD_MAX_HOPS, changed.max_hops = 0);
    REFUSED(VRRP_ERR_BAD_MAX_HOPS, changed.max_hops = 2);
    REFUSED(VRRP_ERR_BAD_DELAY, changed.preempt_delay_us = UINT64_C(1) << 32);
    REFUSED(VRRP_ERR_BAD_DELAY, changed.start_delay_us = UINT64_MAX);
    REFUSED(VRRP_ERR_BAD_DELAY, changed.announce_repeat_us = UINT64_C(1) << 32);
#undef REFUSED
    changed = config();
    CHECK_INT(VRRP_ERR_VALUE, vrrp_insert(vrrp, 0, &no_vrid, &changed));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_insert(vrrp, 0, &no_family, &changed));
    changed.version = VRRP_V2;
    CHECK_INT(VRRP_ERR_FAMILY_VERSION, vrrp_insert(vrrp, 0, &ipv6, &changed));
    state.reserved = 1;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_set_interface(vrrp, 0, IF, &state));
    packet.size = sizeof packet;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_handle_packet(vrrp, 0, &packet, NULL, 0, NULL));
    packet.source.family = VRRP_IPV4;
    packet.destination.family = VRRP_IPV6;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_handle_packet(vrrp, 0, &packet, NULL, 0, NULL));
    memset(&output, 0, sizeof output);
    output.size = sizeof output;
    output.key = key;
    output.kind = VRRP_OUTPUT_TRANSMIT;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_handle_failure(vrrp, 0, &output));
    output.kind = VRRP_OUTPUT_SET_ADDRESS;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_handle_failure(vrrp, 0, &output));
    output.kind = VRRP_OUTPUT_SET_MAC;
    CHECK_INT(VRRP_OK, vrrp_handle_failure(vrrp, 0, &output));
    CHECK_INT(0, vrrp_keys(vrrp, NULL, 0));
}

static void unknown(void)
{
    struct vrrp_config good = config();
    struct vrrp_status status;
    struct vrrp_statistics statistics;
    struct vrrp_interface state = interface();
    uint32_t count;

    fresh();
    status.size = sizeof status;
    statistics.size = sizeof statistics;
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_reconfigure(vrrp, 0, &key, &good));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_remove(vrrp, 0, &key));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_set_enabled(vrrp, 0, &key, 1));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_set_priority(vrrp, 0, &key, 1));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_resign(vrrp, 0, &key));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_status(vrrp, &key, &status));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_statistics(vrrp, &key, &statistics));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_drops(vrrp, &key, 1, &count));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_addresses(vrrp, &key, NULL, 0));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_remove_interface(vrrp, IF));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_interface(vrrp, IF, &state));
    CHECK_INT(VRRP_OK, vrrp_insert(vrrp, 0, &key, &good));
    CHECK_INT(VRRP_ERR_EXISTS, vrrp_insert(vrrp, 0, &key, &good));
    CHECK_INT(VRRP_ERR_IN_USE, vrrp_remove_interface(vrrp, IF));
    good.mac_mode = VRRP_MAC_INTERFACE;
    CHECK_INT(VRRP_ERR_MAC_MODE_FIXED, vrrp_reconfigure(vrrp, 0, &key, &good));
    CHECK_INT(VRRP_OK, vrrp_remove(vrrp, 0, &key));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_set_enabled(vrrp, 0, &key, 1));
}

static void full(void)
{
    struct vrrp_config good = config();
    struct vrrp_interface state = interface();
    struct vrrp_track tracks[VRRP_MAX_TRACKS + 1];
    struct vrrp_virtual_address addresses[VRRP_MAX_ADDRESSES + 1];
    struct vrrp_key keys[VRRP_MAX_ROUTERS], another = key;
    unsigned n;

    fresh();
    memset(tracks, 0, sizeof tracks);
    good.tracks = tracks;
    good.tracks_len = VRRP_MAX_TRACKS + 1;
    CHECK_INT(VRRP_ERR_TRACKS_FULL, vrrp_insert(vrrp, 0, &key, &good));
    good.tracks_len = 0;
    for (n = 0; n <= VRRP_MAX_ADDRESSES; n++) {
        addresses[n] = service;
        addresses[n].address.octets[3] = (uint8_t)(1 + n);
    }
    good.addresses = addresses;
    good.addresses_len = VRRP_MAX_ADDRESSES + 1;
    CHECK_INT(VRRP_ERR_ADDRESSES_FULL, vrrp_insert(vrrp, 0, &key, &good));
    good.addresses_len = VRRP_MAX_ADDRESSES;
    good.peers = &addresses[VRRP_MAX_ADDRESSES].address;
    good.peers_len = 1;
    CHECK_INT(VRRP_ERR_ADDRESSES_FULL, vrrp_insert(vrrp, 0, &key, &good));
    good.peers_len = 0;
    for (n = 0; n < VRRP_MAX_ROUTERS; n++) {
        another.vrid = (uint8_t)(1 + n % 255);
        another.ifindex = IF + n / 255;
        CHECK_INT(VRRP_OK, vrrp_insert(vrrp, 0, &another, &good));
    }
    another.vrid = 255;
    CHECK_INT(VRRP_ERR_ROUTERS_FULL, vrrp_insert(vrrp, 0, &another, &good));
    for (n = 0; n < VRRP_MAX_INTERFACES; n++)
        CHECK_INT(VRRP_OK, vrrp_set_interface(vrrp, 0, IF + n, &state));
    CHECK_INT(VRRP_ERR_INTERFACES_FULL, vrrp_set_interface(vrrp, 0, IF + n, &state));

    CHECK_INT(VRRP_MAX_ROUTERS, vrrp_keys(vrrp, NULL, 0));
    memset(keys, UNTOUCHED, sizeof keys);
    CHECK_INT(VRRP_ERR_BUFFER, vrrp_keys(vrrp, keys, VRRP_MAX_ROUTERS - 1));
    CHECK(untouched(keys, sizeof keys));
    CHECK_INT(VRRP_MAX_ROUTERS, vrrp_keys(vrrp, keys, VRRP_MAX_ROUTERS));
    CHECK_INT(VRRP_ERR_BUFFER, vrrp_addresses(vrrp, &key, addresses, VRRP_MAX_ADDRESSES - 1));
    CHECK_INT(VRRP_MAX_ADDRESSES, vrrp_addresses(vrrp, &key, addresses, VRRP_MAX_ADDRESSES));
}

/* An engine that becomes Active as owner, polled with buffers that grow by one octet until
 * everything came: nothing is lost and the order is that of a large buffer. */
static void small_buffers(void)
{
    struct vrrp_config owner = config();
    struct vrrp_interface state = interface();
    uint8_t buffer[VRRP_MAX_FRAME_LEN], request[42] = {0};
    struct vrrp_output output;
    char kinds[16] = "";
    size_t len = 0, frames = 0;
    int found, refused = 0;

    fresh();
    owner.priority = 255;
    CHECK_INT(VRRP_OK, vrrp_set_interface(vrrp, 0, IF, &state));
    CHECK_INT(VRRP_OK, vrrp_insert(vrrp, 0, &key, &owner));
    CHECK_INT(VRRP_OK, vrrp_set_enabled(vrrp, 0, &key, 1));
    output.size = sizeof output;
    CHECK_INT(VRRP_ERR_NULL, vrrp_poll_output(vrrp, NULL, sizeof buffer, &output));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_poll_output(vrrp, buffer, (size_t)-1, &output));
    for (;;) {
        /* Memory of exactly that length, for the sanitizers to watch its end. */
        uint8_t *exact = malloc(len + 1);

        memset(&output, UNTOUCHED, sizeof output);
        output.size = sizeof output;
        found = vrrp_poll_output(vrrp, len == 0 ? NULL : exact, len, &output);
        free(exact);
        if (found == VRRP_ERR_BUFFER) {
            CHECK(untouched(&output.key, sizeof output - sizeof output.size));
            refused++;
            len++;
            continue;
        }
        if (found == 0)
            break;
        CHECK_INT(1, found);
        kinds[strlen(kinds)] = (char)('0' + output.kind);
        if (output.kind == VRRP_OUTPUT_TRANSMIT) {
            CHECK_INT(len, output.frame_len);
            frames++;
            len = 0;
        }
    }
    /* Group, MAC, address, advertisement, gratuitous ARP, event. */
    CHECK_INT(0, strcmp(kinds, "423115"));
    CHECK_INT(2, frames);
    CHECK_INT(14 + 20 + 8 + 4 + 42, refused);

    /* An answer, the same. */
    memcpy(request + 12, "\x08\x06\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x09\x0a\0\0\x09", 20);
    memcpy(request + 38, service.address.octets, 4);
    for (len = 0; len < 42; len++)
        CHECK_INT(VRRP_ERR_BUFFER, vrrp_answer(vrrp, IF, request, 42, buffer, len, &output));
    CHECK_INT(1, vrrp_answer(vrrp, IF, request, 42, buffer, 42, &output));
    CHECK_INT(42, output.frame_len);
    request[41]++;
    CHECK_INT(0, vrrp_answer(vrrp, IF, request, 42, buffer, 0, &output));
}

static void names(void)
{
    int n, reasons = 0;

    for (n = VRRP_ERR_NO_HMAC; n <= VRRP_OK; n++)
        CHECK(strcmp(vrrp_strerror(n), vrrp_strerror(1)) != 0);
    CHECK_INT(0, strcmp("unknown error", vrrp_strerror(-32768)));
    for (n = 1; vrrp_drop_reason_name(n) != NULL; n++)
        reasons++;
    CHECK_INT(VRRP_DROP_AUTH_REPLAY, reasons);
    CHECK(vrrp_drop_reason_name(0) == NULL && vrrp_drop_reason_name(-1) == NULL);
    CHECK(vrrp_state_name(VRRP_STATE_ACTIVE) != NULL && vrrp_state_name(3) == NULL);
    CHECK(vrrp_reason_text(VRRP_REASON_ACTIVE_UNHEARD) != NULL && vrrp_reason_text(15) == NULL);
    CHECK(vrrp_frame_kind_name(VRRP_FRAME_NA_REPLY) != NULL && vrrp_frame_kind_name(0) == NULL);
}

int main(void)
{
    init();
    handles();
    pointers();
    sizes();
    values();
    unknown();
    full();
    small_buffers();
    names();
    puts("misuse: all passed");
    return 0;
}
