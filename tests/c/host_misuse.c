/* Everything that a caller of the host port can do wrong: each is answered with its error and the
 * name of the field, and changes nothing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <sys/wait.h>

#include "host.h"

static struct vrrp_host *host;

/* Opening is refused with this error, and the message contains `words`. */
static void refused(int error, const char *words)
{
    struct vrrp_host *never = (struct vrrp_host *)&host;

    memset(message, 'x', sizeof message);
    CHECK_INT(error, open_host(&never));
    if (!memchr(message, 0, sizeof message) || !strstr(message, words)) {
        fprintf(stderr, "expected '%s', found '%s'\n", words, message);
        exit(1);
    }
    CHECK(never == (struct vrrp_host *)&host);
    fresh_config();
}

/* The same for the text of a configuration. */
static void refused_text(const char *text, const char *words)
{
    struct vrrp_host *never = NULL;

    CHECK_INT(VRRP_ERR_HOST_CONFIG,
              vrrp_host_open_config(VRRP_ABI, text, strlen(text), &options, &never, message,
                                    sizeof message));
    if (!strstr(message, words)) {
        fprintf(stderr, "expected '%s', found '%s'\n", words, message);
        exit(1);
    }
    CHECK(never == NULL);
    /* Who only checks it is told the same. */
    message[0] = '\0';
    CHECK_INT(VRRP_ERR_HOST_CONFIG, vrrp_host_check_config(text, strlen(text), options.config_name,
                                                           message, sizeof message));
    CHECK(strstr(message, words));
}

static void opening(void)
{
    struct vrrp_host *never = NULL;

    fresh_config();
    CHECK_INT(VRRP_ERR_ABI,
              vrrp_host_open(VRRP_ABI + 1, &config, &options, &never, message, sizeof message));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_open(VRRP_ABI, &config, &options, NULL, NULL, 0));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_open(VRRP_ABI, NULL, &options, &never, message, 1));
    CHECK_INT('\0', message[0]);
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_open(VRRP_ABI, NULL, &options, &never, message, 9));
    CHECK_INT(0, strcmp(message, "confi..."));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_open_config(VRRP_ABI, NULL, 1, &options, &never, NULL, 0));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_check_config(NULL, 1, NULL, NULL, 0));
    options.size = sizeof options.size;
    refused(VRRP_ERR_SIZE, "options: ");
    options.runtime_dir = "relative";
    refused(VRRP_ERR_VALUE, "options.runtime_dir: expected an absolute path, found `relative`");
    options.runtime_dir = "/proc/nowhere";
    refused(VRRP_ERR_HOST_SYSTEM, "/proc/nowhere");
    CHECK(never == NULL);
}

static void structs(void)
{
    static struct vrrp_host_router two[2];
    static const struct vrrp_host_object named = {"database", {{0}, 0, 0}, VRRP_HOST_OBJECT_NAMED, 0};
    static const char *const carriers[] = {"no/interface"};
    struct vrrp_host_object object = named;
    struct vrrp_track track = {0, 0, VRRP_TRACK_FAULT};
    struct vrrp_address peer = {VRRP_IPV6, {0xfe, 0x80}};

    config.size = 4;
    refused(VRRP_ERR_SIZE, "config: ");
    config.routers = NULL;
    refused(VRRP_ERR_NULL, "routers[0]: ");
    config.routers_len = VRRP_HOST_MAX_ROUTERS + 1;
    refused(VRRP_ERR_ROUTERS_FULL, "config.routers_len: 1025 are more than 1024");
    config.objects_len = 1;
    refused(VRRP_ERR_NULL, "config.objects: ");
    router.size = 4;
    refused(VRRP_ERR_SIZE, "routers[0]: ");
    router.silent = 2;
    refused(VRRP_ERR_VALUE, "routers[0].silent: ");
    router.reset_connections = 2;
    refused(VRRP_ERR_VALUE, "routers[0].reset_connections: ");
    router.config = NULL;
    refused(VRRP_ERR_NULL, "routers[0].config: ");
    router.id.vrid = 0;
    refused(VRRP_ERR_VALUE, "routers[0].id.vrid: expected 1 to 255, found 0");
    router.id.family = 5;
    refused(VRRP_ERR_VALUE, "routers[0].id.family: expected VRRP_IPV4 or VRRP_IPV6, found 5");
    router.id.interface[0] = '\0';
    refused(VRRP_ERR_VALUE, "routers[0].id.interface: expected the name of an interface, found ``");
    strcpy(router.id.interface, "../all");
    refused(VRRP_ERR_VALUE, "found `../all`");
    memset(router.id.interface, 'x', sizeof router.id.interface);
    refused(VRRP_ERR_VALUE, "routers[0].id.interface: expected UTF-8 that ends with a 0");
    router.id.interface[0] = (char)0xff;
    refused(VRRP_ERR_VALUE, "routers[0].id.interface: expected UTF-8");
    router.carriers = carriers;
    refused(VRRP_ERR_VALUE, "routers[0].config.addresses[0], its carrier: ");

    settings.size = sizeof settings.size;
    refused(VRRP_ERR_SIZE, "routers[0].config: ");
    settings.version = 4;
    refused(VRRP_ERR_VALUE, "routers[0].config.version: ");
    settings.priority = 0;
    refused(VRRP_ERR_VALUE, "routers[0].config.priority: expected 1 to 255, found 0");
    settings.advert_interval_cs = 0;
    refused(VRRP_ERR_BAD_INTERVAL, "routers[0].config.advert_interval_cs: ");
    settings.mac_mode = 9;
    refused(VRRP_ERR_VALUE, "routers[0].config.mac_mode: ");
    settings.checksum = 9;
    refused(VRRP_ERR_VALUE, "routers[0].config.checksum: ");
    settings.owner_receive = 9;
    refused(VRRP_ERR_VALUE, "routers[0].config.owner_receive: ");
    settings.auth = 9;
    refused(VRRP_ERR_VALUE, "routers[0].config.auth: ");
    settings.auth = VRRP_AUTH_SIMPLE;
    refused(VRRP_ERR_AUTH_VERSION, "VRID 51 on eth0 (ipv4): a password needs VRRPv2");
    settings.max_hops = 3;
    refused(VRRP_ERR_BAD_MAX_HOPS, "VRID 51 on eth0 (ipv4): ");
    settings.addresses_len = 0;
    refused(VRRP_ERR_NO_ADDRESSES, "VRID 51 on eth0 (ipv4): ");
    settings.addresses = NULL;
    refused(VRRP_ERR_NULL, "routers[0].config.addresses: ");
    settings.addresses_len = VRRP_HOST_MAX_ADDRESSES + 1;
    refused(VRRP_ERR_ADDRESSES_FULL, "routers[0].config.addresses_len: 65 are more than 64");
    settings.peers_len = (size_t)-1;
    refused(VRRP_ERR_ADDRESSES_FULL, "routers[0].config.addresses_len and peers_len: ");
    settings.tracks_len = 9;
    refused(VRRP_ERR_TRACKS_FULL, "routers[0].config.tracks_len: 9 are more than 8");
    settings.peers = &peer;
    settings.peers_len = 1;
    refused(VRRP_ERR_BAD_ADDRESS, "VRID 51 on eth0 (ipv4): ");
    service.prefix_len = 33;
    refused(VRRP_ERR_BAD_ADDRESS,
            "routers[0].config.addresses[0].prefix_len: expected 0 to 32, found 33");
    service.prefix_len = 24;
    router.id.family = VRRP_IPV6;
    refused(VRRP_ERR_BAD_ADDRESS,
            "routers[0].config.addresses[0]: 10.0.0.80 is no IPv6 address, as the id asks");

    settings.tracks = &track;
    settings.tracks_len = 1;
    refused(VRRP_ERR_VALUE, "routers[0].config.tracks[0].object: there is no objects[0]");
    config.objects = &object;
    config.objects_len = 1;
    object.kind = 9;
    refused(VRRP_ERR_VALUE, "objects[0].kind: expected one of VRRP_HOST_OBJECT_*, found 9");
    config.objects = &object;
    config.objects_len = 1;
    object = named;
    object.name = NULL;
    refused(VRRP_ERR_NULL, "objects[0].name: ");
    config.objects = &object;
    config.objects_len = 1;
    object.kind = VRRP_HOST_OBJECT_ROUTER;
    object.id = router.id;
    settings.tracks = &track;
    settings.tracks_len = 1;
    refused(VRRP_ERR_HOST_CONFIG, "VRID 51 on eth0 (ipv4): it depends on itself");
    config.objects = &object;
    config.objects_len = 1;
    object.id.vrid = 52;
    settings.tracks = &track;
    settings.tracks_len = 1;
    refused(VRRP_ERR_NOT_FOUND, "it depends on VRID 52 on eth0 (ipv4), which is not configured");

    two[0] = two[1] = router;
    config.routers = two;
    config.routers_len = 2;
    refused(VRRP_ERR_EXISTS, "VRID 51 on eth0 (ipv4): configured twice");
    two[0] = two[1] = router;
    two[1].id.vrid = 52;
    config.routers = two;
    config.routers_len = 2;
    refused(VRRP_ERR_HOST_CONFIG, "10.0.0.80 belongs to VRID 51 on eth0 (ipv4) already");
}

static void texts(void)
{
    static const char good[] = "[VRID]\nserverid=51\ninterface=eth0\naddr=10.0.0.80/24\n";
    char text[200];

    refused_text("", "config: expected at least one [VRID] section");
    refused_text("[VRID]\nserverid = 300\n", "config:2: serverid: expected a number from 1 to 255");
    /* All of it at once. */
    refused_text("[VRID]\nserverid = 300\npriority = 0\n", "\nconfig:3: priority: ");
    snprintf(text, sizeof text, "%smasterscript = /bin/true\n", good);
    options.config_name = "some.conf";
    refused_text(text, "some.conf:5: masterscript: expected no event script");
    refused_text("\xff\xfe", "UTF-16");

    snprintf(text, sizeof text, "[GLOBAL]\ncontrolsocket=/run/a\nruntimedir=/run/b\n%s", good);
    CHECK_INT(VRRP_OK, vrrp_host_open_config(VRRP_ABI, text, strlen(text), &options, &host, message,
                                             sizeof message));
    CHECK(strstr(message, "some.conf:2: warning: controlsocket: has no effect"));
    CHECK(strstr(message, "some.conf:3: warning: runtimedir: has no effect"));
    CHECK_INT(VRRP_ERR_HOST_CONFIG,
              vrrp_host_reload_config(host, "[VRID]\n", 7, message, sizeof message));
    CHECK(strstr(message, "some.conf:1: serverid: missing"));
    CHECK_INT(1, vrrp_host_routers(host, NULL, 0));
    CHECK_INT(VRRP_OK, vrrp_host_reload_config(host, good, sizeof good - 1, message,
                                               sizeof message));
    CHECK_INT(0, strcmp(message, "0 added, 0 changed, 0 removed, 1 unchanged"));
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    fresh_config();
}

/* Every function with `handle` in the place of a handle. */
static void every_function(struct vrrp_host *handle, int error)
{
    struct vrrp_host_event event;
    struct vrrp_status status;
    struct vrrp_statistics statistics;
    struct vrrp_host_sighting seen;
    struct vrrp_host_service how;
    struct vrrp_interface interface;
    uint64_t large;
    uint32_t small;

    event.size = sizeof event;
    status.size = sizeof status;
    statistics.size = sizeof statistics;
    how.size = sizeof how;
    interface.size = sizeof interface;
    seen.size = sizeof seen;
    CHECK_INT(error, vrrp_host_fd(handle));
    CHECK_INT(error, vrrp_host_step(handle));
    CHECK_INT(error, vrrp_host_next_event(handle, &event));
    CHECK_INT(error, vrrp_host_reload(handle, &config, NULL, 0));
    CHECK_INT(error, vrrp_host_reload_config(handle, "", 0, NULL, 0));
    CHECK_INT(error, vrrp_host_set_priority(handle, &router.id, 1));
    CHECK_INT(error, vrrp_host_resign(handle, &router.id));
    CHECK_INT(error, vrrp_host_set_enabled(handle, &router.id, 1));
    CHECK_INT(error, vrrp_host_set_tracked(handle, "x", 1));
    CHECK_INT(error, vrrp_host_shutdown(handle));
    CHECK_INT(error, vrrp_host_is_stopped(handle));
    CHECK_INT(error, vrrp_host_now(handle, &large));
    CHECK_INT(error, vrrp_host_routers(handle, NULL, 0));
    CHECK_INT(error, vrrp_host_status(handle, &router.id, &status));
    CHECK_INT(error, vrrp_host_statistics(handle, &router.id, &statistics));
    CHECK_INT(error, vrrp_host_service(handle, &router.id, &how));
    CHECK_INT(error, vrrp_host_addresses(handle, &router.id, NULL, 0));
    CHECK_INT(error, vrrp_host_drops(handle, NULL, 1, &small));
    CHECK_INT(error, vrrp_host_drops(handle, &router.id, 1, &small));
    CHECK_INT(error, vrrp_host_interfaces(handle, NULL, 0));
    CHECK_INT(error, vrrp_host_interface(handle, "eth0", &interface));
    CHECK_INT(error, vrrp_host_interface_drops(handle, "eth0", 1, &large));
    CHECK_INT(error, vrrp_host_segment(handle, 0, &seen));
}

static void handles(void)
{
    static uint64_t never[64];

    every_function(NULL, VRRP_ERR_NULL);
    every_function((struct vrrp_host *)(void *)never, VRRP_ERR_HANDLE);
    every_function((struct vrrp_host *)(void *)((char *)never + 1), VRRP_ERR_ALIGN);
    CHECK_INT(VRRP_OK, vrrp_host_close(NULL));
    CHECK_INT(VRRP_ERR_HANDLE, vrrp_host_close((struct vrrp_host *)(void *)never));
}

/* Arguments of a living host. */
static void arguments(void)
{
    struct vrrp_host_id other = router.id, id;
    struct vrrp_host_event event;
    struct vrrp_status status;
    struct vrrp_virtual_address address;
    struct vrrp_interface interface;
    struct vrrp_host_name name;
    struct vrrp_host_sighting seen;
    uint32_t small;
    uint64_t large;

    CHECK_INT(VRRP_OK, open_host(&host));
    CHECK_INT('\0', message[0]);
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_next_event(host, NULL));
    event.size = sizeof event.size;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_host_next_event(host, &event));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_now(host, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_resign(host, NULL));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_set_tracked(host, NULL, 1));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_host_set_tracked(host, "\xff", 1));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_host_set_tracked(host, "nobody tracks it", 1));
    other.vrid = 0;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_host_resign(host, &other));
    other.vrid = 52;
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_host_resign(host, &other));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_host_set_priority(host, &other, 1));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_host_set_enabled(host, &other, 1));
    status.size = sizeof status;
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_host_status(host, &other, &status));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_host_drops(host, &other, 1, &small));
    status.size = 4;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_host_status(host, &router.id, &status));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_status(host, &router.id, NULL));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_host_drops(host, NULL, 0, &small));
    CHECK_INT(VRRP_ERR_NULL, vrrp_host_drops(host, NULL, 1, NULL));
    CHECK_INT(VRRP_ERR_BUFFER, vrrp_host_routers(host, &id, 0));
    CHECK_INT(1, vrrp_host_routers(host, &id, 1));
    CHECK_INT(0, memcmp(&id, &router.id, sizeof id));
    CHECK_INT(VRRP_ERR_BUFFER, vrrp_host_addresses(host, &id, &address, 0));
    CHECK_INT(1, vrrp_host_addresses(host, &id, &address, 1));
    CHECK_INT(0, memcmp(&address, &service, sizeof address));
    CHECK_INT(1, vrrp_host_interfaces(host, NULL, 0));
    CHECK_INT(VRRP_ERR_BUFFER, vrrp_host_interfaces(host, &name, 0));
    CHECK_INT(1, vrrp_host_interfaces(host, &name, 1));
    CHECK_INT(0, strcmp("eth0", name.name));
    interface.size = sizeof interface;
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_host_interface(host, "eth1", &interface));
    CHECK_INT(VRRP_ERR_NOT_FOUND, vrrp_host_interface_drops(host, "eth1", 1, &large));
    CHECK_INT(VRRP_ERR_VALUE, vrrp_host_interface_drops(host, "eth0", 999, &large));

    run_to(host, VRRP_STATE_ACTIVE);
    seen.size = sizeof seen.size;
    CHECK_INT(VRRP_ERR_SIZE, vrrp_host_segment(host, 0, &seen));
    seen.size = sizeof seen;
    CHECK_INT(1, vrrp_host_segment(host, 0, &seen));
    CHECK_INT(0, vrrp_host_segment(host, 1, &seen));
    CHECK_INT(1, vrrp_host_segment(host, 0, &seen));
    CHECK(seen.is_self && seen.ours && !seen.stale && seen.router.priority == 100);

    /* What is refused changes nothing. */
    settings.priority = 0;
    CHECK_INT(VRRP_ERR_VALUE, vrrp_host_reload(host, &config, message, sizeof message));
    CHECK(strstr(message, "routers[0].config.priority: "));
    CHECK(is_state(host, VRRP_STATE_ACTIVE));
    settings.priority = 100;
    CHECK_INT(VRRP_OK, vrrp_host_shutdown(host));
    CHECK_INT(VRRP_ERR_HOST_STOPPING, vrrp_host_reload(host, &config, message, sizeof message));
    CHECK(strstr(message, "shutting down"));
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
}

/* A host whose descriptor somebody has put something else in the place of: it says so once, and goes
 * on as well as it can. */
static void stolen_descriptor(void)
{
    struct vrrp_host_event event;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int problems = 0, i;

    CHECK(null >= 0);
    CHECK_INT(VRRP_OK, open_host(&host));
    CHECK(dup3(null, vrrp_host_fd(host), O_CLOEXEC) >= 0);
    event.size = sizeof event;
    for (i = 0; i < 3; i++) {
        CHECK_INT(VRRP_ERR_HOST_SYSTEM, vrrp_host_step(host));
        while (vrrp_host_next_event(host, &event) == 1) {
            if (event.kind != VRRP_HOST_EVENT_PROBLEM)
                continue;
            CHECK(strstr(event.text, "the network cannot be read: "));
            CHECK_INT(VRRP_HOST_LEVEL_WARNING, event.level);
            CHECK_INT(0, event.id.vrid);
            problems++;
        }
    }
    CHECK_INT(1, problems);
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    CHECK_INT(0, close(null));
}

/* Structs of a program that knows more than the library: what it asks for beyond is refused. */
static void newer(void)
{
    struct {
        struct vrrp_host_router router;
        uint64_t beyond;
    } two[2];
    struct {
        struct vrrp_host_sighting seen;
        uint64_t beyond;
    } seen[1];

    memset(two, 0, sizeof two);
    two[0].router = two[1].router = router;
    two[0].router.size = two[1].router.size = sizeof two[0];
    two[1].router.id.family = VRRP_IPV6;
    config.routers = &two[0].router;
    config.routers_len = 2;
    refused(VRRP_ERR_BAD_ADDRESS, "routers[1].config.addresses[0]: ");
    config.routers = &two[0].router;
    config.routers_len = 2;
    two[1].beyond = 1;
    refused(VRRP_ERR_SIZE, "routers[1]: ");
    config.routers = &two[0].router;
    CHECK_INT(VRRP_OK, open_host(&host));
    run_to(host, VRRP_STATE_ACTIVE);
    memset(seen, 0, sizeof seen);
    seen[0].seen.size = sizeof seen[0];
    CHECK_INT(1, vrrp_host_segment(host, 0, &seen[0].seen));
    CHECK_INT(sizeof(struct vrrp_host_sighting), seen[0].seen.size);
    CHECK_INT(0, seen[0].beyond);
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    fresh_config();
}

/* A program that was compiled before a struct grew is answered as far as it has room. */
static void older(void)
{
    struct vrrp_host_sighting seen;
    size_t known = offsetof(struct vrrp_host_sighting, refused);

    CHECK_INT(VRRP_OK, open_host(&host));
    run_to(host, VRRP_STATE_ACTIVE);
    memset(&seen, 0xa5, sizeof seen);
    seen.size = (uint32_t)known;
    CHECK_INT(1, vrrp_host_segment(host, 0, &seen));
    CHECK_INT(known, seen.size);
    CHECK(seen.is_self);
    CHECK_INT(0xa5, seen.refused);
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    fresh_config();
}

/* Without privileges the error says which are missing. */
static void denied(void)
{
    int status;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        struct vrrp_host *never = NULL;

        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        refused(VRRP_ERR_HOST_DENIED, "CAP_NET_ADMIN and CAP_NET_RAW");
        CHECK(never == NULL);
        exit(0);
    }
    CHECK_INT(child, waitpid(child, &status, 0));
    CHECK_INT(0, status);
}

int main(void)
{
    int error;

    own_network();
    opening();
    structs();
    texts();
    handles();
    arguments();
    newer();
    older();
    stolen_descriptor();
    denied();
    for (error = VRRP_ERR_HOST_STOPPING; error <= VRRP_ERR_HOST_CONFIG; error++)
        CHECK(strcmp(vrrp_strerror(error), "unknown error") != 0);
    end_network();
    puts("host_misuse: refused");
    return 0;
}
