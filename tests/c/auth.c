/* Signed advertisements: two hosts with keys believe each other and nobody else, keys change without a
 * change of state, and everything that a caller can do wrong is answered. */
#include "check.h"

#define IF 1u
#define SECOND 1000000u

struct host {
    union vrrp_storage storage;
    struct vrrp *vrrp;
    uint8_t last;               /* of 10.0.0.x, and of its MAC */
    uint8_t state;
    uint32_t sent;
};

static struct host a, b;
static uint64_t now;
static uint8_t frame[VRRP_MAX_FRAME_LEN];
static const struct vrrp_key key = {IF, 51, VRRP_IPV4};
static struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 0, 0, 80}}, 24};
static uint8_t secrets[3][32];
static struct vrrp_auth_key keys[5];

static struct vrrp_auth auth(uint8_t active)
{
    struct vrrp_auth auth;

    memset(&auth, 0, sizeof auth);
    auth.size = sizeof auth;
    auth.mode = VRRP_AUTH_MODE_ENFORCE;
    auth.active_key = active;
    auth.keys = keys;
    auth.keys_len = 2;
    return auth;
}

static void start(struct host *host, uint8_t last, uint8_t priority)
{
    struct vrrp_interface interface = {0};
    struct vrrp_config config;
    struct vrrp_auth settings = auth(1);

    host->last = last;
    host->sent = 0;
    CHECK_INT(VRRP_OK, vrrp_init(&host->storage, sizeof host->storage, VRRP_ABI, &host->vrrp));
    interface.size = sizeof interface;
    interface.up = 1;
    interface.mac[0] = 2;
    interface.mac[5] = last;
    interface.ipv4[0] = 10;
    interface.ipv4[3] = last;
    CHECK_INT(VRRP_OK, vrrp_set_interface(host->vrrp, now, IF, &interface));
    CHECK_INT(VRRP_OK, vrrp_config_init(&config, sizeof config));
    config.addresses = &service;
    config.addresses_len = 1;
    config.priority = priority;
    CHECK_INT(VRRP_OK, vrrp_insert(host->vrrp, now, &key, &config));
    CHECK_INT(VRRP_OK, vrrp_set_wall_clock(host->vrrp, now, 1796000000ull * SECOND + now, 1));
    CHECK_INT(VRRP_OK, vrrp_set_auth(host->vrrp, now, &key, &settings));
    CHECK_INT(VRRP_OK, vrrp_set_enabled(host->vrrp, now, &key, 1));
}

/* Performs what a host asks for; the other one hears what it sends, and `verdict` is what it says. */
static void drain(struct host *host, struct host *other, int verdict)
{
    struct vrrp_output output;
    struct vrrp_status status;

    output.size = sizeof output;
    while (vrrp_poll_output(host->vrrp, frame, sizeof frame, &output) == 1) {
        if (output.kind == VRRP_OUTPUT_TRANSMIT && output.frame_kind == VRRP_FRAME_ADVERTISEMENT) {
            host->sent++;
            CHECK_INT(verdict, vrrp_handle_frame(other->vrrp, now, IF, frame, output.frame_len, NULL));
        }
        output.size = sizeof output;
    }
    status.size = sizeof status;
    CHECK_INT(VRRP_OK, vrrp_status(host->vrrp, &key, &status));
    host->state = status.state;
}

static void run(unsigned tenths, int verdict)
{
    while (tenths-- > 0) {
        now += SECOND / 10;
        CHECK_INT(VRRP_OK, vrrp_handle_timeout(a.vrrp, now));
        drain(&a, &b, verdict);
        CHECK_INT(VRRP_OK, vrrp_handle_timeout(b.vrrp, now));
        drain(&b, &a, verdict);
    }
}

static void election(void)
{
    struct vrrp_auth_status status;
    struct vrrp_auth_sender senders[VRRP_MAX_AUTH_SENDERS];
    struct vrrp_auth settings;

    start(&a, 1, 200);
    start(&b, 2, 100);
    run(60, VRRP_ACCEPTED);
    CHECK_INT(VRRP_STATE_ACTIVE, a.state);
    CHECK_INT(VRRP_STATE_BACKUP, b.state);
    CHECK(a.sent >= 2 && b.sent == 0);

    memset(&status, 0, sizeof status);
    status.size = sizeof status;
    CHECK_INT(VRRP_OK, vrrp_auth_status(b.vrrp, &key, &status));
    CHECK_INT(VRRP_AUTH_MODE_ENFORCE, status.mode);
    CHECK_INT(5, status.window_s);
    CHECK(status.keys[0] == 1 && status.keys[1] == 2 && status.keys[2] == 0);
    CHECK(status.synchronised == 1 && status.waits_for_clock == 0 && status.is_held == 0);
    CHECK_INT(a.sent, status.signed_received);
    CHECK_INT(1, vrrp_auth_senders(b.vrrp, &key, senders, VRRP_MAX_AUTH_SENDERS));
    CHECK(senders[0].address.octets[3] == 1 && senders[0].is_signed == 1);
    CHECK(senders[0].key_id == 1 && senders[0].has_skew == 1 && senders[0].skew_s == 0);
    CHECK_INT(0, senders[0].refusal);
    CHECK_INT(VRRP_ERR_BUFFER, vrrp_auth_senders(b.vrrp, &key, senders, 0));
    CHECK_INT(1, vrrp_auth_senders(b.vrrp, &key, NULL, 0));

    /* Another active key: both hosts have it. */
    settings = auth(2);
    CHECK_INT(VRRP_OK, vrrp_set_auth(a.vrrp, now, &key, &settings));
    run(20, VRRP_ACCEPTED);
    CHECK_INT(VRRP_STATE_BACKUP, b.state);
    CHECK_INT(1, vrrp_auth_senders(b.vrrp, &key, senders, VRRP_MAX_AUTH_SENDERS));
    CHECK_INT(2, senders[0].key_id);
    CHECK_INT(VRRP_NOT_VRRP, vrrp_handle_frame(b.vrrp, now, IF, frame, 10, NULL));

    /* Its clock goes back by an hour. */
    CHECK_INT(VRRP_OK, vrrp_set_wall_clock(a.vrrp, now, (1796000000ull - 3600) * SECOND + now, 1));
    run(12, VRRP_DROP_AUTH_STALE);
    CHECK_INT(1, vrrp_auth_senders(b.vrrp, &key, senders, VRRP_MAX_AUTH_SENDERS));
    CHECK_INT(VRRP_DROP_AUTH_STALE, senders[0].refusal);
    CHECK_INT(-3600, senders[0].skew_s);
    CHECK_INT(VRRP_OK, vrrp_set_wall_clock(a.vrrp, now, 1796000000ull * SECOND + now, 1));
    run(12, VRRP_ACCEPTED);

    /* Without keys nothing is believed that is signed. */
    CHECK_INT(VRRP_OK, vrrp_set_auth(b.vrrp, now, &key, NULL));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_auth_status(b.vrrp, &key, &status));
    CHECK_INT(0, vrrp_auth_senders(b.vrrp, &key, NULL, 0));
    run(12, VRRP_DROP_AUTHENTICATION_TRAILER);
}

static void refusals(void)
{
    struct vrrp_auth settings = auth(1), bad;
    struct vrrp_auth_status before, after;
    const struct vrrp_key absent = {IF, 52, VRRP_IPV4};
    size_t i;

    start(&a, 1, 200);
    memset(&before, 0, sizeof before);
    before.size = sizeof before;
    CHECK_INT(VRRP_OK, vrrp_auth_status(a.vrrp, &key, &before));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_set_auth(a.vrrp, now, &absent, &settings));
    CHECK_INT(VRRP_ERR_NULL, vrrp_set_auth(a.vrrp, now, NULL, &settings));
    CHECK_INT(VRRP_ERR_NULL, vrrp_set_auth(NULL, now, &key, &settings));
    bad = settings, bad.active_key = 3;
    CHECK_INT(VRRP_ERR_AUTH_KEY, vrrp_set_auth(a.vrrp, now, &key, &bad));
    bad = settings, bad.keys_len = 5;
    CHECK_INT(VRRP_ERR_AUTH_KEYS_FULL, vrrp_set_auth(a.vrrp, now, &key, &bad));
    bad = settings, bad.keys = NULL;
    CHECK_INT(VRRP_ERR_NULL, vrrp_set_auth(a.vrrp, now, &key, &bad));
    bad = settings, bad.keys_len = 0;
    CHECK_INT(VRRP_ERR_AUTH_KEY, vrrp_set_auth(a.vrrp, now, &key, &bad));
    bad = settings, bad.window_s = 301;
    CHECK_INT(VRRP_ERR_AUTH_WINDOW, vrrp_set_auth(a.vrrp, now, &key, &bad));
    bad = settings, bad.mode = 3;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_set_auth(a.vrrp, now, &key, &bad));
    bad = settings, bad.replay = 2;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_set_auth(a.vrrp, now, &key, &bad));
    bad = settings, bad.reserved[6] = 1;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_set_auth(a.vrrp, now, &key, &bad));
    bad = settings, bad.size = 4;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_set_auth(a.vrrp, now, &key, &bad));
    for (i = 0; i < 2; i++) {
        keys[0].secret_len = i == 0 ? 31 : 65;
        CHECK_INT(VRRP_ERR_AUTH_KEY, vrrp_set_auth(a.vrrp, now, &key, &settings));
    }
    keys[0].secret_len = sizeof secrets[0];
    keys[0].id = 0;
    CHECK_INT(VRRP_ERR_AUTH_KEY, vrrp_set_auth(a.vrrp, now, &key, &settings));
    keys[0].id = 1;
    memset(&after, 0, sizeof after);
    after.size = sizeof after;
    CHECK_INT(VRRP_OK, vrrp_auth_status(a.vrrp, &key, &after));
    CHECK_INT(0, memcmp(&before, &after, sizeof before));

    /* Numbers without a clock need a boot count. */
    CHECK_INT(VRRP_OK, vrrp_set_wall_clock(a.vrrp, now, VRRP_NEVER, 0));
    settings.replay = VRRP_REPLAY_MONOTONIC;
    CHECK_INT(VRRP_ERR_NO_CLOCK, vrrp_set_auth(a.vrrp, now, &key, &settings));
    CHECK_INT(VRRP_OK, vrrp_set_boot_count(a.vrrp, now, 7));
    CHECK_INT(VRRP_OK, vrrp_set_auth(a.vrrp, now, &key, &settings));
    CHECK_INT(VRRP_OK, vrrp_auth_status(a.vrrp, &key, &after));
    CHECK_INT(VRRP_REPLAY_MONOTONIC, after.replay);
}

int main(void)
{
    size_t i, j;

    for (i = 0; i < 3; i++)
        for (j = 0; j < sizeof secrets[i]; j++)
            secrets[i][j] = (uint8_t)(37 * i + j);
    for (i = 0; i < 5; i++) {
        keys[i].id = (uint8_t)(i + 1);
        keys[i].secret = secrets[i % 3];
        keys[i].secret_len = sizeof secrets[0];
    }
    election();
    refusals();
    puts("auth: ok");
    return 0;
}
