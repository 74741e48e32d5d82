/* VRRP in a superloop, without an operating system, a C library or a heap.
 *
 * Two routers share one microcontroller, joined by a cable of RAM, and live through a power
 * failure, a return, a handover and a pulled cable. A product has one of them: copy
 * `struct router`, `router_start()`, `router_serve()` and the loop, and put your Ethernet
 * controller in the place of `cable_send()` and `cable_receive()`. */
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "vrrp.h"

/* The interface by which the engine knows the controller: any number. */
#define ETH0 1
/* Frames that wait for a router to read them. */
#define QUEUE_LEN 4

struct frame {
    size_t len;
    uint8_t octets[VRRP_MAX_FRAME_LEN];
};

struct router {
    const char *name;
    int powered;
    struct vrrp_interface eth0; /* what the driver knows of the link and of its address */
    struct vrrp *vrrp;
    union vrrp_storage storage;

    unsigned queued;
    struct frame queue[QUEUE_LEN];
};

static struct router one, two;

/* The virtual router that both are part of: VRID 1, which serves 10.0.0.80. */
static const struct vrrp_key KEY = {.ifindex = ETH0, .vrid = 1, .family = VRRP_IPV4};
static const struct vrrp_virtual_address SERVICE = {
    .address = {.family = VRRP_IPV4, .octets = {10, 0, 0, 80}}, .prefix_len = 24};

static void print_number(uint32_t number, int width)
{
    char text[11];
    char *at = text + sizeof text;

    *--at = 0;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
        width--;
    } while (number > 0);
    while (width-- > 0) {
        board_print(" ");
    }
    board_print(at);
}

static void print_line(uint64_t now_us, const struct router *router, const char *text)
{
    print_number((uint32_t)(now_us / 1000), 8);
    board_print(" ms  ");
    board_print(router->name);
    board_print("  ");
    board_print(text);
}

/* Nothing here can fail once it has worked: capacities and settings are fixed. */
static void must(int result)
{
    if (result < 0) {
        board_print(vrrp_strerror(result));
        board_print("\n");
        board_exit(1);
    }
}

/* The driver: hands a frame to the wire. */
static void cable_send(const struct router *from, const struct frame *frame)
{
    struct router *to = from == &one ? &two : &one;

    if (to->powered && to->queued < QUEUE_LEN) {
        to->queue[to->queued++] = *frame;
    }
}

/* The driver: takes the oldest frame that has arrived. 0: there is none. */
static int cable_receive(struct router *router, struct frame *frame)
{
    if (router->queued == 0) {
        return 0;
    }
    *frame = router->queue[0];
    router->queued--;
    for (unsigned i = 0; i < router->queued; i++) {
        router->queue[i] = router->queue[i + 1];
    }
    return 1;
}

static void set_link(struct router *router, uint64_t now_us, uint8_t up)
{
    router->eth0.up = up;
    must(vrrp_set_interface(router->vrrp, now_us, ETH0, &router->eth0));
}

/* What a product does when it starts. */
static void router_start(struct router *router, uint64_t now_us, const char *name, uint8_t number,
                         uint8_t priority)
{
    struct vrrp_config config;

    router->name = name;
    router->powered = 1;
    router->queued = 0;
    router->eth0 = (struct vrrp_interface){
        .size = sizeof router->eth0, .mac = {2, 0, 0, 0, 0, number}, .ipv4 = {10, 0, 0, number}};
    must(vrrp_init(&router->storage, sizeof router->storage, VRRP_ABI, &router->vrrp));
    set_link(router, now_us, 1);
    must(vrrp_config_init(&config, sizeof config));
    config.priority = priority;
    config.addresses = &SERVICE;
    config.addresses_len = 1;
    must(vrrp_insert(router->vrrp, now_us, &KEY, &config));
    must(vrrp_set_enabled(router->vrrp, now_us, &KEY, 1));
}

static void perform(struct router *router, uint64_t now_us, const struct vrrp_output *output,
                    struct frame *frame)
{
    switch (output->kind) {
    case VRRP_OUTPUT_TRANSMIT:
        frame->len = output->frame_len;
        cable_send(router, frame);
        break;
    case VRRP_OUTPUT_SET_MAC: /* the controller's filter takes a second unicast MAC */
        print_line(now_us, router, output->on ? "takes the MAC\n" : "leaves the MAC\n");
        break;
    case VRRP_OUTPUT_SET_ADDRESS: /* the network stack gets or loses an address */
        print_line(now_us, router, output->on ? "serves 10.0.0.80\n" : "serves no longer\n");
        break;
    case VRRP_OUTPUT_STATE_CHANGE:
        print_line(now_us, router, vrrp_state_name(output->from));
        board_print(" -> ");
        board_print(vrrp_state_name(output->to));
        board_print(": ");
        board_print(vrrp_reason_text(output->reason));
        board_print("\n");
        break;
    default: /* VRRP_OUTPUT_SET_GROUP: the controller's filter takes 01:00:5e:00:00:12 */
        break;
    }
}

/* What a product does in each turn of its loop. */
static void router_serve(struct router *router, uint64_t now_us)
{
    struct frame frame;
    struct vrrp_output output = {.size = sizeof output};
    uint64_t deadline_us;

    /* What has arrived comes before what has come due: see vrrp_handle_timeout(). */
    while (cable_receive(router, &frame)) {
        /* A product hands what is VRRP_NOT_VRRP to its network stack. */
        (void)vrrp_handle_frame(router->vrrp, now_us, ETH0, frame.octets, frame.len, NULL);
    }
    must(vrrp_poll_timeout(router->vrrp, &deadline_us));
    if (now_us >= deadline_us) {
        must(vrrp_handle_timeout(router->vrrp, now_us));
    }
    while (vrrp_poll_output(router->vrrp, frame.octets, sizeof frame.octets, &output) > 0) {
        perform(router, now_us, &output, &frame);
    }
}

static void both_start(uint64_t now_us)
{
    router_start(&one, now_us, "one", 1, 200);
    router_start(&two, now_us, "two", 2, 100);
}

static void one_loses_power(uint64_t now_us)
{
    (void)now_us;
    one.powered = 0;
}

static void one_returns(uint64_t now_us)
{
    router_start(&one, now_us, "one", 1, 200);
}

static void one_resigns(uint64_t now_us)
{
    must(vrrp_resign(one.vrrp, now_us, &KEY));
}

static void two_loses_its_link(uint64_t now_us)
{
    set_link(&two, now_us, 0);
}

static void print_received(uint64_t now_us, const struct router *router)
{
    struct vrrp_statistics statistics = {.size = sizeof statistics};

    must(vrrp_statistics(router->vrrp, &KEY, &statistics));
    print_line(now_us, router, "has received ");
    print_number(statistics.adverts_received, 0);
    board_print(" advertisements and sent ");
    print_number(statistics.adverts_sent, 0);
    board_print("\n");
}

static void the_end(uint64_t now_us)
{
    print_received(now_us, &one);
    print_received(now_us, &two);
    board_print("an engine takes ");
    print_number((uint32_t)vrrp_storage_size(), 0);
    board_print(" octets of storage\nthe stack was ");
    print_number(board_stack_used(), 0);
    board_print(" octets deep\nthe end\n");
    board_exit(0);
}

static const struct {
    uint32_t at_ms;
    const char *title;
    void (*happens)(uint64_t now_us);
} story[] = {
    {0, "both start", both_start},
    {10000, "one loses its power", one_loses_power},
    {20000, "one returns", one_returns},
    {30000, "one resigns", one_resigns},
    {40000, "two loses its link", two_loses_its_link},
    {50000, "it ends", the_end},
};

int main(void)
{
    unsigned chapter = 0;

    board_init();
    for (;;) {
        uint64_t now_us = board_now_us();

        if (now_us >= story[chapter].at_ms * 1000ull) {
            print_number(story[chapter].at_ms, 8);
            board_print(" ms  --- ");
            board_print(story[chapter].title);
            board_print("\n");
            story[chapter++].happens(now_us);
        }
        if (one.powered) {
            router_serve(&one, now_us);
        }
        if (two.powered) {
            router_serve(&two, now_us);
        }
        board_sleep();
    }
}
