/* A host in a program with a life of its own: other threads, signals, children and descriptors.
 * Nothing of theirs goes to the library, and nothing of the library's stays. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "host.h"

/* What the network looks like, and the settings that the library may touch. */
#define NETWORK                                                                                    \
    "ip -o link; ip -o address; ip route show table all; ip -6 route show table all;"              \
    " grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf 2>/dev/null | sort"

static volatile sig_atomic_t alarms, strange_alarms, deaths;
static pid_t main_thread;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
    if (syscall(SYS_gettid) != main_thread)
        strange_alarms++;
}

static void on_death(int number)
{
    (void)number;
    deaths++;
}

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;

    CHECK(dir != NULL);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* Every 5 ms a signal, which interrupts whatever sleeps. */
static void take_signals(void)
{
    static const struct itimerval often = {{0, 5000}, {0, 5000}};
    struct sigaction action;

    main_thread = (pid_t)syscall(SYS_gettid);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    CHECK_INT(0, sigaction(SIGALRM, &action, NULL));
    action.sa_handler = on_death;
    CHECK_INT(0, sigaction(SIGCHLD, &action, NULL));
    CHECK_INT(0, setitimer(ITIMER_REAL, &often, NULL));
}

static void leave_signals_alone(void)
{
    static const struct itimerval never;

    CHECK_INT(0, setitimer(ITIMER_REAL, &never, NULL));
}

/* Waits for a child of ours, of which there is this one alone. */
static void wait_for(pid_t child)
{
    int status;
    pid_t found;

    do
        found = waitpid(-1, &status, 0);
    while (found < 0 && errno == EINTR);
    CHECK_INT(child, found);
    CHECK_INT(0, status);
}

/* The next change of state, of which the library tells in order. */
static void expect_change(struct vrrp_host *host, int from, int to, int reason)
{
    struct vrrp_host_event event;
    time_t end = time(NULL) + 60;

    event.size = sizeof event;
    for (;;) {
        /* It is told when what the new state needs has been done, which may take several steps. */
        while (vrrp_host_next_event(host, &event) == 0) {
            CHECK(time(NULL) < end);
            turn(host);
        }
        CHECK(event.text[0] != '\0');
        if (event.kind == VRRP_HOST_EVENT_STATE_CHANGE)
            break;
        /* A busy machine may stall it. */
        CHECK(event.kind == VRRP_HOST_EVENT_INTERFACE || event.kind == VRRP_HOST_EVENT_STALLED);
    }
    CHECK_INT(from, event.from);
    CHECK_INT(to, event.to);
    CHECK_INT(reason, event.reason);
    CHECK_INT(0, memcmp(&event.id, &router.id, sizeof event.id));
    CHECK_INT(1, event.addresses_len);
    CHECK_INT(0, memcmp(&event.addresses[0], &service, sizeof service));
}

/* It holds back until the program says that it can serve. */
static void hold_back(struct vrrp_host *host)
{
    CHECK_INT(VRRP_OK, vrrp_host_set_tracked(host, "ready", 0));
    run_to(host, VRRP_STATE_INITIALIZE);
    CHECK_INT(VRRP_OK, vrrp_host_step(host));
    CHECK(is_state(host, VRRP_STATE_INITIALIZE));
    CHECK_INT(VRRP_OK, vrrp_host_set_tracked(host, "ready", 1));
    run_to(host, VRRP_STATE_ACTIVE);
    expect_change(host, VRRP_STATE_INITIALIZE, VRRP_STATE_BACKUP, VRRP_REASON_STARTED);
    expect_change(host, VRRP_STATE_BACKUP, VRRP_STATE_ACTIVE, VRRP_REASON_ACTIVE_TIMEOUT);
    shell("ip address show | grep -q 10.0.0.80/24");
}

static void how_it_stands(struct vrrp_host *host)
{
    static const unsigned char mac[] = {0, 0, 0x5e, 0, 1, 51};
    struct vrrp_host_service how;
    struct vrrp_statistics statistics;
    struct vrrp_status status;
    struct vrrp_interface interface;
    char line[128];
    uint64_t now, drops;

    how.size = sizeof how;
    statistics.size = sizeof statistics;
    status.size = sizeof status;
    interface.size = sizeof interface;
    CHECK_INT(VRRP_OK, vrrp_host_service(host, &router.id, &how));
    CHECK_INT(VRRP_MAC_VIRTUAL, how.mac_mode);
    CHECK_INT(0, memcmp(how.mac, mac, sizeof mac));
    CHECK(how.interface_up && !how.leaving && how.source.octets[3] == 1);
    snprintf(line, sizeof line, "ip link show %s | grep -q 00:00:5e:00:01:33", how.mac_interface);
    shell(line);
    CHECK_INT(VRRP_OK, vrrp_host_statistics(host, &router.id, &statistics));
    CHECK(statistics.active_transitions == 1 && statistics.adverts_sent > 0);
    CHECK_INT(VRRP_OK, vrrp_host_status(host, &router.id, &status));
    CHECK_INT(VRRP_OK, vrrp_host_now(host, &now));
    CHECK(status.since_us > 0 && status.since_us <= now);
    CHECK_INT(VRRP_OK, vrrp_host_interface(host, "eth0", &interface));
    CHECK(interface.up && interface.ipv4[3] == 1);
    CHECK_INT(VRRP_OK, vrrp_host_interface_drops(host, "eth0", VRRP_DROP_CHECKSUM, &drops));
    CHECK_INT(0, drops);
}

/* A child that goes on without executing anything closes what it inherited, and the parent does not
 * notice. */
static void fork_away(struct vrrp_host *host)
{
    struct vrrp_host_event event;
    int descriptors = count_entries("/proc/self/fd");
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        event.size = sizeof event;
        CHECK_INT(VRRP_ERR_HOST_FORKED, vrrp_host_step(host));
        CHECK_INT(VRRP_ERR_HOST_FORKED, vrrp_host_next_event(host, &event));
        CHECK_INT(VRRP_ERR_HOST_FORKED, vrrp_host_shutdown(host));
        CHECK_INT(VRRP_OK, vrrp_host_close(host));
        CHECK(count_entries("/proc/self/fd") < descriptors);
        exit(0);
    }
    wait_for(child);
    CHECK_INT(VRRP_OK, vrrp_host_step(host));
    CHECK(is_state(host, VRRP_STATE_ACTIVE));
    shell("ip address show | grep -q 10.0.0.80/24");
}

/* Other configurations: the address moves to another interface and back. */
static void reconfigure(struct vrrp_host *host)
{
    static const char *const carriers[] = {"wire"};
    struct vrrp_status status;

    router.carriers = carriers;
    CHECK_INT(VRRP_OK, vrrp_host_reload(host, &config, message, sizeof message));
    CHECK_INT(0, strcmp("0 added, 1 changed, 0 removed, 0 unchanged", message));
    run_to(host, VRRP_STATE_BACKUP);
    run_to(host, VRRP_STATE_ACTIVE);
    /* The host has no address of that subnet there, so that it is one of its own. */
    shell("ip address show dev wire | grep -q 10.0.0.80/32");
    router.carriers = NULL;
    CHECK_INT(VRRP_OK, vrrp_host_reload(host, &config, NULL, 0));
    run_to(host, VRRP_STATE_BACKUP);
    run_to(host, VRRP_STATE_ACTIVE);
    shell("! ip address show dev wire | grep -q 10.0.0.80");
    shell("ip address show | grep -q 10.0.0.80/24");
    CHECK_INT(VRRP_OK, vrrp_host_set_priority(host, &router.id, 77));
    status.size = sizeof status;
    CHECK_INT(VRRP_OK, vrrp_host_status(host, &router.id, &status));
    CHECK(status.priority == 77 && status.base_priority == 77);
    CHECK_INT(VRRP_OK, vrrp_host_set_priority(host, &router.id, 0));
    CHECK_INT(VRRP_OK, vrrp_host_status(host, &router.id, &status));
    CHECK_INT(100, status.priority);
}

static struct vrrp_host *shared;
static int refusals;

/* Another thread at the same handle is refused, and does no harm. */
static void *intrude(void *unused)
{
    int i;

    (void)unused;
    for (i = 0; i < 20000; i++) {
        int answer = vrrp_host_step(shared);

        if (answer == VRRP_ERR_HOST_BUSY)
            refusals++;
        else
            CHECK_INT(VRRP_OK, answer);
    }
    return NULL;
}

/* Another thread has a host of its own. */
static void *second_host(void *unused)
{
    struct vrrp_virtual_address other = {{VRRP_IPV4, {10, 0, 0, 81}}, 24};
    struct vrrp_config other_settings = settings;
    struct vrrp_host_router other_router = router;
    struct vrrp_host_config other_config = config;
    struct vrrp_host *host = NULL;
    struct vrrp_status status;
    struct pollfd waited = {0, POLLIN, 0};

    (void)unused;
    other_settings.addresses = &other;
    other_router.config = &other_settings;
    other_router.id.vrid = 52;
    other_config.routers = &other_router;
    CHECK_INT(VRRP_OK, vrrp_host_open(VRRP_ABI, &other_config, &options, &host, NULL, 0));
    waited.fd = vrrp_host_fd(host);
    status.size = sizeof status;
    do {
        CHECK_INT(VRRP_OK, vrrp_host_step(host));
        (void)poll(&waited, 1, 1000);
        CHECK_INT(VRRP_OK, vrrp_host_status(host, &other_router.id, &status));
    } while (status.state != VRRP_STATE_ACTIVE);
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
    return NULL;
}

/* Runs `work` in a thread that takes no signals, beside the host. */
static void beside(struct vrrp_host *host, void *(*work)(void *))
{
    sigset_t all, before;
    pthread_t thread;
    int i;

    sigfillset(&all);
    CHECK_INT(0, pthread_sigmask(SIG_SETMASK, &all, &before));
    CHECK_INT(0, pthread_create(&thread, NULL, work, NULL));
    CHECK_INT(0, pthread_sigmask(SIG_SETMASK, &before, NULL));
    for (i = 0; i < 20000; i++) {
        int answer = vrrp_host_step(host);

        if (answer != VRRP_ERR_HOST_BUSY)
            CHECK_INT(VRRP_OK, answer);
    }
    CHECK_INT(0, pthread_join(thread, NULL));
}

/* Down and up again, which makes the library's own thread close a MAC's interface. */
static void down_and_up(struct vrrp_host *host)
{
    static const struct timespec moment = {0, 400000000};
    struct timespec left = moment;

    CHECK_INT(VRRP_OK, vrrp_host_set_enabled(host, &router.id, 0));
    run_to(host, VRRP_STATE_INITIALIZE);
    while (nanosleep(&left, &left) < 0)
        CHECK_INT(EINTR, errno);
    CHECK_INT(VRRP_OK, vrrp_host_set_enabled(host, &router.id, 1));
    run_to(host, VRRP_STATE_ACTIVE);
}

static void live(const char *open_elsewhere)
{
    static const struct vrrp_host_object ready = {"ready", {{0}, 0, 0}, VRRP_HOST_OBJECT_NAMED, 0};
    static const struct vrrp_track track = {0, 0, VRRP_TRACK_FAULT};
    struct vrrp_host *host = NULL;
    char found[64];
    pid_t child;

    fresh_config();
    settings.tracks = &track;
    settings.tracks_len = 1;
    config.objects = &ready;
    config.objects_len = 1;
    CHECK_INT(VRRP_OK, open_host(&host));
    hold_back(host);
    how_it_stands(host);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(9);
    }
    wait_for(child);
    fork_away(host);
    read_shell("ls /proc/self/fd | wc -l", found, sizeof found);
    CHECK_INT(0, strcmp(open_elsewhere, found));
    reconfigure(host);
    shared = host;
    beside(host, intrude);
    /* Each has only what the other does not stand in the way of. */
    settings.tracks_len = 0;
    beside(host, second_host);
    down_and_up(host);
    CHECK_INT(VRRP_OK, vrrp_host_resign(host, &router.id));
    CHECK_INT(VRRP_OK, vrrp_host_shutdown(host));
    while (vrrp_host_is_stopped(host) == 0) {
        struct pollfd waited = {0, POLLIN, 0};

        waited.fd = vrrp_host_fd(host);
        CHECK_INT(VRRP_OK, vrrp_host_step(host));
        (void)poll(&waited, 1, 100);
    }
    CHECK_INT(VRRP_OK, vrrp_host_close(host));
}

/* The network as it is when it has come to rest. */
static void look(char *text, size_t size)
{
    static char again[200000];
    int tries;

    read_shell(NETWORK, text, size);
    for (tries = 0; tries < 50; tries++) {
        (void)poll(NULL, 0, 200);
        read_shell(NETWORK, again, size);
        if (strcmp(text, again) == 0)
            return;
        strcpy(text, again);
    }
    CHECK(!"the network comes to rest");
}

int main(void)
{
    static char before[200000], after[200000];
    char open_elsewhere[64];
    int descriptors, i;
    sigset_t masks[2];

    own_network();
    look(before, sizeof before);
    CHECK(strstr(before, "10.0.0.1/24") && strstr(before, "eth0/arp_ignore:0"));
    read_shell("ls /proc/self/fd | wc -l", open_elsewhere, sizeof open_elsewhere);
    descriptors = count_entries("/proc/self/fd");
    CHECK_INT(0, pthread_sigmask(SIG_SETMASK, NULL, &masks[0]));
    CHECK_INT(3, count_entries("/proc/self/task"));
    for (i = 0; i < 2; i++) {
        take_signals();
        live(open_elsewhere);
        leave_signals_alone();
        /* A thread that was joined is for a moment still to be seen. */
        (void)poll(NULL, 0, 100);
        CHECK_INT(3, count_entries("/proc/self/task"));
        CHECK_INT(descriptors, count_entries("/proc/self/fd"));
    }
    CHECK_INT(0, pthread_sigmask(SIG_SETMASK, NULL, &masks[1]));
    for (i = 1; i <= SIGRTMAX; i++)
        CHECK_INT(sigismember(&masks[0], i), sigismember(&masks[1], i));
    CHECK(alarms > 0 && deaths > 0);
    CHECK_INT(0, strange_alarms);
    CHECK_INT(-1, waitpid(-1, NULL, WNOHANG));
    CHECK_INT(ECHILD, errno);
    look(after, sizeof after);
    if (strcmp(before, after) != 0) {
        for (i = 0; before[i] == after[i]; i++)
            ;
        fprintf(stderr, "before: %.200s\n\nafter: %.200s\n", before + i, after + i);
        return 1;
    }
    end_network();
    printf("host_guest: nothing is left; %d signals, %d refusals\n", (int)alarms, refusals);
    return 0;
}
