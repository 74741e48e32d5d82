/*
 * vrrp_host.h: service addresses that survive a failing host. The library does the I/O.
 *
 * A host joins the election for virtual routers on the interfaces of this machine, takes up their
 * MACs and addresses when it is master and gives them up when it is not. Your program waits for one
 * descriptor among its own, calls vrrp_host_step() when it is readable, and is told what happened. A
 * whole program (ffi/examples/serve.c):
 *
 *     #define _GNU_SOURCE // ppoll
 *     #include <poll.h>
 *     #include <signal.h>
 *     #include <stdio.h>
 *     #include <vrrp_host.h>
 *
 *     static volatile sig_atomic_t told_to_stop;
 *
 *     static void on_signal(int number)
 *     {
 *         told_to_stop = number;
 *     }
 *
 *     int main(void)
 *     {
 *         struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 10, 10, 80}}, 24};
 *         struct vrrp_config settings;
 *         struct vrrp_host_router router = {sizeof router, {"eth0", 51, VRRP_IPV4}, 0, 1, &settings, NULL};
 *         struct vrrp_host_config config = {sizeof config, &router, 1, NULL, 0};
 *         static struct vrrp_host_event event;
 *         struct pollfd waited = {0, POLLIN, 0};
 *         struct vrrp_host *host;
 *         char message[512];
 *         sigset_t held, waiting;
 *
 *         // The signal is taken while we wait and at no other time: one before that is not lost.
 *         sigemptyset(&held);
 *         sigaddset(&held, SIGTERM);
 *         sigprocmask(SIG_BLOCK, &held, &waiting);
 *         signal(SIGTERM, on_signal);
 *
 *         vrrp_host_settings_init(&settings, sizeof settings);
 *         settings.priority = 150;
 *         settings.addresses = &service;
 *         settings.addresses_len = 1;
 *         if (vrrp_host_open(VRRP_ABI, &config, NULL, &host, message, sizeof message) < 0) {
 *             fprintf(stderr, "%s\n", message);       // which field is wrong, and why
 *             return 1;
 *         }
 *         waited.fd = vrrp_host_fd(host);
 *         event.size = sizeof event;
 *         for (;;) {
 *             vrrp_host_step(host);
 *             while (vrrp_host_next_event(host, &event) == 1)
 *                 puts(event.text);                   // and event.kind, event.to, ...
 *             if (vrrp_host_is_stopped(host))
 *                 break;
 *             ppoll(&waited, 1, NULL, &waiting);
 *             if (told_to_stop)
 *                 vrrp_host_shutdown(host);           // and go on until it has stopped
 *         }
 *         vrrp_host_close(host);
 *         return 0;
 *     }
 *
 * In this order the header has: numbers (errors, limits, objects, kinds of events, levels); structs;
 * functions (a host's making and end, its loop, its configuration, the administrator's calls, and
 * questions).
 *
 * The rules of vrrp.h hold here, and these:
 *
 * - VRRP_ERR_NULL, VRRP_ERR_HANDLE, VRRP_ERR_ALIGN, VRRP_ERR_VALUE (an id names VRID 0, no family or
 *   no interface; a string is not UTF-8), VRRP_ERR_HOST_FORKED and VRRP_ERR_HOST_BUSY can come from
 *   every function. Functions list what else can go wrong. A call that fails has changed nothing;
 *   where there is a `message` it is written all the same.
 * - Privileges: CAP_NET_ADMIN and CAP_NET_RAW in the user namespace that owns the network namespace,
 *   for the life of the host, and a directory to write to: see struct vrrp_host_options. A program that
 *   drops its privileges keeps these two. On FreeBSD: root.
 * - Threads: one call at a time on a handle, in any thread. A second one is refused with
 *   VRRP_ERR_HOST_BUSY, not waited for. Different handles know nothing of each other. The library
 *   may have a thread of its own, which takes no signals, and which vrrp_host_close() ends.
 * - Network namespaces: a host belongs to the one of the thread that opened it. Call it from threads
 *   in the same one. Two hosts of one namespace must not have the same virtual router, and a vrrpd
 *   beside them counts.
 * - Forks: a child inherits the descriptors, all of which are close-on-exec. One that executes
 *   another program has nothing to do. One that does not should call vrrp_host_close() soon, which
 *   there leaves the network alone, lest it keep a dead parent's notes locked (not on FreeBSD, where
 *   it closes nothing); every other call is refused with VRRP_ERR_HOST_FORKED.
 * - Signals, children and exit: the library installs no handlers, changes no mask, makes no child
 *   and waits for none, and nothing runs at exit(). It uses malloc(), and ends the process where
 *   that fails. It prints nothing.
 * - A program that ends without vrrp_host_close() leaves its addresses and MACs behind, as one does
 *   that is killed: the next host with the same directory, or vrrpd, removes them when it is opened.
 * - No call waits for the network or for other programs. Opening, reloading and closing wait for the
 *   kernel, some tens of milliseconds for each virtual MAC.
 * - Strings that the library gives end with a 0 and are UTF-8. Pointers that it is given are not
 *   kept: arrays and strings may go as soon as the call returns.
 */


#ifndef VRRP_HOST_H
#define VRRP_HOST_H

#include <stddef.h>
#include <stdint.h>
#include "vrrp.h"

/**
 * The configuration cannot be had: the message says which field or line, and why.
 */
#define VRRP_ERR_HOST_CONFIG (-40)

/**
 * The operating system does not permit it: run as root, or with CAP_NET_ADMIN and CAP_NET_RAW.
 */
#define VRRP_ERR_HOST_DENIED (-41)

/**
 * The operating system refused something: the message, or a `VRRP_HOST_EVENT_PROBLEM`, says what.
 */
#define VRRP_ERR_HOST_SYSTEM (-42)

/**
 * The handle belongs to another process, of which this one is a fork: it can only be closed here.
 */
#define VRRP_ERR_HOST_FORKED (-43)

/**
 * Another call on the handle is under way in another thread: let one thread at a time call.
 */
#define VRRP_ERR_HOST_BUSY (-44)

/**
 * The host is shutting down and takes no other configuration.
 */
#define VRRP_ERR_HOST_STOPPING (-45)

/**
 * The octets for the name of an interface, its final 0 included.
 */
#define VRRP_HOST_NAME_SIZE 16

/**
 * The octets for an event in words, the final 0 included.
 */
#define VRRP_HOST_TEXT_SIZE 512

/**
 * Addresses and unicast peers of one virtual router, at most. `VRRP_MAX_ADDRESSES` of vrrp.h is
 * about engines of your own.
 */
#define VRRP_HOST_MAX_ADDRESSES 64

/**
 * Virtual routers of one host, at most.
 */
#define VRRP_HOST_MAX_ROUTERS 1024

/**
 * Interfaces with virtual routers, at most.
 */
#define VRRP_HOST_MAX_INTERFACES 64

/**
 * The interface `id.interface`: down while it is not up or does not exist.
 */
#define VRRP_HOST_OBJECT_INTERFACE 1

/**
 * The virtual router `id` of this host: down while its interface is down, has no address to
 * advertise from, or an effect failed. What it tracks itself does not count.
 */
#define VRRP_HOST_OBJECT_ROUTER 2

/**
 * An object of yours called `name`: `vrrp_host_set_tracked()` says how it is; up until then.
 */
#define VRRP_HOST_OBJECT_NAMED 3

/**
 * The virtual router `id` changed its state `from`, `to`, for `reason`; what the new state needs
 * has been done. `peer` decided it, or its silence did. `addresses` are its own.
 */
#define VRRP_HOST_EVENT_STATE_CHANGE 1

/**
 * The interface `id.interface` changed, or is told for the first time: it is `up` or not.
 */
#define VRRP_HOST_EVENT_INTERFACE 2

/**
 * `count` packets were discarded for `drop_reason` on `id.interface`, the last one from `peer`;
 * `id.vrid` is 0 where it could not be read. Told at most once a minute for each interface, VRID
 * and reason.
 */
#define VRRP_HOST_EVENT_REJECTED 3

/**
 * The operating system refused something, or somebody undid what was installed. It is tried again.
 * `text` says what; `id.vrid` is 0 where no virtual router suffers.
 */
#define VRRP_HOST_EVENT_PROBLEM 4

/**
 * `peer` advertises `their_interval_cs` for `id`, and ours is `our_interval_cs`.
 */
#define VRRP_HOST_EVENT_INTERVAL_MISMATCH 5

/**
 * `peer` advertises `their_addresses` for `id`, and ours are `addresses`.
 */
#define VRRP_HOST_EVENT_ADDRESS_MISMATCH 6

/**
 * `peer` claims, as we do, to own the addresses of `id`: both have priority 255.
 */
#define VRRP_HOST_EVENT_DUAL_OWNER 7

/**
 * We are Active for `id`, and `peer`, which should give way, goes on advertising: it does not hear
 * us, refuses what it hears, or belongs to somebody else with the same VRID.
 */
#define VRRP_HOST_EVENT_CONTESTED 8

/**
 * `vrrp_host_step()` was called `late_us` too late for a timer.
 */
#define VRRP_HOST_EVENT_STALLED 9

/**
 * The virtual router `id`, which was to be removed, is gone, and everything that it had installed.
 */
#define VRRP_HOST_EVENT_REMOVED 10

/**
 * `count` events were dropped because they were not fetched. The last state of a virtual router is
 * never among them.
 */
#define VRRP_HOST_EVENT_LOST 11

/**
 * The Active router of `id` is silent, and a host that is not heard answers for `addresses`: it is cut
 * off in one direction, or died and left the address behind. `text` has its MAC.
 */
#define VRRP_HOST_EVENT_UNHEARD 12

/**
 * Something that this library has no number for: `text` says what.
 */
#define VRRP_HOST_EVENT_OTHER 255

/**
 * Part of ordinary life.
 */
#define VRRP_HOST_LEVEL_INFO 0

/**
 * Somebody should look.
 */
#define VRRP_HOST_LEVEL_WARNING 1

/**
 * A host: virtual routers on the interfaces of this machine. It is made by `vrrp_host_open()` or
 * `vrrp_host_open_config()` and freed by `vrrp_host_close()`.
 */
struct vrrp_host;

/**
 * The name of a virtual router of a host: {"eth0", 51, VRRP_IPV4}.
 */
struct vrrp_host_id {
    /**
     * The name of its interface, ended by a 0.
     */
    char interface[VRRP_HOST_NAME_SIZE];
    /**
     * The virtual router identifier, 1 to 255.
     */
    uint8_t vrid;
    /**
     * `VRRP_IPV4` or `VRRP_IPV6`.
     */
    uint8_t family;
};

/**
 * One virtual router of a host.
 */
struct vrrp_host_router {
    /**
     * sizeof(struct vrrp_host_router), the same in all of an array.
     */
    uint32_t size;
    /**
     * Its name.
     */
    struct vrrp_host_id id;
    /**
     * 1: its addresses, but for link-local ones, are on the loopback at all times, so that services
     * bind them once; there no neighbour is answered for them. Needs `accept`.
     */
    uint8_t silent;
    /**
     * 1: TCP connections of an address are reset when it is given up while the interface is up.
     */
    uint8_t reset_connections;
    /**
     * Its configuration, begun with `vrrp_host_settings_init()`. The `object` of its tracks is an index of
     * `objects` in `struct vrrp_host_config`.
     */
    const struct vrrp_config *config;
    /**
     * NULL, or for each of `config->addresses` the name of the interface that carries it; a name
     * of NULL is the interface that carries the MAC of the virtual router. Another one needs
     * `accept`.
     */
    const char *const *carriers;
};

/**
 * Something whose state matters to virtual routers.
 */
struct vrrp_host_object {
    /**
     * The name of a `VRRP_HOST_OBJECT_NAMED`, 1 to 255 octets of UTF-8; else unused.
     */
    const char *name;
    /**
     * The interface or virtual router of a `VRRP_HOST_OBJECT_INTERFACE` or `VRRP_HOST_OBJECT_ROUTER`; else unused.
     */
    struct vrrp_host_id id;
    /**
     * One of `VRRP_HOST_OBJECT_*`.
     */
    uint8_t kind;
    /**
     * Zero.
     */
    uint8_t reserved;
};

/**
 * Everything that a host is to do.
 */
struct vrrp_host_config {
    /**
     * sizeof(struct vrrp_host_config).
     */
    uint32_t size;
    /**
     * The virtual routers, each named once.
     */
    const struct vrrp_host_router *routers;
    /**
     * How many. None: the host waits for a reload.
     */
    size_t routers_len;
    /**
     * The objects that virtual routers track.
     */
    const struct vrrp_host_object *objects;
    /**
     * How many.
     */
    size_t objects_len;
};

/**
 * How a host is opened. Set all of it to zero first: zero is the default of each.
 */
struct vrrp_host_options {
    /**
     * sizeof(struct vrrp_host_options).
     */
    uint32_t size;
    /**
     * Where it is noted what is installed, so that the next life can clean up after a crash: a
     * directory that is empty after a reboot. It is made when missing. NULL: what the text of the
     * configuration says, else /run/vrrpd (/var/run/vrrpd on FreeBSD), which is vrrpd's: either
     * cleans up after the other.
     */
    const char *runtime_dir;
    /**
     * The name of the configuration's text in messages, such as its file's. NULL: "config".
     */
    const char *config_name;
    /**
     * Where the boot count is kept that numbers of `antireplay = monotonic` begin with: a directory
     * that survives a reboot, and is not that of a vrrpd that runs. It is made when missing. NULL: what
     * the text of the configuration says with `statedir`; where that says nothing either, such
     * a text is refused.
     */
    const char *state_dir;
};

/**
 * Something that happened. Fields that a kind does not name are zero.
 */
struct vrrp_host_event {
    /**
     * Set it to sizeof(struct vrrp_host_event).
     */
    uint32_t size;
    /**
     * One of `VRRP_HOST_EVENT_STATE_CHANGE` and what follows, which name the fields that they fill in.
     */
    uint8_t kind;
    /**
     * `VRRP_HOST_LEVEL_INFO` or `VRRP_HOST_LEVEL_WARNING`: how much it matters in a log.
     */
    uint8_t level;
    /**
     * One of `VRRP_STATE_*`: the state before.
     */
    uint8_t from;
    /**
     * The state now.
     */
    uint8_t to;
    /**
     * One of `VRRP_REASON_*`.
     */
    uint8_t reason;
    /**
     * 1: the interface is up.
     */
    uint8_t up;
    /**
     * The virtual router, or the interface alone with a VRID of 0.
     */
    struct vrrp_host_id id;
    /**
     * The other router. Family 0: there is none.
     */
    struct vrrp_peer peer;
    /**
     * One of `VRRP_DROP_*`.
     */
    uint16_t drop_reason;
    /**
     * Our interval in centiseconds.
     */
    uint16_t our_interval_cs;
    /**
     * Its interval in centiseconds.
     */
    uint16_t their_interval_cs;
    /**
     * How many of `addresses` there are.
     */
    uint16_t addresses_len;
    /**
     * How many of `their_addresses` there are.
     */
    uint16_t their_addresses_len;
    /**
     * How often.
     */
    uint64_t count;
    /**
     * How late.
     */
    uint64_t late_us;
    /**
     * The virtual addresses of `id`.
     */
    struct vrrp_virtual_address addresses[VRRP_HOST_MAX_ADDRESSES];
    /**
     * The addresses that the other router advertises.
     */
    struct vrrp_address their_addresses[VRRP_HOST_MAX_ADDRESSES];
    /**
     * All of it in one line for a log, in UTF-8, cut with "..." where it is too long. Never empty.
     */
    char text[VRRP_HOST_TEXT_SIZE];
};

/**
 * How a host serves a virtual router.
 */
struct vrrp_host_service {
    /**
     * Set it to sizeof(struct vrrp_host_service).
     */
    uint32_t size;
    /**
     * `VRRP_MAC_VIRTUAL` or `VRRP_MAC_INTERFACE`.
     */
    uint8_t mac_mode;
    /**
     * The MAC that answers for the addresses while it is Active.
     */
    uint8_t mac[6];
    /**
     * 1: it is being removed, stopping, or serving until its successor is heard.
     */
    uint8_t leaving;
    /**
     * The interface that carries the virtual MAC. Empty: the interface's own MAC is used, or the
     * interface does not exist.
     */
    char mac_interface[VRRP_HOST_NAME_SIZE];
    /**
     * The source of its advertisements. Family 0: the interface has no address for it.
     */
    struct vrrp_address source;
    /**
     * 1: its interface is up.
     */
    uint8_t interface_up;
    /**
     * 1: the operating system is not ready for it, so that it waits in Initialize and is tried again.
     */
    uint8_t refused;
};

/**
 * The name of an interface.
 */
struct vrrp_host_name {
    /**
     * Ended by a 0.
     */
    char name[VRRP_HOST_NAME_SIZE];
};

/**
 * A router that is, or was, master of a virtual router on one of our segments, ours or not. Two
 * fresh ones of the same virtual router are two masters.
 */
struct vrrp_host_sighting {
    /**
     * Set it to sizeof(struct vrrp_host_sighting).
     */
    uint32_t size;
    /**
     * The virtual router, which need not be one of ours.
     */
    struct vrrp_host_id id;
    /**
     * The MAC of its advertisements.
     */
    uint8_t mac[6];
    /**
     * The source of its advertisements and the priority that it advertised last; 0 when it stopped.
     */
    struct vrrp_peer router;
    /**
     * 2 or 3.
     */
    uint8_t version;
    /**
     * 1: it has stopped, or was not heard for three of its intervals and the longest skew.
     */
    uint8_t stale;
    /**
     * 1: this virtual router is configured here, too.
     */
    uint8_t ours;
    /**
     * 1: it is this host.
     */
    uint8_t is_self;
    /**
     * The interval that it advertised, in centiseconds.
     */
    uint16_t interval_cs;
    /**
     * How many of `addresses` there are.
     */
    uint16_t addresses_len;
    /**
     * How long ago it was heard.
     */
    uint64_t age_us;
    /**
     * The virtual addresses that it advertised.
     */
    struct vrrp_address addresses[VRRP_HOST_MAX_ADDRESSES];
    /**
     * 1: its advertisements are refused for `drop_reason`, so that it does not count in the election
     * and may be master beside us. One that is no longer heard is not listed.
     */
    uint8_t refused;
    /**
     * Zero.
     */
    uint8_t reserved[5];
    /**
     * VRRP_DROP_*.
     */
    uint16_t drop_reason;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Opens a host in the network namespace of the calling thread and makes everything ready for the
 * virtual routers of `config`. What a killed process has left there is removed first. Nothing is
 * sent or received before the first `vrrp_host_step()`: until then, `vrrp_host_set_tracked()` can
 * say that something is not up yet, and `vrrp_host_set_enabled()` can hold a virtual router back.
 *
 * A virtual router whose interface cannot do what is needed, such as a tunnel without Ethernet,
 * keeps no other from starting: it waits in Initialize, a `VRRP_HOST_EVENT_PROBLEM` says why, `refused`
 * of `vrrp_host_service()` is 1, and it is tried again, at the latest a minute later.
 *
 * `abi` is `VRRP_ABI`. `options` may be NULL: the default of each. On success the handle is written
 * to `host`; close it with `vrrp_host_close()`. `message` may be NULL; else it points to
 * `message_size` octets, and in case of an error they say what is wrong with which field, or what
 * the operating system refused; otherwise they become an empty string. The texts end with a 0 and
 * are cut with "..." where they are too long.
 *
 * Errors: `VRRP_ERR_ABI`: compile the program with the header of the library;
 * `VRRP_ERR_HOST_DENIED`; `VRRP_ERR_HOST_SYSTEM`; what is wrong with `config`: the errors of
 * `vrrp_insert()`, `VRRP_ERR_EXISTS` for a virtual router that is named twice,
 * `VRRP_ERR_NOT_FOUND` for a tracked one that does not exist, `VRRP_ERR_HOST_CONFIG` for an address
 * that two have, or one that tracks itself.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_host_open(uint32_t abi,
                   const struct vrrp_host_config *config,
                   const struct vrrp_host_options *options,
                   struct vrrp_host **host,
                   char *message,
                   size_t message_size);

/**
 * Writes the defaults of vrrpd to `settings`, which is `size` octets long: sizeof(struct vrrp_config).
 * They are those of `vrrp_config_init()` but for `accept`, which is 1: the host takes packets to its
 * addresses. There is no default for `addresses`.
 *
 * Errors: `VRRP_ERR_NULL`, `VRRP_ERR_ALIGN`; `VRRP_ERR_SIZE`: `size` is less than the struct.
 */
VRRP_EXPORT
int vrrp_host_settings_init(struct vrrp_config *settings,
                            size_t size);

/**
 * Opens a host as `vrrp_host_open()` does, with the `text_len` octets of `text` as its
 * configuration: the language of vrrpd.conf(5). Event scripts are refused, for it is the program
 * that acts on events; keys that only a daemon has a use for are said to have no effect.
 *
 * On success `message` holds what there is to know about the text, a warning or note a line; it is
 * empty when there is nothing. With `antireplay = monotonic` a boot count is taken from the disk, and
 * a warning says when it does not go on from the one before or cannot be kept. In case of an error it holds everything that is wrong, a line each:
 * "config:12: priority: expected a number from 1 to 255, found `300`".
 *
 * Errors: `VRRP_ERR_HOST_CONFIG`: the text; else as `vrrp_host_open()`.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_host_open_config(uint32_t abi,
                          const char *text,
                          size_t text_len,
                          const struct vrrp_host_options *options,
                          struct vrrp_host **host,
                          char *message,
                          size_t message_size);

/**
 * Reads a text as `vrrp_host_open_config()` does and opens nothing: for a program's own check of its
 * configuration. What cannot work on this host as it is now is an error, too; opening and reloading leave
 * only that virtual router down. `config_name` is what messages call it; NULL: "config".
 * `message` is filled in as there.
 *
 * Errors: `VRRP_ERR_HOST_CONFIG`: the text.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_host_check_config(const char *text,
                           size_t text_len,
                           const char *config_name,
                           char *message,
                           size_t message_size);

/**
 * The descriptor to wait for: it is readable when `vrrp_host_step()` has something to do, timers
 * included. It is the same for the life of the host; poll, epoll, kqueue and every event loop take
 * it, level-triggered (with EPOLLET or EV_CLEAR you would miss what a step leaves for the next). Do
 * not read from it, and do not close it.
 */
VRRP_EXPORT int vrrp_host_fd(struct vrrp_host *host);

/**
 * Receives what has arrived, does what has come due, and performs what follows. Call it once after
 * opening, and then whenever the descriptor is readable. It does not block; the work of one call is
 * bounded, and what remains keeps the descriptor readable.
 *
 * Errors: `VRRP_ERR_HOST_SYSTEM` and `VRRP_ERR_HOST_DENIED`: a part of it failed, and the next
 * event, a `VRRP_HOST_EVENT_PROBLEM`, says what, once a minute when it lasts. The host goes on: step
 * again as ever, but 20 ms later, lest a lasting fault become a busy loop.
 */
VRRP_EXPORT
int vrrp_host_step(struct vrrp_host *host);

/**
 * Takes the next thing that happened. Answers 1 with `event` filled in, 0 when there is nothing
 * new. Take events until it answers 0 after `vrrp_host_step()`, and after every call that changes
 * something. Set `event->size` before the first.
 *
 * A program that does not keep up loses events, and is told so by a `VRRP_HOST_EVENT_LOST`; memory stays
 * bounded, and the last state of every virtual router is kept.
 *
 * Errors: `VRRP_ERR_SIZE`. No event is lost by it.
 */
VRRP_EXPORT
int vrrp_host_next_event(struct vrrp_host *host,
                         struct vrrp_host_event *event);

/**
 * Goes over to another configuration, wholly or, with an error, not at all. Virtual routers that
 * did not change are not touched; those that are gone stop gracefully, and a `VRRP_HOST_EVENT_REMOVED`
 * follows. A priority that was set by `vrrp_host_set_priority()` stays until the configured one
 * changes. On success `message` says how many were added, changed, removed and left alone.
 *
 * Errors: as `vrrp_host_open()`; `VRRP_ERR_HOST_STOPPING`.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_host_reload(struct vrrp_host *host,
                     const struct vrrp_host_config *config,
                     char *message,
                     size_t message_size);

/**
 * Goes over to the configuration of a text, as `vrrp_host_reload()` does. Remarks about the text
 * come before the summary in `message`, a line each. The directory of `runtimedir` stays the one
 * that the host was opened with. A boot count is taken if there is none yet, or the last one is not on
 * the disk, which this call then waits for.
 *
 * Errors: as `vrrp_host_open_config()`; `VRRP_ERR_HOST_STOPPING`.
 */
VRRP_EXPORT
VRRP_CHECK_RESULT
int vrrp_host_reload_config(struct vrrp_host *host,
                            const char *text,
                            size_t text_len,
                            char *message,
                            size_t message_size);

/**
 * Puts `priority`, 1 to 255, in the place of the configured one; 0 goes back to that.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_host_set_priority(struct vrrp_host *host,
                           const struct vrrp_host_id *id,
                           uint8_t priority);

/**
 * Gives up being Active in favour of whoever takes over; with nobody there it stays Active. A
 * router that resigned does not preempt until it has been Active again or its priority is set.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT int vrrp_host_resign(struct vrrp_host *host, const struct vrrp_host_id *id);

/**
 * Stops a virtual router gracefully (`on` is 0), or starts it again.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_host_set_enabled(struct vrrp_host *host,
                          const struct vrrp_host_id *id,
                          int on);

/**
 * States whether the `VRRP_HOST_OBJECT_NAMED` of this name is up (`up` is not 0): your database,
 * your readiness to serve. Until it is stated first, it is up.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`: no virtual router tracks it.
 */
VRRP_EXPORT int vrrp_host_set_tracked(struct vrrp_host *host, const char *name, int up);

/**
 * Begins to stop every virtual router gracefully: those that are Active say so with priority 0 and
 * serve their addresses until the successor is heard, four intervals at most, as with
 * `vrrp_set_enabled()`. Go on stepping until `vrrp_host_is_stopped()` answers 1, then close; or close
 * when you cannot wait.
 */
VRRP_EXPORT
int vrrp_host_shutdown(struct vrrp_host *host);

/**
 * Answers 1 when a shutdown is complete, else 0. An address whose TCP connections are being reset may still
 * be on the loopback then; it goes soon, and when the host is closed at the latest. Ask before you wait
 * again: a host that has stopped makes its descriptor readable no more.
 */
VRRP_EXPORT
int vrrp_host_is_stopped(struct vrrp_host *host);

/**
 * Removes at once everything that the host has installed, and frees the handle; NULL is no harm.
 * Others are not told: without a shutdown before it they take over when they miss us. Removing
 * takes some tens of milliseconds. What cannot be removed, the next life removes.
 *
 * In a fork of the process that opened the host it closes the descriptors, frees the memory and
 * leaves the network to the parent.
 *
 * Errors: `VRRP_ERR_HANDLE`; `VRRP_ERR_HOST_BUSY`: nothing was done.
 */
VRRP_EXPORT int vrrp_host_close(struct vrrp_host *host);

/**
 * Writes to `now_us` the time of the host's clock, which `since_us` and `active_last_heard_us` of
 * a status are by.
 */
VRRP_EXPORT int vrrp_host_now(struct vrrp_host *host, uint64_t *now_us);

/**
 * Answers how many virtual routers there are, those that are being removed included, and writes
 * their names to `ids`, which has room for `capacity`. With an `ids` of NULL nothing is written.
 *
 * Errors: `VRRP_ERR_BUFFER`: there are more than `capacity`, at most `VRRP_HOST_MAX_ROUTERS`.
 */
VRRP_EXPORT
int vrrp_host_routers(struct vrrp_host *host,
                      struct vrrp_host_id *ids,
                      size_t capacity);

/**
 * Describes a virtual router as it stands. `status->key.ifindex` is a number of the host, not of
 * the operating system. Set `status->size` before.
 *
 * Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_host_status(struct vrrp_host *host,
                     const struct vrrp_host_id *id,
                     struct vrrp_status *status);

/**
 * Gives the counters of a virtual router. Set `statistics->size` before.
 *
 * Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_host_statistics(struct vrrp_host *host,
                         const struct vrrp_host_id *id,
                         struct vrrp_statistics *statistics);

/**
 * Tells how the host serves a virtual router: with which MAC, on which interface, from which
 * address. Set `service->size` before.
 *
 * Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_host_service(struct vrrp_host *host,
                      const struct vrrp_host_id *id,
                      struct vrrp_host_service *service);

/**
 * Answers how many virtual addresses a virtual router has and writes them to `addresses`, in the
 * order in which they are advertised. `addresses` has room for `capacity`; when it is NULL nothing
 * is written.
 *
 * Errors: `VRRP_ERR_NOT_FOUND`; `VRRP_ERR_BUFFER`: there are more than `capacity`, at most
 * `VRRP_HOST_MAX_ADDRESSES`.
 */
VRRP_EXPORT
int vrrp_host_addresses(struct vrrp_host *host,
                        const struct vrrp_host_id *id,
                        struct vrrp_virtual_address *addresses,
                        size_t capacity);

/**
 * Writes to `count` how many packets were discarded for `reason`, one of `VRRP_DROP_*`: those for
 * the virtual router `id`, or with an `id` of NULL those that belong to none. Counters wrap.
 *
 * Errors: `VRRP_ERR_VALUE`: no such reason; `VRRP_ERR_NOT_FOUND`.
 */
VRRP_EXPORT
int vrrp_host_drops(struct vrrp_host *host,
                    const struct vrrp_host_id *id,
                    int reason,
                    uint32_t *count);

/**
 * Answers how many interfaces are watched and writes their names to `names`, which has room for
 * `capacity`. With a `names` of NULL nothing is written.
 *
 * Errors: `VRRP_ERR_BUFFER`: there are more than `capacity`.
 */
VRRP_EXPORT
int vrrp_host_interfaces(struct vrrp_host *host,
                         struct vrrp_host_name *names,
                         size_t capacity);

/**
 * Tells how a watched interface is. Set `interface->size` before.
 *
 * Errors: `VRRP_ERR_SIZE`; `VRRP_ERR_NOT_FOUND`: it is not watched.
 */
VRRP_EXPORT
int vrrp_host_interface(struct vrrp_host *host,
                        const char *name,
                        struct vrrp_interface *interface);

/**
 * Writes to `count` how many packets that came in by a watched interface were discarded for
 * `reason`, one of `VRRP_DROP_*`.
 *
 * Errors: `VRRP_ERR_VALUE`: no such reason; `VRRP_ERR_NOT_FOUND`: it is not watched.
 */
VRRP_EXPORT
int vrrp_host_interface_drops(struct vrrp_host *host,
                              const char *name,
                              int reason,
                              uint64_t *count);

/**
 * Writes to `sighting` one of the masters that are, or lately were, heard on our segments, ourselves
 * included, and answers 1; 0: there is none with this `index`. They count from 0. With an `index` of 0
 * the library takes a new look, and with any other it goes on in that, so that none is told twice or
 * left out. Set `sighting->size` before.
 *
 * Errors: `VRRP_ERR_SIZE`.
 */
VRRP_EXPORT
int vrrp_host_segment(struct vrrp_host *host,
                      size_t index,
                      struct vrrp_host_sighting *sighting);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* VRRP_HOST_H */
