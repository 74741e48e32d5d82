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

SAME(sizeof(vrrp_host_id_t), 18, id);
SAME(sizeof(vrrp_host_name_t), 16, name);
SAME(sizeof(vrrp_host_event_t), 2824, event);
SAME(sizeof(vrrp_host_service_t), 48, service);
SAME(sizeof(vrrp_host_sighting_t), 1160, sighting);
SAME(sizeof(vrrp_host_router_t), WORDS(40, 32), router);
SAME(sizeof(vrrp_host_object_t), WORDS(32, 24), object);
SAME(sizeof(vrrp_host_config_t), WORDS(40, 20), config);
SAME(sizeof(vrrp_host_options_t), WORDS(24, 12), options);

SAME(offsetof(vrrp_host_router_t, config), 24, router_config);
SAME(offsetof(vrrp_host_object_t, kind), WORDS(26, 22), object_kind);
SAME(offsetof(vrrp_host_event_t, id), 10, event_id);
SAME(offsetof(vrrp_host_event_t, peer), 28, event_peer);
SAME(offsetof(vrrp_host_event_t, drop_reason), 46, event_drop_reason);
SAME(offsetof(vrrp_host_event_t, count), 56, event_count);
SAME(offsetof(vrrp_host_event_t, addresses), 72, event_addresses);
SAME(offsetof(vrrp_host_event_t, text), 2312, event_text);
SAME(offsetof(vrrp_host_service_t, source), 28, service_source);
SAME(offsetof(vrrp_host_sighting_t, router), 28, sighting_router);
SAME(offsetof(vrrp_host_sighting_t, age_us), 56, sighting_age);

/* Numbers are only ever added. */
SAME(VRRP_ERR_HOST_CONFIG, -40, error_config);
SAME(VRRP_ERR_HOST_DENIED, -41, error_denied);
SAME(VRRP_ERR_HOST_SYSTEM, -42, error_system);
SAME(VRRP_ERR_HOST_FORKED, -43, error_forked);
SAME(VRRP_ERR_HOST_BUSY, -44, error_busy);
SAME(VRRP_ERR_HOST_STOPPING, -45, error_stopping);
SAME(VRRP_HOST_NAME_SIZE, 16, name_size);
SAME(VRRP_HOST_STATE_CHANGE, 1, event_state_change);
SAME(VRRP_HOST_LOST, 11, event_lost);
SAME(VRRP_HOST_OTHER, 255, event_other);

extern int translation_unit;
