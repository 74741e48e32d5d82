// The first program with vrrp_host.h: shares 10.10.10.80 on eth0 with other hosts until SIGTERM.
//
//     cc serve.c $(pkg-config --cflags --libs vrrp)
//
// vrrp_host.h, libvrrp_host(3) and README.md show what follows, as a test makes sure.
#define _GNU_SOURCE // ppoll
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <vrrp_host.h>

static volatile sig_atomic_t told_to_stop;

static void on_signal(int number)
{
    told_to_stop = number;
}

int main(void)
{
    struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 10, 10, 80}}, 24};
    struct vrrp_config settings;
    struct vrrp_host_router router = {sizeof router, {"eth0", 51, VRRP_IPV4}, 0, 1, &settings, NULL};
    struct vrrp_host_config config = {sizeof config, &router, 1, NULL, 0};
    static struct vrrp_host_event event;
    struct pollfd waited = {0, POLLIN, 0};
    struct vrrp_host *host;
    char message[512];
    sigset_t held, waiting;

    // The signal is taken while we wait and at no other time: one before that is not lost.
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_BLOCK, &held, &waiting);
    signal(SIGTERM, on_signal);

    vrrp_host_settings_init(&settings, sizeof settings);
    settings.priority = 150;
    settings.addresses = &service;
    settings.addresses_len = 1;
    if (vrrp_host_open(VRRP_ABI, &config, NULL, &host, message, sizeof message) < 0) {
        fprintf(stderr, "%s\n", message);       // which field is wrong, and why
        return 1;
    }
    waited.fd = vrrp_host_fd(host);
    event.size = sizeof event;
    for (;;) {
        vrrp_host_step(host);
        while (vrrp_host_next_event(host, &event) == 1)
            puts(event.text);                   // and event.kind, event.to, ...
        if (vrrp_host_is_stopped(host))
            break;
        ppoll(&waited, 1, NULL, &waiting);
        if (told_to_stop)
            vrrp_host_shutdown(host);           // and go on until it has stopped
    }
    vrrp_host_close(host);
    return 0;
}
