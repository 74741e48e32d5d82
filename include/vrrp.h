/*
 * vrrp.h: service addresses that survive a failing host. The engine.
 *
 * VRRPv2 (RFC 3768) and VRRPv3 (RFC 9568) over IPv4 and IPv6, without I/O of its own: received
 * frames, the time, and what you know of interfaces go in; frames to send, effects to perform and
 * changes of state come out. Whoever wants the library to do the I/O takes vrrp_host.h.
 *
 *     static union vrrp_storage storage;
 *     static uint8_t frame[VRRP_MAX_FRAME_LEN];
 *     struct vrrp *vrrp;
 *     struct vrrp_interface eth0 = {0};
 *     struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 10, 10, 80}}, 24};
 *     struct vrrp_key key = {1, 51, VRRP_IPV4};    // interface 1, VRID 51
 *     struct vrrp_config config;
 *     struct vrrp_output output;
 *     uint64_t deadline;
 *
 *     vrrp_init(&storage, sizeof storage, VRRP_ABI, &vrrp);
 *     eth0.size = sizeof eth0;                // then up, mac and the address of the interface
 *     vrrp_set_interface(vrrp, now_us(), 1, &eth0);
 *     vrrp_config_init(&config, sizeof config);
 *     config.addresses = &service;
 *     config.addresses_len = 1;
 *     vrrp_insert(vrrp, now_us(), &key, &config);
 *     vrrp_set_enabled(vrrp, now_us(), &key, 1);
 *
 *     output.size = sizeof output;
 *     for (;;) {
 *         while (vrrp_poll_output(vrrp, frame, sizeof frame, &output) == 1)
 *             perform(&output, frame);        // send, install, join: see VRRP_OUTPUT_*
 *         vrrp_poll_timeout(vrrp, &deadline);
 *         if (wait_for_frame_until(deadline))
 *             vrrp_handle_frame(vrrp, now_us(), 1, received, received_len, NULL);
 *         else
 *             vrrp_handle_timeout(vrrp, now_us());
 *     }
 *
 * In this order the header has: the capacities and the storage; numbers (version and ABI, errors,
 * families and versions, what a configuration may say, states and reasons, outputs and frames,
 * verdicts and drop reasons); structs; functions (an engine's making, the administrator's calls, facts
 * and inputs, outputs, questions, words for numbers).
 *
 * The rules, which hold for every function:
 *
 * - 0 (VRRP_OK) and above mean that it worked, negative numbers are VRRP_ERR_*: vrrp_strerror() has
 *   them in words. A call that fails has changed nothing, and writes nothing but a part of a frame
 *   buffer. Outputs are written on success only.
 * - VRRP_ERR_NULL, VRRP_ERR_HANDLE (the handle is not from vrrp_init()), VRRP_ERR_ALIGN (a pointer
 *   is not aligned for its type) and VRRP_ERR_VALUE (a key names VRID 0 or no family) can come from
 *   every function that takes such a thing. Functions list what else can go wrong.
 * - Structs that may grow begin with `size`, which you set to the sizeof of your struct. Where you fill
 *   one in, set all of it to zero first, or use its init function; where the library does, set `size`
 *   alone. A program that was compiled with an older header works: fields that it lacks have their
 *   defaults, and answers are cut to what it has room for. A program that knows more than the library
 *   is refused with VRRP_ERR_SIZE only if a field that the library does not know is not zero. On
 *   return `size` is the number of octets that were filled in.
 * - Addresses and MACs are octets in network order. Lengths are in octets. Times are microseconds
 *   of any clock that never goes back (uint64_t, they do not wrap), and end in _us; intervals of
 *   the protocol are centiseconds and end in _cs.
 * - After any input (vrrp_handle_*, vrrp_set_*, vrrp_insert and what stands beside it) perform what
 *   vrrp_poll_output() gives until it gives 0, in that order, and ask vrrp_poll_timeout() again.
 *   Several inputs may come before their outputs are taken. What has to be done is not queued but
 *   worked out when you ask, so nothing overflows and nothing is lost.
 * - One call at a time on a handle. Different handles know nothing of each other and may be used in
 *   different threads. Calls that take a `const struct vrrp *` may run beside each other. On a
 *   microcontroller: call from one context, or with the interrupt that also calls held off.
 * - Nothing allocates, blocks, reads a clock, calls back, or keeps a pointer of yours but the
 *   storage. There is nothing to free.
 * - No pointer of one call may overlap another.
 */


#ifndef VRRP_H
#define VRRP_H

#include <stddef.h>
#include <stdint.h>

/* What stands before every function: its name is one that a shared library shows. */
#ifndef VRRP_EXPORT
#if defined(__GNUC__)
#define VRRP_EXPORT __attribute__((visibility("default")))
#else
#define VRRP_EXPORT
#endif
#endif

/* What stands before functions whose answer must be looked at: they fail where a program is wrong, or
 * where something is full. */
#if defined(__GNUC__)
#define VRRP_CHECK_RESULT __attribute__((warn_unused_result))
#else
#define VRRP_CHECK_RESULT
#endif

/*
 * The capacities of an engine. They are those of the library: one that was built with others by the
 * environment variables of these names asks for the same numbers here (-DVRRP_MAX_ROUTERS=...).
 * Should they differ, vrrp_init() refuses storage that is too small.
 */
#if defined(__unix__) || defined(__APPLE__) || defined(_WIN32)
#define VRRP_HOSTED_OR(hosted, embedded) (hosted)
#else
#define VRRP_HOSTED_OR(hosted, embedded) (embedded)
#endif

/* Interfaces, at most 255. */
#ifndef VRRP_MAX_INTERFACES
#define VRRP_MAX_INTERFACES VRRP_HOSTED_OR(16, 2)
#endif

/* Virtual routers, at most 65,000. */
#ifndef VRRP_MAX_ROUTERS
#define VRRP_MAX_ROUTERS VRRP_HOSTED_OR(64, 4)
#endif

/* Addresses and unicast peers of one virtual router together, at most 255. */
#ifndef VRRP_MAX_ADDRESSES
#define VRRP_MAX_ADDRESSES VRRP_HOSTED_OR(16, 4)
#endif

/* 1 if the library signs advertisements (vrrp_set_auth()), as one for an operating system does, 0 if not. */
#ifndef VRRP_HMAC
#define VRRP_HMAC VRRP_HOSTED_OR(1, 0)
#endif

/* The octets of storage that each virtual router takes. */
#define VRRP_ROUTER_SIZE \
    (((18u * (VRRP_MAX_ADDRESSES) + 421u) & ~7u) + 26u + \
     (VRRP_HMAC) * (40u * (VRRP_MAX_ADDRESSES) + 968u))

/* The octets of storage that an engine needs, or a little more: vrrp_storage_size() is exact. */
#define VRRP_STORAGE_SIZE \
    ((192u + 64u * (VRRP_HMAC) + 44u * (VRRP_MAX_INTERFACES) + (VRRP_MAX_ROUTERS) * VRRP_ROUTER_SIZE + 7u) & ~7u)

/* The length in octets of the longest frame that vrrp_poll_output() and vrrp_answer() write. */
#define VRRP_MAX_FRAME_LEN \
    (62u + 28u * (VRRP_HMAC) + 16u * ((VRRP_MAX_ADDRESSES) < 2 ? 2u : (VRRP_MAX_ADDRESSES)))

/* Storage for one engine: static, on a stack, in a struct of yours, or from malloc(). */
union vrrp_storage {
    uint64_t alignment;
    unsigned char octets[VRRP_STORAGE_SIZE];
};


/**
 * The number of this interface: for `vrrp_init()` and `vrrp_host_open()`. It changes when a program
 * that was compiled before would not work any more.
 */
#define VRRP_ABI 2

/**
 * The version of the header. `vrrp_version()` is that of the library.
 */
#define VRRP_VERSION_MAJOR 0

/**
 * A minor version adds.
 */
#define VRRP_VERSION_MINOR 1

/**
 * A patch corrects.
 */
#define VRRP_VERSION_PATCH 0

/**
 * A deadline that is not set.
 */
#define VRRP_NEVER UINT64_MAX

/**
 * It worked.
 */
#define VRRP_OK 0

/**
 * A pointer is NULL that must not be.
 */
#define VRRP_ERR_NULL (-1)

/**
 * The program was compiled with the header of another ABI: compile it again.
 */
#define VRRP_ERR_ABI (-2)

/**
 * The storage is smaller than `vrrp_storage_size()`: the library was built with larger capacities
 * than the program. Define them alike, or ask `vrrp_storage_size()`.
 */
#define VRRP_ERR_STORAGE (-3)

/**
 * The storage is not aligned to `vrrp_storage_align()`: use `union vrrp_storage` or malloc().
 */
#define VRRP_ERR_ALIGN (-4)

/**
 * This is no handle: `vrrp_init()` was not called or has failed.
 */
#define VRRP_ERR_HANDLE (-5)

/**
 * The `size` of a struct is too small, or it is larger than this library knows and what is beyond
 * is not zero. Set it to sizeof the struct, and the rest to zero before the fields are filled in.
 */
#define VRRP_ERR_SIZE (-6)

/**
 * A field or an argument is none of the values that its description allows.
 */
#define VRRP_ERR_VALUE (-7)

/**
 * The buffer is too small. Nothing is lost: call again with a larger one.
 */
#define VRRP_ERR_BUFFER (-8)

/**
 * `VRRP_MAX_INTERFACES` interfaces are known already.
 */
#define VRRP_ERR_INTERFACES_FULL (-9)

/**
 * `VRRP_MAX_ROUTERS` virtual routers exist already, those that are being removed included.
 */
#define VRRP_ERR_ROUTERS_FULL (-10)

/**
 * Addresses and unicast peers together are more than `VRRP_MAX_ADDRESSES`.
 */
#define VRRP_ERR_ADDRESSES_FULL (-11)

/**
 * More tracked objects than `VRRP_MAX_TRACKS`.
 */
#define VRRP_ERR_TRACKS_FULL (-12)

/**
 * A virtual router with this key exists already, or is still being removed.
 */
#define VRRP_ERR_EXISTS (-13)

/**
 * There is no virtual router with this key, or no such interface.
 */
#define VRRP_ERR_NOT_FOUND (-14)

/**
 * The interface still has virtual routers: remove them first.
 */
#define VRRP_ERR_IN_USE (-15)

/**
 * A virtual router needs at least one address.
 */
#define VRRP_ERR_NO_ADDRESSES (-16)

/**
 * An address or peer is of another family than the virtual router, not unicast, given twice, or
 * its prefix is too long.
 */
#define VRRP_ERR_BAD_ADDRESS (-17)

/**
 * `VRRP_V2` and `VRRP_V2_AND_V3` exist for IPv4 only.
 */
#define VRRP_ERR_FAMILY_VERSION (-18)

/**
 * VRRPv2 needs an interval of whole seconds, VRRPv3 one of at most 40.95 seconds.
 */
#define VRRP_ERR_BAD_INTERVAL (-19)

/**
 * A password needs `VRRP_V2`.
 */
#define VRRP_ERR_AUTH_VERSION (-20)

/**
 * The MAC mode of a virtual router cannot change: remove it and insert it again.
 */
#define VRRP_ERR_MAC_MODE_FIXED (-21)

/**
 * `max_hops` is 0, or above 1 without unicast peers.
 */
#define VRRP_ERR_BAD_MAX_HOPS (-22)

/**
 * `preempt_delay_us`, `start_delay_us` or `announce_repeat_us` is longer than 4,294 seconds.
 */
#define VRRP_ERR_BAD_DELAY (-23)

/**
 * The engine refused for a reason that this library has no number for.
 */
#define VRRP_ERR_OTHER (-24)

/**
 * A gate has no unicast peers: they need a neighbour table.
 */
#define VRRP_ERR_PEERS (-25)

/**
 * A library built without the feature `large` advertises from the address of the interface only.
 */
#define VRRP_ERR_SOURCE (-26)

/**
 * A key of fewer than 32 or more than 64 octets, with the id 0 or that of another one, or no key with
 * the id `active_key`.
 */
#define VRRP_ERR_AUTH_KEY (-27)

/**
 * More keys than `VRRP_MAX_AUTH_KEYS`.
 */
#define VRRP_ERR_AUTH_KEYS_FULL (-28)

/**
 * `window_s` is not 0 to 300.
 */
#define VRRP_ERR_AUTH_WINDOW (-29)

/**
 * A virtual router has keys or a password, not both.
 */
#define VRRP_ERR_AUTH_CONFLICT (-30)

/**
 * `VRRP_REPLAY_MONOTONIC` before `vrrp_set_boot_count()` or `vrrp_set_wall_clock()`.
 */
#define VRRP_ERR_NO_CLOCK (-31)

/**
 * The library was built without signed advertisements (the feature `hmac`).
 */
#define VRRP_ERR_NO_HMAC (-32)

/**
 * The group is not multicast or of another family, or this engine has the usual one only.
 */
#define VRRP_ERR_GROUP (-33)

/**
 * IPv4, as a family. 0 is no family, and an address of family 0 is no address.
 */
#define VRRP_IPV4 4

/**
 * IPv6, as a family.
 */
#define VRRP_IPV6 6

/**
 * VRRPv2 (RFC 3768), IPv4 only.
 */
#define VRRP_V2 2

/**
 * VRRPv3 (RFC 9568).
 */
#define VRRP_V3 3

/**
 * Both on one VRID, for the time of an upgrade (RFC 9568 section 8.4.2), IPv4 only.
 */
#define VRRP_V2_AND_V3 23

/**
 * Serve the addresses with the virtual MAC that the RFC prescribes.
 */
#define VRRP_MAC_VIRTUAL 0

/**
 * Serve them with the interface's own MAC.
 */
#define VRRP_MAC_INTERFACE 1

/**
 * No authentication.
 */
#define VRRP_AUTH_NONE 0

/**
 * A password of up to eight octets (RFC 2338), readable by anyone on the segment. Needs `VRRP_V2`.
 */
#define VRRP_AUTH_SIMPLE 1

/**
 * Does not sign, hears what is signed and what is not: the first of three sweeps over the hosts.
 */
#define VRRP_AUTH_MODE_RECEIVE_ONLY 0

/**
 * Signs, hears both: the second.
 */
#define VRRP_AUTH_MODE_PERMISSIVE 1

/**
 * Signs, and hears signed advertisements only.
 */
#define VRRP_AUTH_MODE_ENFORCE 2

/**
 * An advertisement that was signed longer ago than the window, or whose number is not after the last
 * one, is refused.
 */
#define VRRP_REPLAY_TIME 0

/**
 * By the number alone, for hosts without a clock: see `vrrp_set_boot_count()`.
 */
#define VRRP_REPLAY_MONOTONIC 1

/**
 * Keys that one virtual router can have at once.
 */
#define VRRP_MAX_AUTH_KEYS 4

/**
 * Senders that `vrrp_auth_senders()` knows at most.
 */
#define VRRP_MAX_AUTH_SENDERS 8

/**
 * Checksum of VRRPv3 over IPv4: begin with the pseudo-header form, then follow the peers.
 */
#define VRRP_CHECKSUM_AUTO 0

/**
 * Checksum over the message alone, as RFC 9568 says.
 */
#define VRRP_CHECKSUM_RFC9568 1

/**
 * Checksum with a pseudo-header, as RFC 5798 was widely read.
 */
#define VRRP_CHECKSUM_RFC5798 2

/**
 * Two owners of the same addresses elect by address (RFC 9568, erratum 8298).
 */
#define VRRP_OWNER_ELECT 0

/**
 * An owner discards the advertisements of others, as RFC 9568 was published.
 */
#define VRRP_OWNER_DISCARD 1

/**
 * A VRRPv2 advertisement with another address list is taken and reported, as in VRRPv3.
 */
#define VRRP_ADDRESSES_WARN 0

/**
 * It is discarded unless an owner sent it (RFC 3768).
 */
#define VRRP_ADDRESSES_STRICT 1

/**
 * A Backup takes over from a silent Active router whoever answers for the address.
 */
#define VRRP_CONFLICT_TAKE_OVER 0

/**
 * It stays Backup until an interval has passed in which nobody answered for the first address.
 */
#define VRRP_CONFLICT_WAIT 1

/**
 * While the object is down, the virtual router is held in Initialize.
 */
#define VRRP_TRACK_FAULT 0

/**
 * While the object is down, `delta` is added to the priority.
 */
#define VRRP_TRACK_WHILE_DOWN 1

/**
 * While the object is up, `delta` is added to the priority.
 */
#define VRRP_TRACK_WHILE_UP 2

/**
 * While the object is down, the virtual router stands back: see `vrrp_status.standing_back`.
 */
#define VRRP_TRACK_STAND_BACK 3

/**
 * Tracked objects that one virtual router can name.
 */
#define VRRP_MAX_TRACKS 8

/**
 * Takes no part: disabled, or held back by an interface, a tracked object or a failed effect.
 */
#define VRRP_STATE_INITIALIZE 0

/**
 * Listens, ready to take over.
 */
#define VRRP_STATE_BACKUP 1

/**
 * Serves the addresses: the master.
 */
#define VRRP_STATE_ACTIVE 2

/**
 * Enabled, and everything that it needs is there.
 */
#define VRRP_REASON_STARTED 0

/**
 * Started as the owner of the addresses.
 */
#define VRRP_REASON_OWNER 1

/**
 * The Active router was not heard for the Active_Down_Interval, or nobody ever was.
 */
#define VRRP_REASON_ACTIVE_TIMEOUT 2

/**
 * The Active router gave up being it (priority 0): it stops, resigns or is disabled.
 */
#define VRRP_REASON_ACTIVE_STOPPED 3

/**
 * The Active router has a lower priority than we, and preemption is on.
 */
#define VRRP_REASON_PREEMPTED 4

/**
 * A router of higher priority advertises.
 */
#define VRRP_REASON_HIGHER_PRIORITY 5

/**
 * A router of equal priority and higher address advertises.
 */
#define VRRP_REASON_HIGHER_ADDRESS 6

/**
 * Told to give up being Active.
 */
#define VRRP_REASON_RESIGNED 7

/**
 * Disabled or being removed.
 */
#define VRRP_REASON_DISABLED 8

/**
 * The interface is down or gone.
 */
#define VRRP_REASON_INTERFACE_DOWN 9

/**
 * The interface has no address to advertise from.
 */
#define VRRP_REASON_NO_PRIMARY_ADDRESS 10

/**
 * A tracked object that the virtual router cannot do without is down.
 */
#define VRRP_REASON_TRACKED_FAULT 11

/**
 * The MAC, an address or the group could not be installed.
 */
#define VRRP_REASON_EFFECT_FAILED 12

/**
 * A tracked object is down that makes it stand back.
 */
#define VRRP_REASON_STANDS_BACK 13

/**
 * No advertisement within the down interval, and a host that is not heard answers for the address.
 */
#define VRRP_REASON_ACTIVE_UNHEARD 14

/**
 * Send the frame in the buffer.
 */
#define VRRP_OUTPUT_TRANSMIT 1

/**
 * Take up (`on`) or give up `mac`, the virtual MAC: receive frames sent to it, and send from it.
 */
#define VRRP_OUTPUT_SET_MAC 2

/**
 * Begin (`on`) or cease to serve `address`: answer ARP or neighbour solicitations for it, and with
 * `accept` take packets sent to it.
 */
#define VRRP_OUTPUT_SET_ADDRESS 3

/**
 * Join (`on`) or leave the multicast group of `key.family` on `key.ifindex`: 224.0.0.18 or ff02::12.
 */
#define VRRP_OUTPUT_SET_GROUP 4

/**
 * The state changed `from`, `to`, for `reason`. Nothing to perform.
 */
#define VRRP_OUTPUT_STATE_CHANGE 5

/**
 * A virtual router that was to be removed is gone; its key is free.
 */
#define VRRP_OUTPUT_REMOVED 6

/**
 * A VRRP advertisement.
 */
#define VRRP_FRAME_ADVERTISEMENT 1

/**
 * A gratuitous ARP for a virtual address.
 */
#define VRRP_FRAME_GRATUITOUS_ARP 2

/**
 * An unsolicited neighbour advertisement for a virtual address.
 */
#define VRRP_FRAME_UNSOLICITED_NA 3

/**
 * The answer to an ARP request for a virtual address.
 */
#define VRRP_FRAME_ARP_REPLY 4

/**
 * The answer to a neighbour solicitation for a virtual address.
 */
#define VRRP_FRAME_NA_REPLY 5

/**
 * An ARP probe or a neighbour solicitation without a source, from the interface's own MAC: whether
 * somebody has the first virtual address of a silent Active router.
 */
#define VRRP_FRAME_NEIGHBOR_PROBE 6

/**
 * A valid advertisement for one of our virtual routers.
 */
#define VRRP_ACCEPTED 0

/**
 * The Ethernet, IPv4 or IPv6 header is cut short or contradicts itself. The first drop reason: the
 * others follow without a gap, to where `vrrp_drop_reason_name()` gives NULL.
 */
#define VRRP_DROP_BAD_HEADER 1

/**
 * The IPv4 header checksum is wrong.
 */
#define VRRP_DROP_IP_CHECKSUM 2

/**
 * The packet is a fragment.
 */
#define VRRP_DROP_FRAGMENT 3

/**
 * It was sent neither to the group nor, for unicast peers, to us.
 */
#define VRRP_DROP_WRONG_DESTINATION 4

/**
 * TTL or hop limit is not 255, or further away than unicast peers may be.
 */
#define VRRP_DROP_TTL 5

/**
 * The version is none that this virtual router speaks.
 */
#define VRRP_DROP_VERSION 6

/**
 * The type is not ADVERTISEMENT.
 */
#define VRRP_DROP_TYPE 7

/**
 * Shorter than its own address list asks.
 */
#define VRRP_DROP_LENGTH 8

/**
 * The checksum is wrong.
 */
#define VRRP_DROP_CHECKSUM 9

/**
 * The VRID is not configured on this interface and family.
 */
#define VRRP_DROP_UNKNOWN_VRID 10

/**
 * We own the addresses and discard what others advertise.
 */
#define VRRP_DROP_OWNER 11

/**
 * The address list is empty.
 */
#define VRRP_DROP_NO_ADDRESSES 12

/**
 * The first IPv6 address is not link-local.
 */
#define VRRP_DROP_NOT_LINK_LOCAL 13

/**
 * The VRRPv3 interval is zero.
 */
#define VRRP_DROP_ZERO_INTERVAL 14

/**
 * The VRRPv2 address list is not ours and the sender is not the owner.
 */
#define VRRP_DROP_ADDRESS_MISMATCH 15

/**
 * The VRRPv2 interval is not ours.
 */
#define VRRP_DROP_INTERVAL_MISMATCH 16

/**
 * The VRRPv2 authentication type is unknown or not ours.
 */
#define VRRP_DROP_AUTH_TYPE 17

/**
 * The VRRPv2 password is not ours.
 */
#define VRRP_DROP_AUTH_FAILURE 18

/**
 * Our own advertisement came back.
 */
#define VRRP_DROP_OWN_LOOPED_BACK 19

/**
 * The source is none of the unicast peers, or no address that a router can have.
 */
#define VRRP_DROP_UNKNOWN_PEER 20

/**
 * A VRRPv2 advertisement of a router that also sends VRRPv3.
 */
#define VRRP_DROP_V2_SHADOWED_BY_V3 21

/**
 * The virtual router is disabled or its interface is down.
 */
#define VRRP_DROP_NOT_RUNNING 22

/**
 * An advertisement of carp(4), whose `carpver 3` alone is VRRP.
 */
#define VRRP_DROP_CARP 23

/**
 * It is signed, and this virtual router has no key.
 */
#define VRRP_DROP_AUTHENTICATION_TRAILER 24

/**
 * It is not signed, and this virtual router hears signed advertisements only.
 */
#define VRRP_DROP_AUTH_MISSING 25

/**
 * The scheme of its signature is unknown, or reserved octets are not zero.
 */
#define VRRP_DROP_AUTH_MALFORMED 26

/**
 * It was signed longer ago than the time window, or a clock is wrong.
 */
#define VRRP_DROP_AUTH_STALE 27

/**
 * It is signed with a key whose id is not known here.
 */
#define VRRP_DROP_AUTH_UNKNOWN_KEY 28

/**
 * The signature is not that of the key.
 */
#define VRRP_DROP_AUTH_INVALID_HMAC 29

/**
 * Its number is not after that of the last one: it was recorded and sent again.
 */
#define VRRP_DROP_AUTH_REPLAY 30

/**
 * A discard that this library has no number for.
 */
#define VRRP_DROP_OTHER 255

/**
 * Not VRRP: for somebody else, such as the rest of your network stack.
 */
#define VRRP_NOT_VRRP 256

/**
 * An engine: a table of virtual routers that knows nothing of other tables. It lives in the storage
 * that `vrrp_init()` was given, and there is nothing to free.
 */
struct vrrp;

/**
 * An IP address in network order.
 */
struct vrrp_address {
    /**
     * `VRRP_IPV4` (then the first four octets count) or `VRRP_IPV6`. 0: no address.
     */
    uint8_t family;
    /**
     * The address. Beyond an IPv4 address the library writes zeros and reads nothing.
     */
    uint8_t octets[16];
};

/**
 * A virtual address with its prefix.
 */
struct vrrp_virtual_address {
    /**
     * The address.
     */
    struct vrrp_address address;
    /**
     * The length of the prefix, 0 to 32 or 0 to 128: what you need to install the address.
     */
    uint8_t prefix_len;
};

/**
 * A tracked object of a virtual router.
 */
struct vrrp_track {
    /**
     * The object, by a number that you choose: see `vrrp_set_tracked()`.
     */
    uint16_t object;
    /**
     * The addend of the priority; the sum stays within 1 to 254. For `VRRP_TRACK_FAULT`: unused.
     */
    int16_t delta;
    /**
     * One of `VRRP_TRACK_*`.
     */
    uint8_t effect;
};

/**
 * The configuration of one virtual router. Begin with `vrrp_config_init()`, which fills in the
 * defaults of the RFC (for a host: `vrrp_host_settings_init()`), and set `addresses` at least. The engine copies what it needs: arrays may go
 * as soon as the call returns.
 */
struct vrrp_config {
    /**
     * sizeof(struct vrrp_config).
     */
    uint32_t size;
    /**
     * The versions to speak and hear: `VRRP_V2`, `VRRP_V3` (default) or `VRRP_V2_AND_V3`.
     */
    uint8_t version;
    /**
     * The priority when every tracked object is up: 1 to 255, 255 for the owner of the addresses;
     * default 100.
     */
    uint8_t priority;
    /**
     * The interval between our advertisements while Active, in centiseconds: 1 to 4095 in VRRPv3,
     * whole seconds of 100 to 25,500 in VRRPv2; default 100.
     */
    uint16_t advert_interval_cs;
    /**
     * Not 0 (default): take over from an Active router of lower priority.
     */
    uint8_t preempt;
    /**
     * Not 0: take packets for addresses that we do not own (Accept_Mode); default 0.
     */
    uint8_t accept;
    /**
     * With unicast peers, how many hops an advertisement may have come; default 1: the same link.
     */
    uint8_t max_hops;
    /**
     * `VRRP_MAC_VIRTUAL` (default) or `VRRP_MAC_INTERFACE`.
     */
    uint8_t mac_mode;
    /**
     * `VRRP_CHECKSUM_AUTO` (default), `VRRP_CHECKSUM_RFC9568` or `VRRP_CHECKSUM_RFC5798`.
     */
    uint8_t checksum;
    /**
     * `VRRP_OWNER_ELECT` (default) or `VRRP_OWNER_DISCARD`.
     */
    uint8_t owner_receive;
    /**
     * `VRRP_AUTH_NONE` (default) or `VRRP_AUTH_SIMPLE`.
     */
    uint8_t auth;
    /**
     * How many times more the addresses are announced (gratuitous ARP, unsolicited neighbour
     * advertisement) after the takeover; default 1. Unless it is 0 there is also a round 100 ms
     * after the first, for switches that have learned the old port again.
     */
    uint8_t announce_repeats;
    /**
     * The password of `VRRP_AUTH_SIMPLE`, padded with zeros.
     */
    uint8_t password[8];
    /**
     * How long an Active router of lower priority is left alone before it is preempted, at most 4,294
     * seconds; default 0.
     */
    uint64_t preempt_delay_us;
    /**
     * How long to listen before the election can make us Active, after being enabled and after the
     * interface comes up, at most 4,294 seconds; default 0.
     */
    uint64_t start_delay_us;
    /**
     * The time between repeated announcements, at most 4,294 seconds; default 5 seconds.
     */
    uint64_t announce_repeat_us;
    /**
     * Announce again at this period for as long as we are Active; 0 (default): never.
     */
    uint64_t announce_refresh_us;
    /**
     * The virtual addresses, at least one, all of the family of the virtual router.
     */
    const struct vrrp_virtual_address *addresses;
    /**
     * How many.
     */
    size_t addresses_len;
    /**
     * Unicast peers. None (default): advertise to the multicast group.
     */
    const struct vrrp_address *peers;
    /**
     * How many. Addresses, peers and `source` together fit `VRRP_MAX_ADDRESSES`.
     */
    size_t peers_len;
    /**
     * Objects that move the priority.
     */
    const struct vrrp_track *tracks;
    /**
     * How many: up to `VRRP_MAX_TRACKS`.
     */
    size_t tracks_len;
    /**
     * The address to advertise from, one of the interface's own: that it is there is for you to know.
     * Of family 0 (default): the one that `vrrp_interface` has.
     */
    struct vrrp_address source;
    /**
     * How VRRPv2 advertisements of other addresses than ours are treated: `VRRP_ADDRESSES_WARN`
     * (default) or `VRRP_ADDRESSES_STRICT`.
     */
    uint8_t address_check;
    /**
     * The choice of a Backup whose Active router is silent while a host answers for the first address:
     * `VRRP_CONFLICT_TAKE_OVER` (default) or `VRRP_CONFLICT_WAIT`. It hears of answers by
     * `vrrp_handle_claim()`.
     */
    uint8_t on_conflict;
    /**
     * How many of the addresses, counted from the last, are served but not advertised; default 0. At
     * least one has to be left.
     */
    uint8_t unadvertised;
    /**
     * Not 0: the addresses are advertised and nothing else: not served, announced or asked for; default
     * 0. With VRRPv2 alone there may then be no address.
     */
    uint8_t advertise_only;
    /**
     * The multicast group to advertise to and to hear; of family 0 (default): 224.0.0.18 or ff02::12. To
     * join another one is for you: no `VRRP_OUTPUT_SET_GROUP` comes. Without effect beside peers.
     */
    struct vrrp_address group;
    /**
     * Zero.
     */
    uint8_t reserved[2];
};

/**
 * The name of a virtual router.
 */
struct vrrp_key {
    /**
     * The interface, by a number that you choose and keep.
     */
    uint32_t ifindex;
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
 * The state of an interface.
 */
struct vrrp_interface {
    /**
     * sizeof(struct vrrp_interface).
     */
    uint32_t size;
    /**
     * Not 0: administratively up and with carrier.
     */
    uint8_t up;
    /**
     * Its own MAC.
     */
    uint8_t mac[6];
    /**
     * Its primary IPv4 address, never a virtual one: the source of advertisements. 0.0.0.0: none,
     * and IPv4 virtual routers wait in Initialize.
     */
    uint8_t ipv4[4];
    /**
     * Its own IPv6 link-local address: the source of advertisements. `::`: none, and IPv6 virtual
     * routers wait in Initialize.
     */
    uint8_t ipv6[16];
    /**
     * Zero.
     */
    uint8_t reserved;
};

/**
 * Where a VRRP message came from, when you hand over the IP payload alone.
 */
struct vrrp_packet {
    /**
     * sizeof(struct vrrp_packet).
     */
    uint32_t size;
    /**
     * The interface that it arrived on.
     */
    uint32_t ifindex;
    /**
     * The source of the IP packet.
     */
    struct vrrp_address source;
    /**
     * Its destination, of the same family.
     */
    struct vrrp_address destination;
    /**
     * Its TTL or hop limit on arrival.
     */
    uint8_t ttl;
    /**
     * Not 0: `source_mac` is known.
     */
    uint8_t has_source_mac;
    /**
     * The source MAC.
     */
    uint8_t source_mac[6];
    /**
     * Zero.
     */
    uint8_t reserved[2];
};

/**
 * Another router of the same virtual router.
 */
struct vrrp_peer {
    /**
     * The source of its advertisements. Family 0: there is none.
     */
    struct vrrp_address address;
    /**
     * The priority that it last advertised; 0 when it stopped.
     */
    uint8_t priority;
};

/**
 * One thing for you to do, or to know. Fields that a kind does not name are zero.
 */
struct vrrp_output {
    /**
     * Set it to sizeof(struct vrrp_output). On return: the octets that were filled in, no more than that.
     */
    uint32_t size;
    /**
     * The virtual router.
     */
    struct vrrp_key key;
    /**
     * One of `VRRP_OUTPUT_*`, which say what is to be done.
     */
    uint8_t kind;
    /**
     * Of `SET_*`: 1 take up, install, join; 0 give up, remove, leave.
     */
    uint8_t on;
    /**
     * Of `SET_ADDRESS`: 1 when packets to the address are for this host.
     */
    uint8_t accept;
    /**
     * Of `TRANSMIT`: one of `VRRP_FRAME_*`.
     */
    uint8_t frame_kind;
    /**
     * Of `TRANSMIT`: the length of the Ethernet frame in the buffer, without padding and FCS.
     */
    uint32_t frame_len;
    /**
     * Of `TRANSMIT`: where the IP header begins (for ARP: the ARP packet).
     */
    uint16_t ip_offset;
    /**
     * Of `TRANSMIT`: where the VRRP or ICMPv6 message begins (for ARP: the ARP packet).
     */
    uint16_t payload_offset;
    /**
     * Of `SET_MAC`: the virtual MAC.
     */
    uint8_t mac[6];
    /**
     * Of `SET_ADDRESS`: the address and its prefix.
     */
    struct vrrp_virtual_address address;
    /**
     * Of `TRANSMIT`, for a unicast advertisement: the destination. Its Ethernet destination is left
     * zero for you to fill in, or send the IP packet instead. Family 0: not unicast.
     */
    struct vrrp_address unicast;
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
 * A key for signed advertisements.
 */
struct vrrp_auth_key {
    /**
     * The secret, 32 to 64 octets. The library copies it: wipe yours when the call has returned.
     */
    const uint8_t *secret;
    /**
     * How many octets.
     */
    size_t secret_len;
    /**
     * Its id, 1 to 255, which is sent with each advertisement.
     */
    uint8_t id;
};

/**
 * How a virtual router signs advertisements and verifies them (HMAC-SHA-256 in a trailer of 28 octets,
 * draft-cassen-vrrp-auth-hmac). Set all of it to zero and `size`, then `active_key` and `keys` at least.
 */
struct vrrp_auth {
    /**
     * sizeof(struct vrrp_auth).
     */
    uint32_t size;
    /**
     * One of `VRRP_AUTH_MODE_RECEIVE_ONLY`, `VRRP_AUTH_MODE_PERMISSIVE` and `VRRP_AUTH_MODE_ENFORCE`. A wrong signature is
     * refused in each.
     */
    uint8_t mode;
    /**
     * `VRRP_REPLAY_TIME` or `VRRP_REPLAY_MONOTONIC`.
     */
    uint8_t replay;
    /**
     * How far in seconds the clock of a sender may be from ours, 1 to 300; 0: 5 seconds, which is enough
     * for intervals of up to a second.
     */
    uint16_t window_s;
    /**
     * The id of the key to sign with, one of `keys`.
     */
    uint8_t active_key;
    /**
     * Zero.
     */
    uint8_t reserved[7];
    /**
     * The keys.
     */
    const struct vrrp_auth_key *keys;
    /**
     * How many: 1 to `VRRP_MAX_AUTH_KEYS`.
     */
    size_t keys_len;
};

/**
 * The authentication of a virtual router as it stands.
 */
struct vrrp_auth_status {
    /**
     * Set it to sizeof(struct vrrp_auth_status). On return: the octets that were filled in, no more than that.
     */
    uint32_t size;
    /**
     * As in `vrrp_auth`.
     */
    uint8_t mode;
    /**
     * As in `vrrp_auth`.
     */
    uint8_t replay;
    /**
     * In seconds.
     */
    uint16_t window_s;
    /**
     * The id of the key to sign with.
     */
    uint8_t active_key;
    /**
     * The ids of the keys; 0: none.
     */
    uint8_t keys[4];
    /**
     * 1: the wall clock was last said to be synchronised.
     */
    uint8_t synchronised;
    /**
     * 1: the clock is not known to be right. A Backup takes over two intervals late and does not preempt.
     */
    uint8_t waits_for_clock;
    /**
     * 1: `held_by` and `held_skew_s` are there.
     */
    uint8_t is_held;
    /**
     * The seconds by which the clock of `held_by` is ahead of ours.
     */
    int32_t held_skew_s;
    /**
     * The peer that is present although its advertisements are refused as stale: a Backup whose clock
     * is not synchronised does not take over from it.
     */
    struct vrrp_address held_by;
    /**
     * Advertisements that were believed for their signature. It wraps.
     */
    uint32_t signed_received;
    /**
     * Advertisements without a signature, believed or not. It wraps.
     */
    uint32_t bare_received;
};

/**
 * A router that was heard by a virtual router with keys.
 */
struct vrrp_auth_sender {
    /**
     * The source of its advertisements.
     */
    struct vrrp_address address;
    /**
     * 1: its last advertisement was signed, rightly or not.
     */
    uint8_t is_signed;
    /**
     * The key id of the last signature that was right; 0: there was none.
     */
    uint8_t key_id;
    /**
     * 1: `skew_s` is known.
     */
    uint8_t has_skew;
    /**
     * The seconds by which its clock is ahead of ours, below zero if it is behind.
     */
    int32_t skew_s;
    /**
     * Why an advertisement was refused last by the rules of signatures, one of `VRRP_DROP_AUTH_*`; 0: none
     * was.
     */
    int32_t refusal;
    /**
     * How many advertisements were believed. It wraps.
     */
    uint32_t believed;
    /**
     * How many were refused by the rules of signatures. It wraps.
     */
    uint32_t refused;
    /**
     * When it was heard last, believed or not.
     */
    uint64_t last_heard_us;
    /**
     * When the last one was refused.
     */
    uint64_t refused_at_us;
};

/**
 * A virtual router as it stands.
 */
struct vrrp_status {
    /**
     * Set it to sizeof(struct vrrp_status). On return: the octets that were filled in, no more than that.
     */
    uint32_t size;
    /**
     * The virtual router.
     */
    struct vrrp_key key;
    /**
     * One of `VRRP_STATE_*`.
     */
    uint8_t state;
    /**
     * Why it is in that state: one of `VRRP_REASON_*`.
     */
    uint8_t reason;
    /**
     * 1: the administrator has enabled it.
     */
    uint8_t enabled;
    /**
     * 1: it has said that it stops and serves on until the successor is heard.
     */
    uint8_t handing_over;
    /**
     * Since when it is in that state.
     */
    uint64_t since_us;
    /**
     * 1: it has resigned and will not preempt until it has been Active again or its priority is set.
     */
    uint8_t resigned;
    /**
     * The versions that it speaks: one of `VRRP_V*`.
     */
    uint8_t version;
    /**
     * The priority that it advertises: configured, overridden, and moved by tracked objects.
     */
    uint8_t priority;
    /**
     * The priority without the effect of tracked objects.
     */
    uint8_t base_priority;
    /**
     * Our own interval in centiseconds.
     */
    uint16_t advert_interval_cs;
    /**
     * The interval that the down timer counts: learned from the Active router in VRRPv3.
     */
    uint16_t active_interval_cs;
    /**
     * When the Active router was last heard.
     */
    uint64_t active_last_heard_us;
    /**
     * The Active router last heard. Family 0: none since we started to listen, and then every
     * `active_` field but the interval is zero.
     */
    struct vrrp_peer active;
    /**
     * 2 or 3.
     */
    uint8_t active_version;
    /**
     * The interval that it advertised, in centiseconds.
     */
    uint16_t active_advert_interval_cs;
    /**
     * 1: `active_mac` is known.
     */
    uint8_t active_has_mac;
    /**
     * The source MAC of its advertisements.
     */
    uint8_t active_mac[6];
    /**
     * 1: its address list differed from ours.
     */
    uint8_t active_address_mismatch;
    /**
     * 1: its interval differed from ours.
     */
    uint8_t active_interval_mismatch;
    /**
     * 1: the advertisement that the checksum form was last learned from had a pseudo-header.
     */
    uint8_t pseudo_header;
    /**
     * 1: an object that it tracks with `VRRP_TRACK_STAND_BACK` is down, so every other router is to serve
     * rather than this one. As Active it advertises priority 1 and offers the addresses again and again.
     */
    uint8_t standing_back;
};

/**
 * Counters of one virtual router since it was inserted. They wrap. See also `vrrp_drops()`.
 */
struct vrrp_statistics {
    /**
     * Set it to sizeof(struct vrrp_statistics). On return: the octets that were filled in, no more than that.
     */
    uint32_t size;
    /**
     * Times that it became Active.
     */
    uint32_t active_transitions;
    /**
     * Valid advertisements received.
     */
    uint32_t adverts_received;
    /**
     * Advertisements sent.
     */
    uint32_t adverts_sent;
    /**
     * Priority 0 received.
     */
    uint32_t priority_zero_received;
    /**
     * Priority 0 sent.
     */
    uint32_t priority_zero_sent;
    /**
     * Gratuitous ARPs and unsolicited neighbour advertisements sent.
     */
    uint32_t announcements_sent;
    /**
     * Effects that were reported as failed or undone.
     */
    uint32_t effect_failures;
    /**
     * Timers that were handled more than an interval late: this host stalled.
     */
    uint32_t stalls;
    /**
     * Advertisements that lost against us while we were Active.
     */
    uint32_t losing_adverts;
    /**
     * VRRPv3/IPv4 advertisements whose checksum covered the message only (RFC 9568).
     */
    uint32_t checksum_plain;
    /**
     * VRRPv3/IPv4 advertisements whose checksum covered a pseudo-header (RFC 5798).
     */
    uint32_t checksum_pseudo;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The octets of storage that an engine of this library needs. `VRRP_STORAGE_SIZE` is as much or a
 * little more, for the capacities that the program was compiled with.
 */
VRRP_EXPORT size_t vrrp_storage_size(void);

/**
 * The alignment that storage needs. `union vrrp_storage` has it, and so has what malloc() gives.
 */
VRRP_EXPORT size_t vrrp_storage_align(void);

/**
 * Makes an empty engine in `storage`, which is `size` octets long, and writes its handle to
 * `vrrp`. `abi` is `VRRP_ABI`.
 *
 * The storage is yours: it must stay where it is while the handle is used, and may be reused or
 * freed afterwards without a further call. To start over, initialise it again.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_ABI`: compile the program with the header of the library;
 * `VRRP_ERR_STORAGE`: `size` is below `vrrp_storage_size()`; `VRRP_ERR_ALIGN`.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_init(void *storage,
              size_t size,
              uint32_t abi,
              struct vrrp **vrrp);

/**
 * Writes the defaults of the RFC to `config`, which is `size` octets long: sizeof(struct vrrp_config).
 * There is no default for `addresses`.
 *
 * Errors: `VRRP_ERR_NULL`, `VRRP_ERR_ALIGN`; `VRRP_ERR_SIZE`: `size` is less than the struct.
 */
VRRP_EXPORT
int vrrp_config_init(struct vrrp_config *config,
                     size_t size);

/**
 * Adds a virtual router. It takes no part until `vrrp_set_enabled()`.
 *
 * Errors: `VRRP_ERR_EXISTS`, also while one with this key is being removed: wait for
 * `VRRP_OUTPUT_REMOVED`; `VRRP_ERR_ROUTERS_FULL`, `VRRP_ERR_INTERFACES_FULL`,
 * `VRRP_ERR_ADDRESSES_FULL`, `VRRP_ERR_TRACKS_FULL`: build the library with larger capacities; what
 * is wrong with `config`: `VRRP_ERR_SIZE`, `VRRP_ERR_NO_ADDRESSES`, `VRRP_ERR_BAD_ADDRESS`,
 * `VRRP_ERR_FAMILY_VERSION`, `VRRP_ERR_BAD_INTERVAL`, `VRRP_ERR_BAD_DELAY`, `VRRP_ERR_AUTH_VERSION`,
 * `VRRP_ERR_BAD_MAX_HOPS`, `VRRP_ERR_SOURCE`, and `VRRP_ERR_VALUE` for what is none of the values
 * that a field allows.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_insert(struct vrrp *vrrp,
                uint64_t now_us,
                const struct vrrp_key *key,
                const struct vrrp_config *config);

/**
 * Changes the configuration of a virtual router. Its state stays, what did not change is not
 * disturbed, and while it is Active what did change is advertised at once.
 *
 * Errors: as `vrrp_insert()`, but `VRRP_ERR_NOT_FOUND` for `VRRP_ERR_EXISTS`;
 * `VRRP_ERR_MAC_MODE_FIXED`. The configuration is then as before.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_reconfigure(struct vrrp *vrrp,
                     uint64_t now_us,
                     const struct vrrp_key *key,
                     const struct vrrp_config *config);

/**
 * Removes a virtual router, as gracefully as `vrrp_set_enabled()` stops it. It is gone when
 * `VRRP_OUTPUT_REMOVED` comes.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT int vrrp_remove(struct vrrp *vrrp, uint64_t now_us, const struct vrrp_key *key);

/**
 * Enables (`on` is not 0) or disables a virtual router. An Active one that is disabled says so with
 * priority 0 and serves its addresses until its successor is heard: four intervals at most, or ten
 * seconds if that is less; one and a half intervals if those are more than ten seconds.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`, also for one that is being removed.
 */
VRRP_EXPORT
int vrrp_set_enabled(struct vrrp *vrrp,
                     uint64_t now_us,
                     const struct vrrp_key *key,
                     int on);

/**
 * Puts `priority`, 1 to 255, in the place of the configured one; 0 goes back to that.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_set_priority(struct vrrp *vrrp,
                      uint64_t now_us,
                      const struct vrrp_key *key,
                      uint8_t priority);

/**
 * Gives up being Active in favour of whoever takes over; with nobody there it stays Active. A
 * router that resigned does not preempt until it has been Active again or its priority is set.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT int vrrp_resign(struct vrrp *vrrp, uint64_t now_us, const struct vrrp_key *key);

/**
 * States how an interface is, whenever that changes. One that was never described is down.
 *
 * Errors: `VRRP_ERR_INTERFACES_FULL`: remove one, or build the library with larger capacities;
 * `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: `reserved` is not zero.
 */
VRRP_EXPORT
int vrrp_set_interface(struct vrrp *vrrp,
                       uint64_t now_us,
                       uint32_t ifindex,
                       const struct vrrp_interface *interface);

/**
 * Forgets an interface.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_IN_USE`: remove its virtual routers first, and wait for
 * `VRRP_OUTPUT_REMOVED`.
 */
VRRP_EXPORT int vrrp_remove_interface(struct vrrp *vrrp, uint32_t ifindex);

/**
 * States whether a tracked object is up (`up` is not 0): a link, a process, whatever the number
 * means to you. Objects that nobody tracks are ignored; one that was never described is up.
 */
VRRP_EXPORT int vrrp_set_tracked(struct vrrp *vrrp, uint64_t now_us, uint16_t object, int up);

/**
 * Takes in a frame from its Ethernet header on, VLAN tag and FCS removed.
 *
 * Answers `VRRP_ACCEPTED`; `VRRP_NOT_VRRP`: it is for somebody else; or why it was discarded and
 * counted, one of `VRRP_DROP_*`. Nothing that a frame holds is an error of the caller. When
 * `accepted` is not NULL the key of the virtual router that accepted it is written there.
 *
 * Errors: `VRRP_ERR_NULL`: `frame` is NULL and `len` is not 0.
 */
VRRP_EXPORT
int vrrp_handle_frame(struct vrrp *vrrp,
                      uint64_t now_us,
                      uint32_t ifindex,
                      const uint8_t *frame,
                      size_t len,
                      struct vrrp_key *accepted);

/**
 * Takes in a VRRP message, that is the payload of an IP packet of protocol 112, when your stack has
 * read and checked the IP header itself. Answers as `vrrp_handle_frame()`.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: the addresses are of no family, or of
 * two.
 */
VRRP_EXPORT
int vrrp_handle_packet(struct vrrp *vrrp,
                       uint64_t now_us,
                       const struct vrrp_packet *packet,
                       const uint8_t *message,
                       size_t len,
                       struct vrrp_key *accepted);

/**
 * Does what has come due. Call it no later than `vrrp_poll_timeout()` says, and after the frames
 * that have arrived by then were handled: a host that woke late must not take a healthy Active
 * router for dead. Calling it too early or too often is no harm.
 */
VRRP_EXPORT int vrrp_handle_timeout(struct vrrp *vrrp, uint64_t now_us);

/**
 * Says that an effect could not be performed: hand back the output of kind `VRRP_OUTPUT_SET_MAC`,
 * `VRRP_OUTPUT_SET_ADDRESS` or `VRRP_OUTPUT_SET_GROUP`, unchanged. When somebody else undid it
 * later, fill in `size`, `kind`, `key` and, for an address, `address`. The engine asks again by
 * itself, and gives up being Active meanwhile where it cannot serve. What it did not ask for is
 * ignored.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: another kind, or no legal key or
 * address.
 */
VRRP_EXPORT
int vrrp_handle_failure(struct vrrp *vrrp,
                        uint64_t now_us,
                        const struct vrrp_output *output);

/**
 * Gives the next thing to do, in order. Answers 1 with `output` filled in, and with the frame of
 * a `VRRP_OUTPUT_TRANSMIT` at the beginning of `buffer`; 0 when there is nothing to do. Set
 * `output->size` before the first call.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_BUFFER`: the next frame does not fit. Nothing
 * is lost: the next call gives it. `VRRP_MAX_FRAME_LEN` octets are always enough.
 */
VRRP_EXPORT
int vrrp_poll_output(struct vrrp *vrrp,
                     uint8_t *buffer,
                     size_t len,
                     struct vrrp_output *output);

/**
 * Writes to `deadline_us` when `vrrp_handle_timeout()` is to be called at the latest, by the clock
 * of your `now_us`; `VRRP_NEVER`: not before something else happens. It may lie in the past, and a
 * little before anything is due. Ask again after every input.
 *
 * Errors: `VRRP_ERR_NULL`.
 */
VRRP_EXPORT int vrrp_poll_timeout(const struct vrrp *vrrp, uint64_t *deadline_us);

/**
 * For stacks that must not answer for the virtual addresses themselves: takes an ARP request or a
 * neighbour solicitation in `frame`, and answers 1 with the frame to send in `buffer`, described by
 * `output` as a `VRRP_OUTPUT_TRANSMIT`; 0 when no answer is due, whatever the frame is. `buffer`
 * and `frame` must not overlap.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_BUFFER`: the answer does not fit;
 * `VRRP_MAX_FRAME_LEN` octets are always enough.
 */
VRRP_EXPORT
int vrrp_answer(const struct vrrp *vrrp,
                uint32_t ifindex,
                const uint8_t *frame,
                size_t frame_len,
                uint8_t *buffer,
                size_t len,
                struct vrrp_output *output);

/**
 * Takes in an ARP packet or a neighbour advertisement of another host, from its Ethernet header on.
 * Answers 1 with `key` when it answers a `VRRP_FRAME_NEIGHBOR_PROBE` of that virtual router: the Active
 * router is silent, and somebody has the address; 0 otherwise, whatever the frame is. An engine that
 * never hears of claims takes over as if nobody had answered.
 *
 * Errors: `VRRP_ERR_NULL`.
 */
VRRP_EXPORT
int vrrp_handle_claim(struct vrrp *vrrp,
                      uint32_t ifindex,
                      const uint8_t *frame,
                      size_t frame_len,
                      struct vrrp_key *key);

/**
 * Gives a virtual router keys for signed advertisements, in the place of those of before; with an `auth`
 * of NULL it has none. Call it before `vrrp_set_enabled()`, so that nothing is said or heard without a
 * signature. Its state stays, and a change of keys loses no advertisement: give the new key to every
 * host, then make it the active one on each, then take the old one away.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_AUTH_KEY`, `VRRP_ERR_AUTH_KEYS_FULL`, `VRRP_ERR_AUTH_WINDOW`,
 * `VRRP_ERR_AUTH_CONFLICT`, `VRRP_ERR_NO_CLOCK`, `VRRP_ERR_NO_HMAC`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE` for
 * what is none of the values that a field allows. The keys are then as before.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_set_auth(struct vrrp *vrrp,
                  uint64_t now_us,
                  const struct vrrp_key *key,
                  const struct vrrp_auth *auth);

/**
 * States what the wall clock says: microseconds since 1970-01-01 00:00 UTC, or `VRRP_NEVER` for none.
 * `synchronised` is not 0 if it is known to be right. Call it before the first keys, each few seconds,
 * when the clock was stepped and after the host slept; it goes on with `now_us` from there.
 *
 * Errors: `VRRP_ERR_NO_HMAC`.
 */
VRRP_EXPORT
int vrrp_set_wall_clock(struct vrrp *vrrp,
                        uint64_t now_us,
                        uint64_t unix_us,
                        uint8_t synchronised);

/**
 * States how often this host has booted, for `VRRP_REPLAY_MONOTONIC` without a clock: a number that is
 * greater after each boot, and is kept over them. `now_us` counts from the boot.
 *
 * Errors: `VRRP_ERR_NO_HMAC`.
 */
VRRP_EXPORT
int vrrp_set_boot_count(struct vrrp *vrrp,
                        uint64_t now_us,
                        uint32_t boots);

/**
 * Describes the authentication of a virtual router. Set `status->size` before.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`, also for one that has no keys;
 * `VRRP_ERR_NO_HMAC`.
 */
VRRP_EXPORT
int vrrp_auth_status(const struct vrrp *vrrp,
                     const struct vrrp_key *key,
                     struct vrrp_auth_status *status);

/**
 * Answers how many routers were heard since a virtual router has keys, `VRRP_MAX_AUTH_SENDERS` at most,
 * and writes them, in no order, to `senders`, which has room for `capacity`. With a `senders` of NULL
 * nothing is written. A router whose last advertisement was not signed is not heard any more with
 * `VRRP_AUTH_MODE_ENFORCE`; one that has only been Backup has said nothing, and is not among them.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_BUFFER`: there are more than `capacity`; `VRRP_ERR_NO_HMAC`.
 */
VRRP_EXPORT
int vrrp_auth_senders(const struct vrrp *vrrp,
                      const struct vrrp_key *key,
                      struct vrrp_auth_sender *senders,
                      size_t capacity);

/**
 * Describes a virtual router as it stands. Set `status->size` before.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_status(const struct vrrp *vrrp,
                const struct vrrp_key *key,
                struct vrrp_status *status);

/**
 * Gives the counters of a virtual router. Set `statistics->size` before.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_statistics(const struct vrrp *vrrp,
                    const struct vrrp_key *key,
                    struct vrrp_statistics *statistics);

/**
 * Writes to `count` how many packets were discarded for `reason`, one of `VRRP_DROP_*`: those for
 * the virtual router of `key`, or with a `key` of NULL those that belong to none. Counters wrap.
 * The reasons go from 1 to where `vrrp_drop_reason_name()` gives NULL.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_VALUE`: no legal key, or no such reason;
 * `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_drops(const struct vrrp *vrrp,
               const struct vrrp_key *key,
               int reason,
               uint32_t *count);

/**
 * Answers how many virtual routers there are and writes their keys, in no order, to `keys`, which
 * has room for `capacity`. With a `keys` of NULL nothing is written.
 *
 * Errors: `VRRP_ERR_BUFFER`: there are more than `capacity`, at most `vrrp_max_routers()`.
 */
VRRP_EXPORT int vrrp_keys(const struct vrrp *vrrp, struct vrrp_key *keys, size_t capacity);

/**
 * Answers how many virtual addresses a virtual router has and writes them to `addresses`, in the
 * order in which they are advertised. `addresses` has room for `capacity`; when it is NULL nothing
 * is written.
 *
 * Errors: `VRRP_ERR_VALUE`: no legal key; `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_BUFFER`: there are more
 * than `capacity`, at most `vrrp_max_addresses()`.
 */
VRRP_EXPORT
int vrrp_addresses(const struct vrrp *vrrp,
                   const struct vrrp_key *key,
                   struct vrrp_virtual_address *addresses,
                   size_t capacity);

/**
 * Gives back how an interface was last described. Set `interface->size` before.
 *
 * Errors: `VRRP_ERR_NULL`; `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`: it never was.
 */
VRRP_EXPORT
int vrrp_interface(const struct vrrp *vrrp,
                   uint32_t ifindex,
                   struct vrrp_interface *interface);

/**
 * The interfaces that an engine of this library has room for.
 */
VRRP_EXPORT size_t vrrp_max_interfaces(void);

/**
 * The virtual routers that an engine of this library has room for.
 */
VRRP_EXPORT size_t vrrp_max_routers(void);

/**
 * The addresses and unicast peers together that a virtual router has room for.
 */
VRRP_EXPORT size_t vrrp_max_addresses(void);

/**
 * The length in octets of the longest frame that this library writes: `VRRP_MAX_FRAME_LEN` for its
 * own capacities.
 */
VRRP_EXPORT size_t vrrp_max_frame_len(void);

/**
 * The number of the library's interface: `VRRP_ABI` of the header that it was built with.
 */
VRRP_EXPORT uint32_t vrrp_abi(void);

/**
 * The version of the library, such as "1.2.3". Static.
 */
VRRP_EXPORT const char *vrrp_version(void);

/**
 * An error in words, such as "no such virtual router or interface". Static, never NULL, whatever
 * the number.
 */
VRRP_EXPORT const char *vrrp_strerror(int error);

/**
 * The name of one of `VRRP_STATE_*` as logs and vrrpctl have it: "init", "backup" or "master".
 * Static; NULL for another number.
 */
VRRP_EXPORT const char *vrrp_state_name(uint8_t state);

/**
 * One of `VRRP_REASON_*` in words, such as "the master gave up mastership". Static; NULL for
 * another number.
 */
VRRP_EXPORT const char *vrrp_reason_text(uint8_t reason);

/**
 * A short name of one of `VRRP_DROP_*` for logs and statistics, such as "checksum-errors": where
 * RFC 8347 has a counter for it, the name of that. Static; NULL for another number.
 */
VRRP_EXPORT const char *vrrp_drop_reason_name(int reason);

/**
 * The name of one of `VRRP_FRAME_*`, such as "gratuitous ARP". Static; NULL for another number.
 */
VRRP_EXPORT const char *vrrp_frame_kind_name(uint8_t kind);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* VRRP_H */
