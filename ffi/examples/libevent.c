/*
 * Shares addresses as a configuration file says, in an event loop of libevent.
 *
 *     cc -o libevent libevent.c $(pkg-config --cflags --libs vrrp libevent_core)
 *     ./libevent vrrpd.conf
 *
 * The file is one of vrrpd, without event scripts: what they would do is done in on_change().
 * SIGTERM and SIGINT hand over and end, a second one ends at once. SIGHUP reads the file again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <vrrp_host.h>

/* How long to leave a network alone that cannot be read. */
static const struct timeval PAUSE = {0, 20000};
/* How long a hand-over may take. */
static const struct timeval PATIENCE = {10, 0};

/* What the callbacks of the loop work on. */
struct program {
    const char *file;
    struct event_base *base;
    struct event *readable;
    struct event *again;
    struct event *late;
    struct vrrp_host *host;
    int stopping;
    char message[4096];
};

/* Reads a file into memory of its own. NULL: it said why not. */
static char *slurp(const char *name, size_t *len)
{
    FILE *file = fopen(name, "rb");
    size_t room = 4096;
    char *text = malloc(room);

    *len = 0;
    while (file && text) {
        size_t got = fread(text + *len, 1, room - *len, file);
        char *larger;

        *len += got;
        if (got == 0)
            break;
        if (*len < room)
            continue;
        room *= 2;
        larger = realloc(text, room);
        if (!larger)
            free(text);
        text = larger;
    }
    if (!file || !text || ferror(file)) {
        perror(name);
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

/* Here a service would be started, or told to refuse work. */
static void on_change(const struct vrrp_host_event *event)
{
    printf("%s VRID %d: %d addresses are %s\n", event->id.interface, event->id.vrid,
           event->addresses_len,
           event->to == VRRP_STATE_ACTIVE ? "ours" : "not ours");
}

static void take_events(struct program *program)
{
    static struct vrrp_host_event event;

    event.size = sizeof event;
    while (vrrp_host_next_event(program->host, &event) == 1) {
        printf("%s%s\n", event.level == VRRP_HOST_LEVEL_WARNING ? "warning: " : "", event.text);
        if (event.kind == VRRP_HOST_EVENT_STATE_CHANGE)
            on_change(&event);
    }
    fflush(stdout);
    if (vrrp_host_is_stopped(program->host))
        event_base_loopbreak(program->base);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct program *program = arg;

    (void)fd, (void)what;
    if (vrrp_host_step(program->host) < 0) {
        /* A fault that lasts must not become a busy loop. */
        event_del(program->readable);
        event_add(program->again, &PAUSE);
    } else {
        event_add(program->readable, NULL);
    }
    take_events(program);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    struct program *program = arg;

    (void)fd, (void)what;
    event_base_loopbreak(program->base);
}

static void on_stop(evutil_socket_t number, short what, void *arg)
{
    struct program *program = arg;

    (void)number, (void)what;
    if (program->stopping++) {
        event_base_loopbreak(program->base);
        return;
    }
    event_add(program->late, &PATIENCE);
    vrrp_host_shutdown(program->host);
    take_events(program);
}

static void on_reload(evutil_socket_t number, short what, void *arg)
{
    struct program *program = arg;
    size_t len;
    char *text = slurp(program->file, &len);

    (void)number, (void)what;
    if (text) {
        int answer = vrrp_host_reload_config(program->host, text, len, program->message,
                                             sizeof program->message);

        /* The message says what is wrong, or what has changed. */
        printf("reload%s: %s\n", answer < 0 ? " refused" : "", program->message);
        take_events(program);
    }
    free(text);
}

static int open_host(struct program *program)
{
    struct vrrp_host_options options;
    size_t len;
    char *text = slurp(program->file, &len);
    int answer;

    if (!text)
        return -1;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.config_name = program->file;
    answer = vrrp_host_open_config(VRRP_ABI, text, len, &options, &program->host,
                                   program->message, sizeof program->message);
    free(text);
    if (program->message[0])
        fprintf(stderr, "%s\n", program->message);
    return answer;
}

/* The loop, until the host has stopped. */
static void run(struct program *program)
{
    program->readable = event_new(program->base, vrrp_host_fd(program->host), EV_READ | EV_PERSIST,
                                  on_readable, program);
    program->again = evtimer_new(program->base, on_readable, program);
    program->late = evtimer_new(program->base, on_late, program);
    /* The first step, for which the descriptor is readable already. */
    event_add(program->readable, NULL);
    event_base_dispatch(program->base);
    /* The loop must not know a descriptor that is closed. */
    event_free(program->readable);
    event_free(program->again);
    event_free(program->late);
    vrrp_host_close(program->host);
}

int main(int argc, char **argv)
{
    static struct program program;
    struct event *signals[3];
    int failed, i;

    if (argc != 2) {
        fputs("usage: libevent FILE\n", stderr);
        return 2;
    }
    program.file = argv[1];
    program.base = event_base_new();
    if (!program.base)
        return 1;
    /* Before anything is installed, lest a signal leave it behind. */
    signals[0] = evsignal_new(program.base, SIGTERM, on_stop, &program);
    signals[1] = evsignal_new(program.base, SIGINT, on_stop, &program);
    signals[2] = evsignal_new(program.base, SIGHUP, on_reload, &program);
    for (i = 0; i < 3; i++)
        event_add(signals[i], NULL);
    failed = open_host(&program) < 0;
    if (!failed)
        run(&program);
    for (i = 0; i < 3; i++)
        event_free(signals[i]);
    event_base_free(program.base);
    return failed;
}
