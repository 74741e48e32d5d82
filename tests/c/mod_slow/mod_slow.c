/* An httpd whose processes need three seconds before they accept: a cache to fill, say. */
#include <httpd.h>
#include <http_config.h>

#include <unistd.h>

static void child_init(apr_pool_t *pool, server_rec *server)
{
    (void)pool;
    (void)server;
    sleep(3);
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_FIRST);
}

module AP_MODULE_DECLARE_DATA slow_module = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0};
