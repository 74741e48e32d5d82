/* What the C tests of the host port share: a network of their own, and a virtual router on it. */
#ifndef HOST_H
#define HOST_H

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "vrrp_host.h"

/* A directory for the notes of this test, which is to be empty in the end. */
static char runtime_dir[200];
/* Who has made it: a child that ends removes nothing. */
static pid_t maker;

static struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 0, 0, 80}}, 24};
static struct vrrp_config settings;
static struct vrrp_host_router router;
static struct vrrp_host_config config;
static struct vrrp_host_options options;
static char message[1024];

/* Runs a command line of the shell, which must succeed. */
static inline void shell(const char *line)
{
    if (system(line) == 0)
        return;
    fprintf(stderr, "failed: %s\n", line);
    exit(1);
}

/* What a command line prints, of which `size` octets are kept. */
static inline void read_shell(const char *line, char *text, size_t size)
{
    FILE *pipe = popen(line, "r");
    size_t len = 0;
    ssize_t got;

    CHECK(pipe != NULL);
    /* A signal may interrupt it. */
    while ((got = read(fileno(pipe), text + len, size - 1 - len)) > 0 || (got < 0 && errno == EINTR))
        len += got > 0 ? (size_t)got : 0;
    CHECK_INT(0, got);
    text[len] = '\0';
    CHECK_INT(0, pclose(pipe));
}

/* Removes the directory of a test that has failed. */
static inline void remove_runtime_dir(void)
{
    char line[256];

    if (getpid() != maker || access(runtime_dir, F_OK) != 0)
        return;
    snprintf(line, sizeof line, "rm -rf '%s'", runtime_dir);
    if (system(line) != 0)
        fprintf(stderr, "failed: %s\n", line);
}

/* A network namespace with eth0, 10.0.0.1/24, and nobody at the other end of its cable. */
static inline void own_network(void)
{
    const char *tmp = getenv("TMPDIR");

    if (unshare(CLONE_NEWNET) < 0) {
        perror("this test needs root (CAP_SYS_ADMIN) for a network of its own");
        exit(1);
    }
    /* An address that is still tested for duplicates would change under the test. */
    shell("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"
          " && ip link set lo up && ip link add eth0 type veth peer name wire"
          " && ip link set wire up && ip link set eth0 up && ip address add 10.0.0.1/24 dev eth0");
    snprintf(runtime_dir, sizeof runtime_dir, "%s/vrrp-c-XXXXXX", tmp != NULL ? tmp : "/tmp");
    CHECK(mkdtemp(runtime_dir) != NULL);
    maker = getpid();
    CHECK_INT(0, atexit(remove_runtime_dir));
}

/* The notes are gone, and so is their directory. */
static inline void end_network(void)
{
    CHECK_INT(0, rmdir(runtime_dir));
}

/* Sets `config` to VRID 51 on eth0 with 10.0.0.80, advertised every 100 ms. */
static inline void fresh_config(void)
{
    memset(&router, 0, sizeof router);
    memset(&config, 0, sizeof config);
    memset(&options, 0, sizeof options);
    CHECK_INT(VRRP_OK, vrrp_host_settings_init(&settings, sizeof settings));
    CHECK_INT(1, settings.accept);
    settings.advert_interval_cs = 10;
    settings.addresses = &service;
    settings.addresses_len = 1;
    router.size = sizeof router;
    strcpy(router.id.interface, "eth0");
    router.id.vrid = 51;
    router.id.family = VRRP_IPV4;
    router.config = &settings;
    config.size = sizeof config;
    config.routers = &router;
    config.routers_len = 1;
    options.size = sizeof options;
    options.runtime_dir = runtime_dir;
}

static inline int open_host(struct vrrp_host **host)
{
    return vrrp_host_open(VRRP_ABI, &config, &options, host, message, sizeof message);
}

static inline int is_state(struct vrrp_host *host, int state)
{
    struct vrrp_status status;

    status.size = sizeof status;
    CHECK_INT(VRRP_OK, vrrp_host_status(host, &router.id, &status));
    return status.state == state;
}

/* Steps once, and waits for the next time. */
static inline void turn(struct vrrp_host *host)
{
    struct pollfd waited;

    waited.fd = vrrp_host_fd(host);
    waited.events = POLLIN;
    CHECK_INT(VRRP_OK, vrrp_host_step(host));
    /* A signal may interrupt it: then it is stepped too early, which is no harm. */
    (void)poll(&waited, 1, 1000);
}

/* Steps until the virtual router is in a state. */
static inline void run_to(struct vrrp_host *host, int state)
{
    time_t end = time(NULL) + 60;

    do {
        CHECK(time(NULL) < end);
        turn(host);
    } while (!is_state(host, state));
}

#endif
