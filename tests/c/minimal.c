/* The least that a program does with the engine: what it costs in flash is measured here. */
#include <stdio.h>

#include "vrrp.h"

#ifndef WITHOUT_ENGINE
static union vrrp_storage storage;
static uint8_t frame[VRRP_MAX_FRAME_LEN];
static const struct vrrp_virtual_address service = {{VRRP_IPV4, {10, 0, 0, 80}}, 24};
static const struct vrrp_key key = {1, 51, VRRP_IPV4};

int main(void)
{
    struct vrrp *vrrp;
    struct vrrp_interface interface = {0};
    struct vrrp_config config;
    struct vrrp_output output;
    uint64_t now = 0;

    interface.size = sizeof interface;
    interface.up = 1;
    interface.ipv4[3] = 1;
    output.size = sizeof output;
    vrrp_config_init(&config, sizeof config);
    config.addresses = &service;
    config.addresses_len = 1;
    if (vrrp_init(&storage, sizeof storage, VRRP_ABI, &vrrp) < 0 ||
        vrrp_set_interface(vrrp, now, 1, &interface) < 0 ||
        vrrp_insert(vrrp, now, &key, &config) < 0 || vrrp_set_enabled(vrrp, now, &key, 1) < 0)
        return 1;
    do {
        vrrp_handle_timeout(vrrp, now);
        while (vrrp_poll_output(vrrp, frame, sizeof frame, &output) == 1)
            vrrp_handle_frame(vrrp, now, 1, frame, output.frame_len, NULL);
        vrrp_poll_timeout(vrrp, &now);
    } while (output.kind != VRRP_OUTPUT_STATE_CHANGE || output.to != VRRP_STATE_ACTIVE);
    printf("storage for one virtual router of %d addresses: %u octets, and %u for the rest\n",
           (int)VRRP_MAX_ADDRESSES, (unsigned)VRRP_ROUTER_SIZE,
           (unsigned)(VRRP_STORAGE_SIZE - VRRP_MAX_ROUTERS * VRRP_ROUTER_SIZE));
    return 0;
}
#else
int main(void)
{
    printf("storage for one virtual router of %d addresses: %u octets, and %u for the rest\n",
           (int)VRRP_MAX_ADDRESSES, (unsigned)VRRP_ROUTER_SIZE,
           (unsigned)(VRRP_STORAGE_SIZE - VRRP_MAX_ROUTERS * VRRP_ROUTER_SIZE));
    return 0;
}
#endif
