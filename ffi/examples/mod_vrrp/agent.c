/* The agent: a process of its own that takes part in the election for httpd. */
#include "drain.h"
#include "shared.h"

#include <vrrp.h>
#include <vrrp_host.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* How often it looks at httpd, the drain file and the connections. */
#define TICK_MS 100
/* httpd without a process for this long does not serve. A restart takes less. */
#define ABSENCE_MS 3000
/* How long after a refusal the operating system is asked again. */
#define RETRY_MS 5000
/* Past its keep-alive time httpd closes a connection, give or take. */
#define KEEP_ALIVE_SLACK_MS 500
/* A handover is over by then: the longest interval there is, one and a half times. */
#define HANDOVER_MS 65000

#define ROUTERS_MAX 256

static struct birth birth;
static struct message said;
static char text[MESSAGE_MAX + 1];
static int listeners[LISTENERS_MAX];
static size_t listeners_len;
static struct vrrp_host *host;
static uint64_t open_at_ms;
static struct service services[SERVICES_MAX];
static size_t services_len;
static enum phase phase;
static uint64_t drain_at_ms, asked_at_ms, absent_at_ms;
static volatile sig_atomic_t told_to_end;

static void say(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(int level, const char *format, ...)
{
    char line[VRRP_HOST_TEXT_SIZE + 64];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    birth.log(level, line);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- The virtual routers --------------------------------------------------------------------------- */

static size_t routers(struct vrrp_host_id ids[ROUTERS_MAX])
{
    int n = host == NULL ? 0 : vrrp_host_routers(host, ids, ROUTERS_MAX);

    if (n == VRRP_ERR_BUFFER)
        say(LOG_ERR, "mod_vrrp: more than %d virtual routers", ROUTERS_MAX);
    return n < 0 ? 0 : (size_t)n;
}

static void set_all_enabled(int on)
{
    struct vrrp_host_id ids[ROUTERS_MAX];
    size_t n = routers(ids);

    for (size_t i = 0; i < n; i++)
        vrrp_host_set_enabled(host, &ids[i], on);
}

static void resign_all(void)
{
    struct vrrp_host_id ids[ROUTERS_MAX];
    size_t n = routers(ids);

    for (size_t i = 0; i < n; i++)
        vrrp_host_resign(host, &ids[i]);
}

/* Elects again as configured: a router that has resigned does not preempt until its priority is set. */
static void stand_again(void)
{
    struct vrrp_host_id ids[ROUTERS_MAX];
    size_t n = routers(ids);

    for (size_t i = 0; i < n; i++)
        vrrp_host_set_priority(host, &ids[i], 0);
}

/* How many are master here, and how many of those wait for their successor. */
static size_t masters(size_t *handing_over)
{
    struct vrrp_host_id ids[ROUTERS_MAX];
    struct vrrp_status status = {.size = sizeof status};
    size_t n = routers(ids), active = 0;

    *handing_over = 0;
    for (size_t i = 0; i < n; i++)
        if (vrrp_host_status(host, &ids[i], &status) == VRRP_OK && status.state == VRRP_STATE_ACTIVE) {
            active++;
            *handing_over += status.handing_over;
        }
    return active;
}

/* The addresses whose connections have to end before they move. */
static void list_services(void)
{
    struct vrrp_host_id ids[ROUTERS_MAX];
    struct vrrp_virtual_address addresses[VRRP_HOST_MAX_ADDRESSES];
    size_t n = routers(ids);

    services_len = 0;
    for (size_t i = 0; i < n; i++) {
        int len = vrrp_host_addresses(host, &ids[i], addresses, VRRP_HOST_MAX_ADDRESSES);
        for (int a = 0; a < len && services_len < SERVICES_MAX; a++, services_len++) {
            services[services_len].family = addresses[a].address.family;
            memcpy(services[services_len].octets, addresses[a].address.octets, 16);
        }
    }
}

static void configured(int answer, const char *why)
{
    if (why[0] != '\0')
        say(answer < 0 ? LOG_ERR : LOG_NOTICE, "mod_vrrp: %s", why);
    if (answer < 0)
        return;
    list_services();
    if (phase == PHASE_WAITING)
        set_all_enabled(0);
}

static void open_host(void)
{
    struct vrrp_host_options options = {.size = sizeof options, .runtime_dir = birth.runtime_dir, .config_name = "VrrpRouter"};
    char why[VRRP_HOST_TEXT_SIZE];
    int answer = vrrp_host_open_config(VRRP_ABI, text, strlen(text), &options, &host, why, sizeof why);

    configured(answer, why);
    if (answer < 0)
        open_at_ms = now_ms() + RETRY_MS;
}

static void step_host(void)
{
    static struct vrrp_host_event event;

    if (vrrp_host_step(host) < 0)
        usleep(20000);
    event.size = sizeof event;
    while (vrrp_host_next_event(host, &event) == 1)
        say(event.level == VRRP_HOST_LEVEL_WARNING ? LOG_WARNING : LOG_INFO, "mod_vrrp: %s", event.text);
}

/* ---- What httpd sees ------------------------------------------------------------------------------- */

static void address_text(char *out, size_t size, const struct vrrp_address *address)
{
    int family = address->family == VRRP_IPV6 ? AF_INET6 : AF_INET;

    out[0] = '\0';
    if (address->family != 0)
        inet_ntop(family, address->octets, out, (socklen_t)size);
}

static void fill_row(struct board_row *row, const struct vrrp_host_id *id)
{
    static const char *const states[] = {"waiting", "backup", "master"};
    struct vrrp_virtual_address addresses[VRRP_HOST_MAX_ADDRESSES];
    struct vrrp_status status = {.size = sizeof status};
    int n = vrrp_host_addresses(host, id, addresses, VRRP_HOST_MAX_ADDRESSES);

    memset(row, 0, sizeof *row);
    if (vrrp_host_status(host, id, &status) != VRRP_OK)
        return;
    snprintf(row->interface, sizeof row->interface, "%s", id->interface);
    snprintf(row->state, sizeof row->state, "%s", states[status.state]);
    snprintf(row->reason, sizeof row->reason, "%s", vrrp_reason_text(status.reason));
    row->vrid = id->vrid;
    row->family = id->family;
    row->since_us = status.since_us;
    row->priority = status.priority;
    if (status.state == VRRP_STATE_ACTIVE) {
        snprintf(row->master, sizeof row->master, "this host");
        row->master_priority = status.priority;
    } else if (status.active.address.family != 0) {
        address_text(row->master, sizeof row->master, &status.active.address);
        row->master_priority = status.active.priority;
    } else {
        snprintf(row->master, sizeof row->master, "unknown");
    }
    for (int i = 0; i < n && i < BOARD_ADDRESSES; i++) {
        char address[46];
        address_text(address, sizeof address, &addresses[i].address);
        snprintf(row->addresses[i], sizeof row->addresses[i], "%s/%u", address, addresses[i].prefix_len);
    }
}

static void write_board(void)
{
    struct board *board = birth.board;
    struct vrrp_host_id ids[ROUTERS_MAX];
    size_t n = routers(ids);

    __atomic_store_n(&board->sequence, board->sequence | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    board->rows = n < BOARD_ROWS ? (uint32_t)n : BOARD_ROWS;
    for (uint32_t i = 0; i < board->rows; i++)
        fill_row(&board->row[i], &ids[i]);
    board->phase = phase;
    board->now_us = now_ms() * 1000;
    if (host != NULL)
        vrrp_host_now(host, &board->now_us);
    __atomic_store_n(&board->sequence, board->sequence + 1, __ATOMIC_RELEASE);
}

static void enter(enum phase next, const char *why)
{
    if (next != phase)
        say(LOG_NOTICE, "mod_vrrp: %s", why);
    phase = next;
    __atomic_store_n(&birth.board->phase, next, __ATOMIC_RELAXED);
}

/* ---- Readiness and draining ------------------------------------------------------------------------ */

static int is_stopping(void)
{
    return __atomic_load_n(&birth.board->stopping, __ATOMIC_RELAXED) != 0;
}

static int wants_drain(void)
{
    return is_stopping() || (said.drain_file[0] != '\0' && access(said.drain_file, F_OK) == 0);
}

static int httpd_is_there(uint64_t now)
{
    if (birth.board->ready && birth.board->workers > 0) {
        absent_at_ms = now;
        return 1;
    }
    return 0;
}

/* Nothing holds httpd's graceful stop back any more. */
static void release_httpd(void)
{
    __atomic_store_n(&birth.board->handed_over, 1, __ATOMIC_SEQ_CST);
    kill(getppid(), birth.stop_signal);
}

static void drained(const char *why)
{
    enter(PHASE_DRAINED, why);
    if (is_stopping())
        release_httpd();
    else
        drain_open(listeners, listeners_len);
}

static void begin_closing(void)
{
    int error = drain_close(listeners, listeners_len, services, services_len);

    if (error != 0)
        say(LOG_WARNING, "mod_vrrp: new connections cannot be held off: %s", strerror(error));
    asked_at_ms = 0;
    enter(PHASE_CLOSING, "closing connections: new ones to the service addresses wait for the successor");
}

/* The connections have ended, or their time has: gives the addresses away and sees what comes of it. */
static void hand_over(uint64_t now)
{
    static int shut_down;
    size_t handing_over, active;

    if (asked_at_ms == 0 || (is_stopping() && !shut_down)) {
        asked_at_ms = now;
        shut_down = is_stopping();
        if (shut_down)
            vrrp_host_shutdown(host);
        else
            resign_all();
        step_host();
    }
    active = masters(&handing_over);
    if (is_stopping() ? vrrp_host_is_stopped(host) != 0 : active == 0)
        drained("drained: the service addresses are left to others");
    else if (!is_stopping() && handing_over == 0) {
        drain_open(listeners, listeners_len);
        enter(PHASE_ALONE, "nobody takes over: serving on");
    } else if (now - asked_at_ms > HANDOVER_MS) {
        drained("the handover takes too long: going on");
    }
}

static void drain(uint64_t now)
{
    size_t handing_over, active = masters(&handing_over);
    int late = now - drain_at_ms >= said.drain_timeout_ms;

    if (phase == PHASE_FINISHING) {
        if (active == 0)
            drained("drained: others have the service addresses");
        else if (late || now - drain_at_ms > said.keep_alive_ms + KEEP_ALIVE_SLACK_MS ||
                 drain_count(1) == 0)
            begin_closing();
    } else if (asked_at_ms != 0 || late || drain_count(0) == 0) {
        if (late && asked_at_ms == 0)
            say(LOG_WARNING, "mod_vrrp: connections have not ended in time and will break");
        hand_over(now);
    }
}

static void begin_draining(uint64_t now)
{
    int error = drain_mark(services, services_len);

    drain_at_ms = now;
    if (error != 0)
        say(LOG_WARNING, "mod_vrrp: connections cannot be counted: %s", strerror(error));
    enter(PHASE_FINISHING, "asked to drain: finishing requests");
    drain(now);
}

static void tick(uint64_t now)
{
    size_t handing_over;
    int wanted = wants_drain();

    if (host == NULL) {
        if (text[0] != '\0' && now >= open_at_ms)
            open_host();
        if (is_stopping() && phase != PHASE_DRAINED)
            drained("drained: there was nothing to hand over");
        return;
    }
    switch (phase) {
    case PHASE_WAITING:
        if (is_stopping()) {
            drained("drained: httpd was not ready yet");
        } else if (httpd_is_there(now)) {
            set_all_enabled(1);
            enter(PHASE_SERVING, "httpd is ready: taking part in the election");
        }
        break;
    case PHASE_SERVING:
        if (wanted) {
            begin_draining(now);
        } else if (!httpd_is_there(now) && now - absent_at_ms > ABSENCE_MS) {
            set_all_enabled(0);
            enter(PHASE_WAITING, "httpd has no process left: leaving the election");
        }
        break;
    case PHASE_FINISHING:
    case PHASE_CLOSING:
        if (wanted) {
            drain(now);
        } else {
            drain_open(listeners, listeners_len);
            stand_again();
            enter(PHASE_SERVING, "not asked to drain any more: taking part in the election");
        }
        break;
    case PHASE_ALONE:
    case PHASE_DRAINED:
        if (birth.board->handed_over) {
            /* httpd ends, and then we do. */
        } else if (is_stopping() && masters(&handing_over) > 0) {
            begin_draining(now);
        } else if (is_stopping()) {
            drained("drained");
        } else if (!wanted) {
            stand_again();
            enter(PHASE_SERVING, "not asked to drain any more: taking part in the election");
        } else if (phase == PHASE_ALONE && masters(&handing_over) == 0) {
            drained("drained: others have the service addresses");
        }
        break;
    }
}

/* ---- The link to httpd's parent -------------------------------------------------------------------- */

static void take_fds(struct msghdr *message, int log_too)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        int fds[LISTENERS_MAX + 1];

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || n > LISTENERS_MAX + 1)
            continue;
        memcpy(fds, CMSG_DATA(c), n * sizeof(int));
        for (size_t i = 0; i < n; i++) {
            if (i == 0 && log_too) {
                if (birth.log_fd >= 0)
                    dup2(fds[i], birth.log_fd);
                dup2(fds[i], STDERR_FILENO);
                close(fds[i]);
            } else if (listeners_len < LISTENERS_MAX) {
                listeners[listeners_len++] = fds[i];
            }
        }
    }
}

static void take_configuration(struct msghdr *message, size_t text_len)
{
    char why[VRRP_HOST_TEXT_SIZE];
    int closed = phase == PHASE_CLOSING;

    drain_open(listeners, closed ? 0 : listeners_len);
    for (size_t i = 0; i < listeners_len; i++)
        close(listeners[i]);
    listeners_len = 0;
    take_fds(message, said.has_log != 0);
    text[text_len] = '\0';
    if (host == NULL) {
        open_host();
    } else {
        int answer = vrrp_host_reload_config(host, text, text_len, why, sizeof why);
        configured(answer, why);
    }
    if (closed)
        (void)drain_close(listeners, listeners_len, services, services_len);
}

/* 0: the other end is gone. */
static int read_link(void)
{
    struct message head;
    union {
        char bytes[CMSG_SPACE((LISTENERS_MAX + 1) * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec parts[2] = {{&head, sizeof head}, {text, MESSAGE_MAX}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t len;

    len = recvmsg(birth.link, &message, MSG_CMSG_CLOEXEC);
    if (len < 0)
        return errno == EINTR || errno == EAGAIN;
    if (len == 0)
        return 0;
    if ((size_t)len < sizeof head || head.kind != MESSAGE_CONFIGURE ||
        (size_t)len != sizeof head + head.text_len) {
        /* A stop, which has no text: the board says so already. */
        return 1;
    }
    said = head;
    take_configuration(&message, head.text_len);
    return 1;
}

/* ---- Life ------------------------------------------------------------------------------------------ */

static void on_end(int signal)
{
    (void)signal;
    told_to_end = 1;
}

static void take_signals(void)
{
    struct sigaction end = {.sa_handler = on_end}, ignore = {.sa_handler = SIG_IGN};
    sigset_t none;

    sigaction(SIGTERM, &end, NULL);
    /* A terminal sends these to all of httpd; its parent decides what they mean. */
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGUSR1, &ignore, NULL);
    sigaction(SIGWINCH, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Should others hold the parent's end of the link. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

/* What httpd had open is not ours: a listening socket of ours would keep its port. */
static void close_all_but_ours(void)
{
    int open_max = (int)sysconf(_SC_OPEN_MAX);

    for (int fd = 3; fd < open_max && fd < 65536; fd++)
        if (fd != birth.link && fd != birth.log_fd)
            close(fd);
}

static void end(void) __attribute__((noreturn));
static void end(void)
{
    uint64_t until = now_ms() + HANDOVER_MS;

    for (size_t i = 0; i < listeners_len; i++)
        close(listeners[i]);
    if (host != NULL) {
        vrrp_host_shutdown(host);
        while (vrrp_host_is_stopped(host) == 0 && now_ms() < until) {
            struct pollfd fd = {.fd = vrrp_host_fd(host), .events = POLLIN};
            step_host();
            poll(&fd, 1, TICK_MS);
        }
        vrrp_host_close(host);
    }
    _exit(0);
}

void agent_main(const struct birth *given)
{
    birth = *given;
    take_signals();
    close_all_but_ours();
    say(LOG_NOTICE, "mod_vrrp: waiting for httpd to be ready");
    absent_at_ms = now_ms();
    while (!told_to_end) {
        struct pollfd fds[2] = {{.fd = birth.link, .events = POLLIN}, {.fd = -1, .events = POLLIN}};

        if (host != NULL)
            fds[1].fd = vrrp_host_fd(host);
        if (poll(fds, 2, TICK_MS) < 0 && errno != EINTR)
            break;
        if (host != NULL)
            step_host();
        if (fds[0].revents != 0 && !read_link())
            break;
        tick(now_ms());
        write_board();
    }
    end();
}
