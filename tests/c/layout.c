/* What a program is compiled with, against what the library was built with. Compiles as C99 with
 * gcc and clang, as C++11, and for microcontrollers: the assertions are then all of the test. */
#include <stddef.h>

#include "vrrp.h"

#ifdef __cplusplus
#define SAME(a, b, name) static_assert((a) == (b), #name)
#else
#define SAME(a, b, name) typedef char assert_##name[(a) == (b) ? 1 : -1]
#endif

/* The size of a struct with pointers depends on them. */
#define WORDS(on_64, on_32) (sizeof(void *) == 8 ? (on_64) : (on_32))

SAME(sizeof(struct vrrp_address), 17, address);
SAME(sizeof(struct vrrp_virtual_address), 18, virtual_address);
SAME(sizeof(struct vrrp_key), 8, key);
SAME(sizeof(struct vrrp_peer), 18, peer);
SAME(sizeof(struct vrrp_track), 6, track);
SAME(sizeof(struct vrrp_interface), 32, interface);
SAME(sizeof(struct vrrp_packet), 52, packet);
SAME(sizeof(struct vrrp_output), 88, output);
SAME(sizeof(struct vrrp_status), 80, status);
SAME(sizeof(struct vrrp_statistics), 48, statistics);
SAME(sizeof(struct vrrp_config), WORDS(144, 120), config);
SAME(sizeof(struct vrrp_auth), WORDS(32, 24), auth);
SAME(sizeof(struct vrrp_auth_key), WORDS(24, 12), auth_key);
SAME(sizeof(struct vrrp_auth_status), 48, auth_status);
SAME(sizeof(struct vrrp_auth_sender), 56, auth_sender);

SAME(offsetof(struct vrrp_interface, ipv4), 11, interface_ipv4);
SAME(offsetof(struct vrrp_packet, source), 8, packet_source);
SAME(offsetof(struct vrrp_packet, ttl), 42, packet_ttl);
SAME(offsetof(struct vrrp_output, key), 4, output_key);
SAME(offsetof(struct vrrp_output, frame_len), 16, output_frame_len);
SAME(offsetof(struct vrrp_output, address), 30, output_address);
SAME(offsetof(struct vrrp_output, unicast), 48, output_unicast);
SAME(offsetof(struct vrrp_output, peer), 68, output_peer);
SAME(offsetof(struct vrrp_status, since_us), 16, status_since);
SAME(offsetof(struct vrrp_status, active), 40, status_active);
SAME(offsetof(struct vrrp_config, password), 16, config_password);
SAME(offsetof(struct vrrp_config, addresses), 56, config_addresses);
SAME(offsetof(struct vrrp_config, tracks_len), WORDS(96, 76), config_tracks_len);
SAME(offsetof(struct vrrp_config, source), WORDS(104, 80), config_source);
SAME(offsetof(struct vrrp_config, group), WORDS(125, 101), config_group);

SAME(VRRP_ABI, 2, abi);
SAME(VRRP_OK, 0, ok);
SAME(VRRP_ACCEPTED, 0, accepted);
SAME(VRRP_NOT_VRRP, 256, not_vrrp);
SAME(VRRP_V2_AND_V3, 23, both_versions);
SAME(VRRP_MAX_TRACKS, 8, tracks);
SAME(VRRP_NEVER + 1, 0, never);
SAME(sizeof(union vrrp_storage), VRRP_STORAGE_SIZE, storage);
SAME(VRRP_STORAGE_SIZE % 8, 0, storage_padding);

#if !defined(__STDC_HOSTED__) || __STDC_HOSTED__
#include <stdio.h>
#include <string.h>

/* Runs against a library that was built with the capacities that this was compiled with. */
int main(void)
{
    char version[32];
    size_t wanted = vrrp_storage_size();
    int routers = (int)VRRP_MAX_ROUTERS;

    snprintf(version, sizeof version, "%d.%d.%d", VRRP_VERSION_MAJOR, VRRP_VERSION_MINOR,
             VRRP_VERSION_PATCH);
    if (strcmp(version, vrrp_version()) != 0 || vrrp_abi() != VRRP_ABI)
        return fprintf(stderr, "version %s, abi %u\n", vrrp_version(), (unsigned)vrrp_abi()), 1;
    if (vrrp_max_interfaces() != VRRP_MAX_INTERFACES || vrrp_max_routers() != VRRP_MAX_ROUTERS ||
        vrrp_max_addresses() != VRRP_MAX_ADDRESSES || vrrp_max_frame_len() != VRRP_MAX_FRAME_LEN)
        return fprintf(stderr, "the capacities differ\n"), 1;
    /* The macro is not below, and above by no more than 64 octets and 24 for each virtual router. */
    if (wanted > VRRP_STORAGE_SIZE || VRRP_STORAGE_SIZE - wanted > 64 + 24 * (size_t)routers)
        return fprintf(stderr, "VRRP_STORAGE_SIZE %u for %u\n", (unsigned)VRRP_STORAGE_SIZE,
                       (unsigned)wanted), 1;
    printf("%d interfaces, %d routers, %d addresses: %u octets, VRRP_STORAGE_SIZE %u\n",
           (int)VRRP_MAX_INTERFACES, routers, (int)VRRP_MAX_ADDRESSES, (unsigned)wanted,
           (unsigned)VRRP_STORAGE_SIZE);
    return 0;
}
#endif
