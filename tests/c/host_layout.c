/* What a program of the host port is compiled with, against what the library was built with. */
#include <stddef.h>

#include "vrrp_host.h"

#ifdef __cplusplus
#define SAME(a, b, name) static_assert((a) == (b), #name)
#else
#define SAME(a, b, name) typedef char assert_##name[(a) == (b) ? 1 : -1]
#endif

/* The size of a struct with pointers depends on them. */
#define WORDS(on_64, on_32) (sizeof(void *) == 8 ? (on_64) : (on_32))

SAME(sizeof(struct vrrp_host_id), 18, id);
SAME(sizeof(struct vrrp_host_name), 16, name);
SAME(sizeof(struct vrrp_host_event), 2824, event);
SAME(sizeof(struct vrrp_host_service), 48, service);
SAME(sizeof(struct vrrp_host_sighting), 1160, sighting);
SAME(sizeof(struct vrrp_host_router), WORDS(40, 32), router);
SAME(sizeof(struct vrrp_host_object), WORDS(32, 24), object);
SAME(sizeof(struct vrrp_host_config), WORDS(40, 20), config);
SAME(sizeof(struct vrrp_host_options), WORDS(32, 16), options);

SAME(offsetof(struct vrrp_host_router, config), 24, router_config);
SAME(offsetof(struct vrrp_host_object, kind), WORDS(26, 22), object_kind);
SAME(offsetof(struct vrrp_host_event, id), 10, event_id);
SAME(offsetof(struct vrrp_host_event, peer), 28, event_peer);
SAME(offsetof(struct vrrp_host_event, drop_reason), 46, event_drop_reason);
SAME(offsetof(struct vrrp_host_event, count), 56, event_count);
SAME(offsetof(struct vrrp_host_event, addresses), 72, event_addresses);
SAME(offsetof(struct vrrp_host_event, text), 2312, event_text);
SAME(offsetof(struct vrrp_host_service, source), 28, service_source);
SAME(offsetof(struct vrrp_host_sighting, router), 28, sighting_router);
SAME(offsetof(struct vrrp_host_sighting, age_us), 56, sighting_age);

/* Numbers are only ever added. */
SAME(VRRP_ERR_HOST_CONFIG, -40, error_config);
SAME(VRRP_ERR_HOST_DENIED, -41, error_denied);
SAME(VRRP_ERR_HOST_SYSTEM, -42, error_system);
SAME(VRRP_ERR_HOST_FORKED, -43, error_forked);
SAME(VRRP_ERR_HOST_BUSY, -44, error_busy);
SAME(VRRP_ERR_HOST_STOPPING, -45, error_stopping);
SAME(VRRP_HOST_NAME_SIZE, 16, name_size);
SAME(VRRP_HOST_EVENT_STATE_CHANGE, 1, event_state_change);
SAME(VRRP_HOST_EVENT_LOST, 11, event_lost);
SAME(VRRP_HOST_EVENT_UNHEARD, 12, event_unheard);
SAME(VRRP_HOST_EVENT_OTHER, 255, event_other);

extern int translation_unit;
