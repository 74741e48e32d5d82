/*
 * vrrp_gate.h: virtual MACs for a network stack that has one MAC.
 *
 * The stack of a microcontroller, such as lwIP, has one hardware address: it hears no frame to another
 * MAC and sends all frames from its own. A gate stands between the driver and the stack. It holds the
 * engine of vrrp.h for one interface, and:
 *
 * - answers ARP and neighbour solicitations for the virtual addresses with their virtual MAC;
 * - lets frames to a virtual MAC or address pass only while this host serves the address;
 * - writes the virtual MAC to what the stack sends from a virtual address;
 * - sends the advertisements, gratuitous ARP, neighbour advertisements, and the IGMP and MLD reports of
 *   its groups.
 *
 * The driver must receive frames to the virtual MACs 00:00:5e:00:01:VRID (IPv4) and
 * 00:00:5e:00:02:VRID (IPv6): make it promiscuous, or set its filter.
 *
 *     static union vrrp_gate_storage storage;
 *     static uint8_t buffer[VRRP_GATE_MAX_FRAME_LEN];
 *     struct vrrp_gate *gate;
 *     struct vrrp_gate_key key = {51, VRRP_IPV4};
 *     struct vrrp_interface eth0 = {0};
 *     struct vrrp_config config;
 *     struct vrrp_gate_action action;
 *
 *     vrrp_gate_init(&storage, sizeof storage, VRRP_ABI, seed, &gate);
 *     eth0.size = sizeof eth0;                // then up, mac and the own addresses of the stack
 *     vrrp_gate_set_interface(gate, now_us(), &eth0);
 *     vrrp_config_init(&config, sizeof config);
 *     config.accept = 1;                      // the stack has sockets on the address
 *     config.addresses = &service;
 *     config.addresses_len = 1;
 *     vrrp_gate_insert(gate, now_us(), &key, &config);
 *
 * The driver has received a frame:
 *
 *     if (vrrp_gate_receive(gate, now_us(), frame, frame_len, NULL) == VRRP_GATE_STACK)
 *         give_to_stack(frame, frame_len);
 *     run();
 *
 * The stack sends a frame:
 *
 *     if (vrrp_gate_send(gate, frame, frame_len) == VRRP_OK)
 *         send(frame, frame_len);
 *
 * After each frame that was received, after each call that changes something, and when the time has
 * come that vrrp_gate_poll_timeout() gives (then vrrp_gate_handle_timeout() first), run() is:
 *
 *     action.size = sizeof action;
 *     while (vrrp_gate_poll(gate, now_us(), 1, buffer, sizeof buffer, &action) == 1)
 *         if (action.kind == VRRP_GATE_SEND)
 *             send(buffer, action.frame_len);
 *         else if (action.kind == VRRP_GATE_DELIVER)
 *             give_to_stack(buffer, action.frame_len);
 *         else if (action.kind == VRRP_GATE_SET_ADDRESS)
 *             set_address_of_stack(&action.address, action.on);
 *         else if (action.kind == VRRP_GATE_SET_FILTER)
 *             set_filter_of_driver(macs, vrrp_gate_macs(gate, macs, 8));
 *
 * In this order the header has: the storage; numbers (verdicts, addressees, kinds of actions, discard
 * reasons); structs; functions (a gate's making, the administrator's calls, facts and frames, actions,
 * questions).
 *
 * The rules of vrrp.h hold here.
 */


#ifndef VRRP_GATE_H
#define VRRP_GATE_H

#include <stddef.h>
#include <stdint.h>
#include "vrrp.h"

/* The octets of storage that a gate needs, or a little more: vrrp_gate_storage_size() is exact. */
#define VRRP_GATE_STORAGE_SIZE \
    (((192u + 64u * (VRRP_HMAC) + 44u + (VRRP_MAX_ROUTERS) * VRRP_ROUTER_SIZE + 7u) & ~7u) + 552u)

/* The length in octets of the longest frame that a gate writes. */
#define VRRP_GATE_MAX_FRAME_LEN \
    (62u + 28u * (VRRP_HMAC) + 16u * (VRRP_MAX_ADDRESSES) < 172u \
         ? 172u \
         : 62u + 28u * (VRRP_HMAC) + 16u * (VRRP_MAX_ADDRESSES))

/* Storage for one gate: static, on a stack, in a struct of yours, or from malloc(). */
union vrrp_gate_storage {
    uint64_t alignment;
    unsigned char octets[VRRP_GATE_STORAGE_SIZE];
};


/**
 * The frame is not for the stack: the engine took it, the gate answered it, or it was discarded and
 * counted.
 */
#define VRRP_GATE_TAKEN 0

/**
 * The frame is for the stack. Where it was sent to a virtual MAC it has the interface's own in that
 * place now.
 */
#define VRRP_GATE_STACK 1

/**
 * The frame is for the stack with the interface's own addresses.
 */
#define VRRP_GATE_TO_OWN 0

/**
 * It is for the virtual address `addressee->address`: a stack of its own where there are several.
 */
#define VRRP_GATE_TO_VIRTUAL 1

/**
 * It is for every stack: a neighbour tells all nodes of its MAC.
 */
#define VRRP_GATE_TO_ALL 2

/**
 * Send the frame in the buffer, `frame_len` octets long.
 */
#define VRRP_GATE_SEND 1

/**
 * Give the stack the frame in the buffer, `frame_len` octets long, as if it had arrived. The gate has
 * answered an ARP request or a neighbour solicitation in the place of the stack, and by this frame, an
 * ARP reply or a neighbour advertisement, the stack learns the MAC of the host that asked. Where there
 * are several stacks it is for the one of `address`.
 */
#define VRRP_GATE_DELIVER 2

/**
 * Give the stack `address` (`on`), or take it away. An address without Accept_Mode stays out of the
 * stack: the gate answers for it.
 */
#define VRRP_GATE_SET_ADDRESS 3

/**
 * The state changed `from`, `to`, for `reason`. Nothing to perform.
 */
#define VRRP_GATE_STATE_CHANGE 4

/**
 * A virtual router that was to be removed is gone; its key is free.
 */
#define VRRP_GATE_REMOVED 5

/**
 * Have the driver let in other MACs: `vrrp_gate_macs()` gives them. Nothing to do where it lets
 * everything in, or all virtual MACs.
 */
#define VRRP_GATE_SET_FILTER 6

/**
 * Received, and shorter than an Ethernet header. The first discard reason: the others follow without
 * a gap, to where `vrrp_gate_discard_name()` gives NULL.
 */
#define VRRP_GATE_DISCARD_TRUNCATED 1

/**
 * Received, to another station.
 */
#define VRRP_GATE_DISCARD_OTHER_STATION 2

/**
 * Received, to a virtual MAC that is not taken up.
 */
#define VRRP_GATE_DISCARD_MAC_NOT_TAKEN_UP 3

/**
 * Received, to a virtual address that is not served.
 */
#define VRRP_GATE_DISCARD_TO_UNSERVED 4

/**
 * Received, to a virtual address that is served without accepting packets.
 */
#define VRRP_GATE_DISCARD_NOT_ACCEPTED 5

/**
 * Received, a neighbour solicitation for a virtual address that breaks RFC 4861 section 7.1.1, or a
 * gratuitous ARP for one that this host serves.
 */
#define VRRP_GATE_DISCARD_BAD_SOLICITATION 6

/**
 * Sent by the stack from a virtual address that is not served, or without being in the stack.
 */
#define VRRP_GATE_DISCARD_FROM_UNSERVED 7

/**
 * There was no room to hand it over or to send it.
 */
#define VRRP_GATE_DISCARD_NO_ROOM 8

/**
 * A reason that this header does not know.
 */
#define VRRP_GATE_DISCARD_OTHER 255

/**
 * A gate: an engine with one interface, and the way of that interface's frames. It lives in the
 * storage that `vrrp_gate_init()` was given, and there is nothing to free.
 */
struct vrrp_gate;

/**
 * The name of a virtual router of a gate.
 */
struct vrrp_gate_key {
    /**
     * The virtual router identifier, 1 to 255.
     */
    uint8_t vrid;
    /**
     * `VRRP_IPV4` or `VRRP_IPV6`: one VRID may exist once in each.
     */
    uint8_t family;
};

/**
 * Which of several stacks a frame is for.
 */
struct vrrp_gate_addressee {
    /**
     * One of `VRRP_GATE_TO_*`.
     */
    uint8_t to;
    /**
     * Of `VRRP_GATE_TO_VIRTUAL`: the address; else family 0.
     */
    struct vrrp_address address;
};

/**
 * One thing for you to do, or to know. Fields that a kind does not name are zero.
 */
struct vrrp_gate_action {
    /**
     * Set it to sizeof(struct vrrp_gate_action). On return: the octets that were filled in, no more than
     * that.
     */
    uint32_t size;
    /**
     * Of `SEND` and `DELIVER`: the length of the frame in the buffer, without padding and FCS.
     */
    uint32_t frame_len;
    /**
     * One of `VRRP_GATE_SEND` and what follows, which say what is to be done.
     */
    uint8_t kind;
    /**
     * Of `SET_ADDRESS`: 1 give, 0 take away.
     */
    uint8_t on;
    /**
     * Of `SET_ADDRESS`, `STATE_CHANGE` and `REMOVED`: the virtual router.
     */
    struct vrrp_gate_key key;
    /**
     * Of `SET_ADDRESS`: the address and its prefix. Of `DELIVER`: the address, prefix 0.
     */
    struct vrrp_virtual_address address;
    /**
     * Of `STATE_CHANGE`: the state before, as last reported; one of `VRRP_STATE_*`.
     */
    uint8_t from;
    /**
     * Of `STATE_CHANGE`: the state now.
     */
    uint8_t to;
    /**
     * Of `STATE_CHANGE`: why, one of `VRRP_REASON_*`.
     */
    uint8_t reason;
    /**
     * Of `STATE_CHANGE`: the router whose advertisement, or whose silence, decided it; else family 0.
     */
    struct vrrp_peer peer;
};

/**
 * Whether the frames to the virtual MACs come in.
 */
struct vrrp_gate_reception {
    /**
     * Set it to sizeof(struct vrrp_gate_reception). On return: the octets that were filled in, no more
     * than that.
     */
    uint32_t size;
    /**
     * Frames to a virtual MAC that was taken up. The counter wraps.
     */
    uint32_t frames;
    /**
     * A virtual address that this host answers for while no frame to its virtual MAC comes in, which a
     * neighbour that was probed from both MACs bears out: the driver filters MACs. Family 0 otherwise,
     * and again with the first frame.
     */
    struct vrrp_address unheard;
    /**
     * Zeros.
     */
    uint8_t reserved[3];
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The octets of storage that a gate of this library needs. `VRRP_GATE_STORAGE_SIZE` is as much or a
 * little more, for the capacities that the program was compiled with.
 */
VRRP_EXPORT size_t vrrp_gate_storage_size(void);

/**
 * The alignment that storage needs. `union vrrp_gate_storage` has it, and so has what malloc() gives.
 */
VRRP_EXPORT
size_t vrrp_gate_storage_align(void);

/**
 * Makes a gate without virtual routers in `storage`, which is `size` octets long, and writes its
 * handle to `gate`. `abi` is `VRRP_ABI`. `seed` is any number that differs from host to host, such as
 * one made of the MAC: reports of group memberships are spread by it.
 *
 * The storage is yours, as for `vrrp_init()`.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_ABI`: compile the program with the header of the library;
 * `VRRP_ERR_STORAGE`: `size` is below `vrrp_gate_storage_size()`; `VRRP_ERR_ALIGN`.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_gate_init(void *storage,
                   size_t size,
                   uint32_t abi,
                   uint64_t seed,
                   struct vrrp_gate **gate);

/**
 * Adds a virtual router and enables it.
 *
 * Errors: as `vrrp_insert()`; `VRRP_ERR_PEERS` for unicast peers.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_gate_insert(struct vrrp_gate *gate,
                     uint64_t now_us,
                     const struct vrrp_gate_key *key,
                     const struct vrrp_config *config);

/**
 * Changes the configuration of a virtual router: see `vrrp_reconfigure()`.
 *
 * Errors: as there; `VRRP_ERR_PEERS` for unicast peers.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_gate_reconfigure(struct vrrp_gate *gate,
                          uint64_t now_us,
                          const struct vrrp_gate_key *key,
                          const struct vrrp_config *config);

/**
 * Removes a virtual router, as gracefully as `vrrp_gate_set_enabled()` stops it. It is gone when
 * `VRRP_GATE_REMOVED` comes.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_gate_remove(struct vrrp_gate *gate,
                     uint64_t now_us,
                     const struct vrrp_gate_key *key);

/**
 * Enables (`on` is not 0) or disables a virtual router: see `vrrp_set_enabled()`.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`, also for one that is being removed.
 */
VRRP_EXPORT
int vrrp_gate_set_enabled(struct vrrp_gate *gate,
                          uint64_t now_us,
                          const struct vrrp_gate_key *key,
                          int on);

/**
 * Puts `priority`, 1 to 255, in the place of the configured one; 0 goes back to that.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_gate_set_priority(struct vrrp_gate *gate,
                           uint64_t now_us,
                           const struct vrrp_gate_key *key,
                           uint8_t priority);

/**
 * Gives up being Active in favour of another router: see `vrrp_resign()`.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_gate_resign(struct vrrp_gate *gate,
                     uint64_t now_us,
                     const struct vrrp_gate_key *key);

/**
 * Disables every virtual router, and answers how many of them still serve their addresses: a successor
 * has not been heard. Take the actions, let time pass, and ask again until it is 0 before you end.
 */
VRRP_EXPORT
int vrrp_gate_shutdown(struct vrrp_gate *gate,
                       uint64_t now_us);

/**
 * States whether a tracked object is up (`up` is not 0): see `vrrp_set_tracked()`.
 */
VRRP_EXPORT
int vrrp_gate_set_tracked(struct vrrp_gate *gate,
                          uint64_t now_us,
                          uint16_t object,
                          int up);

/**
 * States how the interface is, whenever that changes: link, MAC, and the stack's own addresses. It is
 * down until it is described.
 *
 * Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: `reserved` is not zero.
 */
VRRP_EXPORT
int vrrp_gate_set_interface(struct vrrp_gate *gate,
                            uint64_t now_us,
                            const struct vrrp_interface *interface);

/**
 * Takes in a frame from its Ethernet header on, VLAN tag removed, before the stack sees it. Answers
 * `VRRP_GATE_STACK`: give it to the stack; or `VRRP_GATE_TAKEN`: do not. `frame` may be written to: the
 * MAC of the interface takes the place of a virtual one. `addressee` may be NULL; where several stacks
 * share the driver it says which one the frame is for.
 *
 * Call `vrrp_gate_poll()` after each frame: an answer to it may be due, and the answer to the next one
 * takes its place.
 *
 * Errors: `VRRP_ERR_NULL`.
 */
VRRP_EXPORT
int vrrp_gate_receive(struct vrrp_gate *gate,
                      uint64_t now_us,
                      uint8_t *frame,
                      size_t len,
                      struct vrrp_gate_addressee *addressee);

/**
 * Takes a frame that the stack sends, from its Ethernet header on, and writes the virtual MAC to it
 * wherever it names the sender, if that is a virtual address. Answers 0: send the frame; or one of
 * `VRRP_GATE_DISCARD_*`: the frame must not be sent, and was counted.
 *
 * Errors: `VRRP_ERR_NULL`.
 */
VRRP_EXPORT int vrrp_gate_send(struct vrrp_gate *gate, uint8_t *frame, size_t frame_len);

/**
 * Does what has come due: see `vrrp_handle_timeout()`. Call it no later than
 * `vrrp_gate_poll_timeout()` says, and `vrrp_gate_poll()` afterwards.
 */
VRRP_EXPORT int vrrp_gate_handle_timeout(struct vrrp_gate *gate, uint64_t now_us);

/**
 * Says that the stack did not take an address: hand back the action of kind `VRRP_GATE_SET_ADDRESS`.
 * When the stack lost it later, fill in `size`, `kind`, `key` and `address`. The gate asks again by
 * itself, and gives up being Active meanwhile where it cannot serve.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: another kind, or no legal key or address.
 */
VRRP_EXPORT
int vrrp_gate_handle_failure(struct vrrp_gate *gate,
                             uint64_t now_us,
                             const struct vrrp_gate_action *action);

/**
 * Gives the next thing to do, in order. Answers 1 with `action` filled in, and with the frame of a
 * `VRRP_GATE_SEND` or a `VRRP_GATE_DELIVER` at the beginning of `buffer`; 0 when there is nothing to do. Call it until it
 * answers 0 after any input, and when the driver can send again. Set `action->size` before the first
 * call.
 *
 * While `can_send` is 0 frames wait. One that has waited for 10 ms is discarded and counted: late it
 * would tell of a state that is over.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_BUFFER`: `len` is below
 * `VRRP_GATE_MAX_FRAME_LEN`.
 */
VRRP_EXPORT
int vrrp_gate_poll(struct vrrp_gate *gate,
                   uint64_t now_us,
                   int can_send,
                   uint8_t *buffer,
                   size_t len,
                   struct vrrp_gate_action *action);

/**
 * Gives a virtual router keys for signed advertisements: see `vrrp_set_auth()`.
 *
 * Errors: as there.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_gate_set_auth(struct vrrp_gate *gate,
                       uint64_t now_us,
                       const struct vrrp_gate_key *key,
                       const struct vrrp_auth *auth);

/**
 * States what the wall clock says: see `vrrp_set_wall_clock()`.
 *
 * Errors: `VRRP_ERR_NO_HMAC`.
 */
VRRP_EXPORT
int vrrp_gate_set_wall_clock(struct vrrp_gate *gate,
                             uint64_t now_us,
                             uint64_t unix_us,
                             uint8_t synchronised);

/**
 * States how often this host has booted: see `vrrp_set_boot_count()`.
 *
 * Errors: `VRRP_ERR_NO_HMAC`.
 */
VRRP_EXPORT int vrrp_gate_set_boot_count(struct vrrp_gate *gate, uint64_t now_us, uint32_t boots);

/**
 * Writes to `deadline_us` when `vrrp_gate_handle_timeout()` and `vrrp_gate_poll()` are to be called at
 * the latest; `VRRP_NEVER`: not before something else happens. Ask again after every input.
 *
 * Errors: `VRRP_ERR_NULL`.
 */
VRRP_EXPORT
int vrrp_gate_poll_timeout(const struct vrrp_gate *gate,
                           uint64_t *deadline_us);

/**
 * Describes a virtual router as it stands. Set `status->size` before. `status->key.ifindex` means
 * nothing.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_gate_status(const struct vrrp_gate *gate,
                     const struct vrrp_gate_key *key,
                     struct vrrp_status *status);

/**
 * Gives the counters of a virtual router. Set `statistics->size` before.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_gate_statistics(const struct vrrp_gate *gate,
                         const struct vrrp_gate_key *key,
                         struct vrrp_statistics *statistics);

/**
 * Writes to `count` how many VRRP packets were discarded for `reason`, one of `VRRP_DROP_*`: see
 * `vrrp_drops()`.
 *
 * Errors: as there.
 */
VRRP_EXPORT
int vrrp_gate_drops(const struct vrrp_gate *gate,
                    const struct vrrp_gate_key *key,
                    int reason,
                    uint32_t *count);

/**
 * Writes to `count` how many other frames were discarded for `reason`, one of
 * `VRRP_GATE_DISCARD_*`. Counters wrap. The reasons go from 1 to where `vrrp_gate_discard_name()`
 * gives NULL.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_VALUE`: no such reason.
 */
VRRP_EXPORT int vrrp_gate_discards(const struct vrrp_gate *gate, int reason, uint32_t *count);

/**
 * Says whether the frames to the virtual MACs come in. Set `reception->size` before. A black hole is
 * found five seconds after a neighbour has asked for a virtual address: the gate probes it.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`.
 */
VRRP_EXPORT
int vrrp_gate_reception(const struct vrrp_gate *gate,
                        struct vrrp_gate_reception *reception);

/**
 * Writes to `macs` the MACs that the driver has to let in besides its own, broadcast, and the groups
 * that the stack has joined, six octets each: the virtual MACs that are taken up, and groups. Answers
 * how many there are; one may come twice. `len` is the room for whole MACs: where it is below the
 * answer, that many were written, and a driver that has no more room lets everything in.
 *
 * Errors: `VRRP_ERR_NULL`, also for `macs` if `len` is not 0; `VRRP_ERR_VALUE`: `len` is more than memory.
 */
VRRP_EXPORT
int vrrp_gate_macs(const struct vrrp_gate *gate,
                   uint8_t *macs,
                   size_t len);

/**
 * A short name of one of `VRRP_GATE_DISCARD_*` for logs and statistics, such as "other-station".
 * Static; NULL for another number.
 */
VRRP_EXPORT const char *vrrp_gate_discard_name(int reason);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* VRRP_GATE_H */
