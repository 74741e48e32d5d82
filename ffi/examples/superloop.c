/* Two boards share 10.0.0.80: a superloop over the engine alone, with no operating system, no
 * threads and no heap.
 *
 *     cc -I include ffi/examples/superloop.c libvrrp.a -o superloop
 *
 * `loop_once` is what goes into your firmware; the wire below it is pretended, and so is the clock:
 * it jumps to the next deadline, so that ten seconds pass at once. The first board is unplugged
 * after five.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vrrp.h"

#define IFINDEX 1u /* any number: a board with one interface has no use for it */

struct board {
    const char *name;
    union vrrp_storage storage;
    struct vrrp *vrrp;
    uint8_t mac[6], ip[4];
    int plugged;
    uint8_t received[8][VRRP_MAX_FRAME_LEN]; /* the receive ring of the Ethernet controller */
    uint32_t received_len[8];
    unsigned head, tail;
};

static struct board boards[2] = {
    {.name = "left", .mac = {2, 0, 0, 0, 0, 1}, .ip = {10, 0, 0, 1}, .plugged = 1},
    {.name = "right", .mac = {2, 0, 0, 0, 0, 2}, .ip = {10, 0, 0, 2}, .plugged = 1},
};
static uint64_t now_us;

static void transmit(struct board *from, const uint8_t *frame, uint32_t len);

/* Does what the engine asks for. On hardware: `SET_MAC` goes into the MAC filter, `SET_ADDRESS`
 * into the IP stack, and `SET_GROUP` into the hash filter. */
static void perform(struct board *board, const struct vrrp_output *output, const uint8_t *frame)
{
    const uint8_t *ip = output->address.address.octets;

    switch (output->kind) {
    case VRRP_OUTPUT_TRANSMIT:
        transmit(board, frame, output->frame_len);
        break;
    case VRRP_OUTPUT_SET_MAC:
        printf("%8.3f %s: MAC 00:00:5e:00:01:%02x %s\n", (double)now_us / 1e6, board->name,
               (unsigned)output->mac[5], output->on ? "on" : "off");
        break;
    case VRRP_OUTPUT_SET_ADDRESS:
        printf("%8.3f %s: address %u.%u.%u.%u %s\n", (double)now_us / 1e6, board->name, ip[0],
               ip[1], ip[2], ip[3], output->on ? "on" : "off");
        break;
    case VRRP_OUTPUT_STATE_CHANGE:
        printf("%8.3f %s: %s, %s\n", (double)now_us / 1e6, board->name,
               vrrp_state_name(output->to), vrrp_reason_text(output->reason));
        break;
    default: /* this wire needs no groups, and no virtual router is removed here */
        break;
    }
}

/* Frames first, then what is due, then what follows from both. Answers when to look again. */
static uint64_t loop_once(struct board *board)
{
    static uint8_t frame[VRRP_MAX_FRAME_LEN];
    struct vrrp_output output;
    uint64_t deadline;

    while (board->tail != board->head) {
        unsigned slot = board->tail++ % 8;
        /* VRRP_NOT_VRRP: this is where the frame goes to your IP stack. */
        vrrp_handle_frame(board->vrrp, now_us, IFINDEX, board->received[slot],
                          board->received_len[slot], NULL);
    }
    vrrp_handle_timeout(board->vrrp, now_us);
    output.size = sizeof output;
    while (vrrp_poll_output(board->vrrp, frame, sizeof frame, &output) == 1)
        perform(board, &output, frame);
    vrrp_poll_timeout(board->vrrp, &deadline);
    return deadline;
}

static int start(struct board *board, uint8_t priority)
{
    static const struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 0, 0, 80}}, 24};
    static const struct vrrp_key key = {IFINDEX, 51, VRRP_IPV4};
    struct vrrp_interface interface = {0};
    struct vrrp_config config;
    int error;

    error = vrrp_init(&board->storage, sizeof board->storage, VRRP_ABI, &board->vrrp);
    if (error < 0)
        return error;
    interface.size = sizeof interface;
    interface.up = 1;
    memcpy(interface.mac, board->mac, 6);
    memcpy(interface.ipv4, board->ip, 4);
    error = vrrp_set_interface(board->vrrp, now_us, IFINDEX, &interface);
    if (error < 0)
        return error;
    vrrp_config_init(&config, sizeof config);
    config.priority = priority;
    config.addresses = &service;
    config.addresses_len = 1;
    error = vrrp_insert(board->vrrp, now_us, &key, &config);
    if (error < 0)
        return error;
    return vrrp_set_enabled(board->vrrp, now_us, &key, 1);
}

/* The wire. */
static void transmit(struct board *from, const uint8_t *frame, uint32_t len)
{
    struct board *to = from == &boards[0] ? &boards[1] : &boards[0];
    unsigned slot = to->head % 8;

    if (!from->plugged || !to->plugged || to->head - to->tail == 8)
        return;
    to->head++;
    memcpy(to->received[slot], frame, len);
    to->received_len[slot] = len;
}

int main(void)
{
    int error = start(&boards[0], 200);

    if (error == VRRP_OK)
        error = start(&boards[1], 100);
    if (error < 0) {
        fprintf(stderr, "superloop: %s\n", vrrp_strerror(error));
        return 1;
    }
    while (now_us < 10000000) {
        uint64_t left = loop_once(&boards[0]), right = loop_once(&boards[1]);
        uint64_t next = left < right ? left : right;

        if (boards[0].head == boards[0].tail && boards[1].head == boards[1].tail && next > now_us)
            now_us = next; /* on hardware: sleep until an interrupt, or until then */
        boards[0].plugged = now_us < 5000000;
    }
    return 0;
}
