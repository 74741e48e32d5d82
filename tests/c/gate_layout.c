/* What a program is compiled with, against what the library was built with: the gate. Compiles as
 * layout.c does. */
#include <stddef.h>

#include "vrrp_gate.h"

#ifdef __cplusplus
#define SAME(a, b, name) static_assert((a) == (b), #name)
#else
#define SAME(a, b, name) typedef char assert_##name[(a) == (b) ? 1 : -1]
#endif

SAME(sizeof(struct vrrp_gate_key), 2, key);
SAME(sizeof(struct vrrp_gate_addressee), 18, addressee);
SAME(sizeof(struct vrrp_gate_action), 52, action);
SAME(offsetof(struct vrrp_gate_action, kind), 8, action_kind);
SAME(offsetof(struct vrrp_gate_action, key), 10, action_key);
SAME(offsetof(struct vrrp_gate_action, address), 12, action_address);
SAME(offsetof(struct vrrp_gate_action, peer), 33, action_peer);

SAME(sizeof(struct vrrp_gate_reception), 28, reception);
SAME(offsetof(struct vrrp_gate_reception, frames), 4, reception_frames);
SAME(offsetof(struct vrrp_gate_reception, unheard), 8, reception_unheard);
SAME(offsetof(struct vrrp_gate_reception, reserved), 25, reception_reserved);

SAME(VRRP_GATE_TAKEN, 0, taken);
SAME(VRRP_GATE_STACK, 1, stack);
SAME(VRRP_GATE_SEND, 1, send);
SAME(VRRP_GATE_REMOVED, 5, removed);
SAME(VRRP_GATE_SET_FILTER, 6, set_filter);
SAME(sizeof(union vrrp_gate_storage), VRRP_GATE_STORAGE_SIZE, storage);
SAME(VRRP_GATE_STORAGE_SIZE % 8, 0, storage_padding);

#if !defined(__STDC_HOSTED__) || __STDC_HOSTED__
#include <stdio.h>

/* Runs against a library that was built with the capacities that this was compiled with. */
int main(void)
{
    size_t wanted = vrrp_gate_storage_size();
    int routers = (int)VRRP_MAX_ROUTERS;

    /* The macro is not below, and above by no more than 64 octets and 24 for each virtual router. */
    if (wanted > VRRP_GATE_STORAGE_SIZE ||
        VRRP_GATE_STORAGE_SIZE - wanted > 64 + 24 * (size_t)routers)
        return fprintf(stderr, "VRRP_GATE_STORAGE_SIZE %u for %u\n",
                       (unsigned)VRRP_GATE_STORAGE_SIZE, (unsigned)wanted), 1;
    printf("a gate of %d routers, %d addresses: %u octets, VRRP_GATE_STORAGE_SIZE %u\n", routers,
           (int)VRRP_MAX_ADDRESSES, (unsigned)wanted, (unsigned)VRRP_GATE_STORAGE_SIZE);
    return 0;
}
#endif
