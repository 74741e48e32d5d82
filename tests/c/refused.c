/* A program that was compiled for fewer virtual routers than the library was built for is refused,
 * and helps itself by asking for the size. */
#include "check.h"

static union vrrp_storage storage;

int main(void)
{
    struct vrrp *vrrp;
    size_t size = vrrp_storage_size();
    void *enough = malloc(size);

    CHECK(sizeof storage < size);
    CHECK_INT(VRRP_ERR_STORAGE, vrrp_init(&storage, sizeof storage, VRRP_ABI, &vrrp));
    CHECK_INT(VRRP_OK, vrrp_init(enough, size, VRRP_ABI, &vrrp));
    free(enough);
    return 0;
}
