/*
 * Shares addresses with other hosts: whoever is master has them. A program around poll(2).
 *
 *     cc -o poll poll.c $(pkg-config --cflags --libs vrrp)
 *     ./poll -p 150 eth0 51 10.10.10.80/24
 *
 * SIGTERM and SIGINT hand over and end, a second one ends at once. SIGUSR1 says how things stand,
 * SIGUSR2 resigns in favour of another host.
 */
#define _GNU_SOURCE /* ppoll */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vrrp_host.h>

/* How long to leave a network alone that cannot be read, in nanoseconds. */
#define PAUSE_NS 20000000L

static volatile sig_atomic_t stops, status_wanted, resign_wanted;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        status_wanted = 1;
    else if (number == SIGUSR2)
        resign_wanted = 1;
    else
        stops++;
}

/* Signals come while we wait and at no other time. The mask to wait with goes to `waiting`. */
static void take_signals(sigset_t *waiting)
{
    static const int taken[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
    struct sigaction action;
    sigset_t held;
    size_t i;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&held);
    for (i = 0; i < sizeof taken / sizeof *taken; i++) {
        sigaction(taken[i], &action, NULL);
        sigaddset(&held, taken[i]);
    }
    sigprocmask(SIG_BLOCK, &held, waiting);
    for (i = 0; i < sizeof taken / sizeof *taken; i++)
        sigdelset(waiting, taken[i]);
}

/* Reads "10.10.10.80/24" or "2001:db8::80/64". */
static int read_address(const char *text, struct vrrp_virtual_address *address)
{
    char buffer[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    int v6 = strchr(text, ':') != NULL;
    char *end;
    long prefix;

    if (len >= sizeof buffer)
        return -1;
    memcpy(buffer, text, len);
    buffer[len] = '\0';
    memset(address, 0, sizeof *address);
    address->address.family = v6 ? VRRP_IPV6 : VRRP_IPV4;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, buffer, address->address.octets) != 1)
        return -1;
    prefix = slash ? strtol(slash + 1, &end, 10) : (v6 ? 128 : 32);
    if (slash && (end == slash + 1 || *end != '\0'))
        return -1;
    if (prefix < 0 || prefix > (v6 ? 128 : 32))
        return -1;
    address->prefix_len = (uint8_t)prefix;
    return 0;
}

/* Reads a number from `least` to `most`, or ends the program. */
static unsigned long number(const char *what, const char *text, unsigned long least,
                            unsigned long most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "poll: %s: expected %lu to %lu, found '%s'\n", what, least, most, text);
        exit(2);
    }
    return value;
}

static void usage(void)
{
    fputs("usage: poll [-p PRIORITY] [-i CENTISECONDS] [-m] [-r DIRECTORY] INTERFACE VRID ADDRESS...\n"
          "  -p  1 to 255, default 100: the highest is master\n"
          "  -i  the advertisement interval, default 100\n"
          "  -m  keep the interface's own MAC\n"
          "  -r  where it is noted what is installed, default /run/vrrpd\n",
          stderr);
    exit(2);
}

static void show(struct vrrp_host *host, const struct vrrp_host_id *id)
{
    struct vrrp_status status;
    struct vrrp_statistics statistics;
    char text[INET6_ADDRSTRLEN] = "nobody";

    status.size = sizeof status;
    statistics.size = sizeof statistics;
    if (vrrp_host_status(host, id, &status) < 0 ||
        vrrp_host_statistics(host, id, &statistics) < 0)
        return;
    if (status.active.address.family)
        inet_ntop(status.active.address.family == VRRP_IPV6 ? AF_INET6 : AF_INET,
                  status.active.address.octets, text, sizeof text);
    printf("status: %s, priority %d, %s; last heard %s; sent %lu, received %lu\n",
           vrrp_state_name(status.state), status.priority, vrrp_reason_text(status.reason), text,
           (unsigned long)statistics.adverts_sent, (unsigned long)statistics.adverts_received);
}

static void run(struct vrrp_host *host, const struct vrrp_host_id *id, const sigset_t *waiting)
{
    static const struct timespec pause = {0, PAUSE_NS};
    static struct vrrp_host_event event;
    struct pollfd waited = {0, POLLIN, 0};
    int leaving = 0;

    waited.fd = vrrp_host_fd(host);
    event.size = sizeof event;
    while (!vrrp_host_is_stopped(host) && stops < 2) {
        int failed = vrrp_host_step(host) < 0;

        while (vrrp_host_next_event(host, &event) == 1)
            printf("%s%s\n", event.level == VRRP_HOST_LEVEL_WARNING ? "warning: " : "", event.text);
        fflush(stdout);
        if (vrrp_host_is_stopped(host))
            break;
        /* A fault that lasts must not become a busy loop. */
        if (ppoll(&waited, failed ? 0 : 1, failed ? &pause : NULL, waiting) < 0 && errno != EINTR) {
            perror("poll: cannot wait");
            break;
        }
        if (status_wanted) {
            status_wanted = 0;
            show(host, id);
        }
        if (resign_wanted) {
            resign_wanted = 0;
            vrrp_host_resign(host, id);
        }
        if (stops && !leaving) {
            leaving = 1;
            vrrp_host_shutdown(host);
        }
    }
}

int main(int argc, char **argv)
{
    static struct vrrp_virtual_address addresses[VRRP_HOST_MAX_ADDRESSES];
    struct vrrp_config settings;
    struct vrrp_host_router router;
    struct vrrp_host_config config;
    struct vrrp_host_options options;
    struct vrrp_host *host = NULL;
    char message[512];
    sigset_t waiting;
    int option;

    vrrp_host_settings_init(&settings, sizeof settings);
    memset(&router, 0, sizeof router);
    memset(&config, 0, sizeof config);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    while ((option = getopt(argc, argv, "p:i:mr:")) != -1) {
        switch (option) {
        case 'p':
            settings.priority = (uint8_t)number("priority", optarg, 1, 255);
            break;
        case 'i':
            settings.advert_interval_cs = (uint16_t)number("interval", optarg, 1, 4095);
            break;
        case 'm':
            settings.mac_mode = VRRP_MAC_INTERFACE;
            break;
        case 'r':
            options.runtime_dir = optarg;
            break;
        default:
            usage();
        }
    }
    argv += optind;
    argc -= optind;
    if (argc < 3 || argc - 2 > VRRP_HOST_MAX_ADDRESSES)
        usage();
    for (int i = 2; i < argc; i++) {
        if (read_address(argv[i], &addresses[i - 2]) < 0) {
            fprintf(stderr, "poll: expected an address with its prefix, found '%s'\n", argv[i]);
            return 2;
        }
    }
    settings.addresses = addresses;
    settings.addresses_len = (size_t)(argc - 2);

    router.size = sizeof router;
    snprintf(router.id.interface, sizeof router.id.interface, "%s", argv[0]);
    router.id.vrid = (uint8_t)number("VRID", argv[1], 1, 255);
    router.id.family = addresses[0].address.family;
    router.config = &settings;
    config.size = sizeof config;
    config.routers = &router;
    config.routers_len = 1;

    take_signals(&waiting);
    if (vrrp_host_open(VRRP_ABI, &config, &options, &host, message, sizeof message) < 0) {
        fprintf(stderr, "poll: %s\n", message);
        return 1;
    }
    run(host, &router.id, &waiting);
    vrrp_host_close(host);
    return 0;
}
