/* mod_vrrp: an httpd that owns its service address.
 *
 *     LoadModule vrrp_module modules/mod_vrrp.so
 *     VrrpRouter 80 interface=eth0 addr=10.10.10.80/32 priority=250
 *     <Location "/vrrp">
 *         SetHandler vrrp-status
 *         Require local
 *     </Location>
 *
 * httpd's parent starts an agent, a process of its own that takes part in the election through libvrrp
 * (agent.c). Here is what httpd sees: directives, the agent's birth and end, the signal for a graceful
 * stop, which waits until the address has moved, and the status page. The two halves share a page of
 * memory and a socket (shared.h). README.md tells a user what it does.
 */
#include "shared.h"

#include <vrrp_host.h>

#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <ap_listen.h>
#include <ap_mpm.h>
#include <mpm_common.h>
#include <apr_lib.h>
#include <apr_portable.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

module AP_MODULE_DECLARE_DATA vrrp_module;
APLOG_USE_MODULE(vrrp);

/* What the directives say. There is one for the whole server. */
struct settings {
    const char *text; /* a vrrpd configuration */
    const char *drain_file;
    const char *runtime_dir;
    apr_interval_time_t drain_timeout;
};

/* What outlives a restart, in the pool of the process. */
struct lasting {
    apr_shm_t *memory;
    struct board *board;
    apr_proc_t agent;
    int link; /* -1: there is no agent */
};
#define LASTING_KEY "mod_vrrp"

static struct settings settings;
static struct lasting *lasting;
static server_rec *main_server;
static pid_t parent;

/* ---- The signal for a graceful stop ---------------------------------------------------------------- */

static struct sigaction httpd_action;
static volatile sig_atomic_t hooked;

static int tell_agent_to_stop(void)
{
    struct message stop = {.kind = MESSAGE_STOP};

    return lasting->link >= 0 && lasting->board->agent != 0 &&
           send(lasting->link, &stop, sizeof stop, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof stop;
}

/* httpd closes its sockets as soon as it has this signal, so it gets it when the address has moved: the
 * agent sends the signal again. */
static void on_graceful_stop(int signal)
{
    int saved = errno;

    if (getpid() == parent && !lasting->board->handed_over) {
        int again = lasting->board->stopping;
        lasting->board->stopping = 1;
        if (again || tell_agent_to_stop()) {
            errno = saved;
            return;
        }
    }
    errno = saved;
    if (httpd_action.sa_handler != SIG_DFL && httpd_action.sa_handler != SIG_IGN)
        httpd_action.sa_handler(signal);
}

/* Takes the signal from the MPM, which takes it for itself at each start and restart. */
static void hook_signal(void)
{
    struct sigaction now, ours = {0};

    if (sigaction(AP_SIG_GRACEFUL_STOP, NULL, &now) != 0 || now.sa_handler == on_graceful_stop)
        return;
    httpd_action = now;
    ours.sa_handler = on_graceful_stop;
    ours.sa_mask = now.sa_mask;
    ours.sa_flags = now.sa_flags;
    hooked = sigaction(AP_SIG_GRACEFUL_STOP, &ours, NULL) == 0;
}

/* At a restart this module is unloaded for a moment. */
static apr_status_t unhook_signal(void *unused)
{
    (void)unused;
    if (hooked && getpid() == parent)
        sigaction(AP_SIG_GRACEFUL_STOP, &httpd_action, NULL);
    hooked = 0;
    return APR_SUCCESS;
}

/* ---- The agent ------------------------------------------------------------------------------------- */

static void agent_log(int level, const char *text)
{
    ap_log_error(APLOG_MARK, level, 0, main_server, "%s", text);
}

static int log_fd(void)
{
    apr_os_file_t fd = -1;

    if (main_server->error_log == NULL || apr_os_file_get(&fd, main_server->error_log) != APR_SUCCESS)
        return -1;
    return fd;
}

static apr_status_t start_agent(apr_pool_t *pconf);

static void agent_ended(int reason, void *data, apr_wait_t status)
{
    apr_pool_t *pconf = data;
    int state = AP_MPMQ_STOPPING;

    if (reason != APR_OC_REASON_DEATH && reason != APR_OC_REASON_LOST)
        return;
    apr_proc_other_child_unregister(data);
    close(lasting->link);
    lasting->link = -1;
    lasting->board->agent = 0;
    if (lasting->board->stopping) {
        /* Nothing is left to wait for. */
        lasting->board->handed_over = 1;
        kill(parent, AP_SIG_GRACEFUL_STOP);
        return;
    }
    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state != AP_MPMQ_STOPPING) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main_server,
                     "the VRRP agent ended unexpectedly (status %d) and is started again", (int)status);
        start_agent(pconf);
    }
}

/* Sends the configuration and the listening sockets, which a restart may have changed. */
static apr_status_t configure_agent(void)
{
    struct message head = {.kind = MESSAGE_CONFIGURE};
    union {
        char bytes[CMSG_SPACE((LISTENERS_MAX + 1) * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)settings.text, strlen(settings.text)}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    int fds[LISTENERS_MAX + 1];
    size_t n = 0;

    fds[0] = log_fd();
    if (fds[0] >= 0)
        n = head.has_log = 1;
    for (ap_listen_rec *l = ap_listeners; l != NULL && n < LISTENERS_MAX + 1; l = l->next)
        if (l->sd != NULL && apr_os_sock_get(&fds[n], l->sd) == APR_SUCCESS)
            n++;
    if (n > 0) {
        struct cmsghdr *rights;
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(n * sizeof(int));
        rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, n * sizeof(int));
    }
    head.text_len = (uint32_t)parts[1].iov_len;
    head.drain_timeout_ms = (uint32_t)apr_time_as_msec(settings.drain_timeout);
    head.keep_alive_ms = main_server->keep_alive ? (uint32_t)apr_time_as_msec(main_server->keep_alive_timeout) : 0;
    if (settings.drain_file != NULL)
        apr_cpystrn(head.drain_file, settings.drain_file, sizeof head.drain_file);
    if (sendmsg(lasting->link, &message, MSG_NOSIGNAL) < 0)
        return errno;
    return APR_SUCCESS;
}

static apr_status_t start_agent(apr_pool_t *pconf)
{
    int ends[2];
    apr_status_t status;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return errno;
    status = apr_proc_fork(&lasting->agent, main_server->process->pool);
    if (status == APR_INCHILD) {
        struct birth birth = {ends[1], log_fd(), AP_SIG_GRACEFUL_STOP, lasting->board, settings.runtime_dir, agent_log};
        agent_main(&birth);
    }
    close(ends[1]);
    if (status != APR_INPARENT) {
        close(ends[0]);
        return status;
    }
    lasting->link = ends[0];
    lasting->board->agent = lasting->agent.pid;
    apr_proc_other_child_register(&lasting->agent, agent_ended, pconf, NULL, pconf);
    return configure_agent();
}

/* Closing the link is the agent's sign to resign and end. */
static void dismiss_agent(void)
{
    if (lasting != NULL && lasting->link >= 0) {
        close(lasting->link);
        lasting->link = -1;
        lasting->board->agent = 0;
    }
}

/* ---- httpd's phases -------------------------------------------------------------------------------- */

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    settings.text = "";
    settings.drain_file = NULL;
    settings.drain_timeout = apr_time_from_sec(10);
    settings.runtime_dir = ap_runtime_dir_relative(pconf, "vrrp");
    return OK;
}

/* Also what `apachectl configtest` runs. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    char why[512];
    int listeners = 0;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    if (settings.text[0] == '\0')
        return OK;
    if (vrrp_host_check_config(settings.text, strlen(settings.text), "VrrpRouter", why, sizeof why) < 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "%s", why);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (strlen(settings.text) > MESSAGE_MAX) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "the VrrpRouter lines have more than %d characters", MESSAGE_MAX);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (ap_listen_rec *l = ap_listeners; l != NULL; l = l->next)
        listeners++;
    if (listeners > LISTENERS_MAX) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "mod_vrrp drains at most %d Listen lines, there are %d",
                     LISTENERS_MAX, listeners);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

static apr_status_t make_lasting(process_rec *process)
{
    void *known = NULL;
    apr_status_t status;

    apr_pool_userdata_get(&known, LASTING_KEY, process->pool);
    lasting = known;
    if (lasting != NULL)
        return APR_SUCCESS;
    lasting = apr_pcalloc(process->pool, sizeof *lasting);
    lasting->link = -1;
    status = apr_shm_create(&lasting->memory, sizeof *lasting->board, NULL, process->pool);
    if (status != APR_SUCCESS)
        return status;
    lasting->board = apr_shm_baseaddr_get(lasting->memory);
    memset(lasting->board, 0, sizeof *lasting->board);
    return apr_pool_userdata_setn(lasting, LASTING_KEY, NULL, process->pool);
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t status;

    (void)plog;
    (void)ptemp;
    /* httpd reads its configuration twice at a start; the first time is a rehearsal. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK;
    main_server = s;
    parent = getpid();
    status = make_lasting(s->process);
    if (status == APR_SUCCESS && settings.text[0] == '\0') {
        dismiss_agent();
        return OK;
    }
    if (status == APR_SUCCESS) {
        apr_pool_cleanup_register(pconf, NULL, unhook_signal, apr_pool_cleanup_null);
        if (lasting->link < 0) {
            status = start_agent(pconf);
        } else {
            apr_proc_other_child_register(&lasting->agent, agent_ended, pconf, NULL, pconf);
            status = configure_agent();
        }
    }
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, status, s, "cannot start the VRRP agent");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* In the parent, for each of httpd's processes. */
static void child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot, mpm_child_status state)
{
    (void)s;
    (void)pid;
    (void)generation;
    (void)slot;
    if (lasting == NULL)
        return;
    if (state == MPM_CHILD_STARTED) {
        lasting->board->workers++;
        if (lasting->link >= 0)
            hook_signal();
    } else if (state == MPM_CHILD_EXITED && lasting->board->workers > 0) {
        lasting->board->workers--;
    }
}

/* In one of httpd's processes, which accepts from now on. */
static void child_init(apr_pool_t *pool, server_rec *s)
{
    (void)pool;
    (void)s;
    if (lasting == NULL || lasting->link < 0)
        return;
    /* Only the parent holds this end: the agent ends with the parent. */
    close(lasting->link);
    lasting->link = -1;
    lasting->board->ready = 1;
}

/* While the address is about to move each response is the last of its connection. */
static int fixups(request_rec *r)
{
    uint32_t phase;

    if (lasting == NULL)
        return DECLINED;
    phase = __atomic_load_n(&lasting->board->phase, __ATOMIC_RELAXED);
    if (phase == PHASE_FINISHING || phase == PHASE_CLOSING)
        r->connection->keepalive = AP_CONN_CLOSE;
    return DECLINED;
}

/* ---- The status page ------------------------------------------------------------------------------- */

/* Copies the board while the agent does not write it. */
static int read_board(struct board *out)
{
    for (int tries = 0; tries < 1000; tries++) {
        uint32_t before = __atomic_load_n(&lasting->board->sequence, __ATOMIC_ACQUIRE);
        memcpy(out, lasting->board, sizeof *out);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (before % 2 == 0 && before == __atomic_load_n(&lasting->board->sequence, __ATOMIC_RELAXED))
            return 1;
        usleep(100);
    }
    return 0;
}

static const char *phase_word(const struct board *board)
{
    static const char *const words[] = {"waiting for httpd",   "taking part", "finishing requests",
                                        "closing connections", "alone",       "drained"};

    if (board->agent == 0)
        return "no agent";
    return board->phase < sizeof words / sizeof *words ? words[board->phase] : "unknown";
}

static void show_text(request_rec *r, const struct board *board)
{
    ap_set_content_type(r, "text/plain; charset=utf-8");
    ap_rprintf(r, "%s: %s\n", r->server->server_hostname, phase_word(board));
    for (uint32_t i = 0; i < board->rows && i < BOARD_ROWS; i++) {
        const struct board_row *row = &board->row[i];
        ap_rprintf(r, "VRID %u IPv%u on %s: %s for %" APR_UINT64_T_FMT " s, priority %u (%s)\n", row->vrid, row->family,
                   row->interface, row->state, (apr_uint64_t)((board->now_us - row->since_us) / 1000000), row->priority,
                   row->reason);
        ap_rprintf(r, "  master: %s, priority %u\n  addresses:", row->master, row->master_priority);
        for (int a = 0; a < BOARD_ADDRESSES && row->addresses[a][0] != '\0'; a++)
            ap_rprintf(r, " %s", row->addresses[a]);
        ap_rputs("\n", r);
    }
}

/* Every word on the board is of our own making or an address: nothing needs to be escaped. */
static void show_json(request_rec *r, const struct board *board)
{
    ap_set_content_type(r, "application/json");
    ap_rprintf(r, "{\"host\":\"%s\",\"phase\":\"%s\",\"agent\":%d,\"routers\":[", r->server->server_hostname,
               phase_word(board), (int)board->agent);
    for (uint32_t i = 0; i < board->rows && i < BOARD_ROWS; i++) {
        const struct board_row *row = &board->row[i];
        ap_rprintf(r,
                   "%s{\"vrid\":%u,\"family\":%u,\"interface\":\"%s\",\"state\":\"%s\",\"since_s\":%" APR_UINT64_T_FMT
                   ",\"priority\":%u,\"reason\":\"%s\",\"master\":\"%s\",\"master_priority\":%u,\"addresses\":[",
                   i == 0 ? "" : ",", row->vrid, row->family, row->interface, row->state,
                   (apr_uint64_t)((board->now_us - row->since_us) / 1000000), row->priority, row->reason, row->master,
                   row->master_priority);
        for (int a = 0; a < BOARD_ADDRESSES && row->addresses[a][0] != '\0'; a++)
            ap_rprintf(r, "%s\"%s\"", a == 0 ? "" : ",", row->addresses[a]);
        ap_rputs("]}", r);
    }
    ap_rputs("]}\n", r);
}

static int status_page(request_rec *r)
{
    struct board board;

    if (r->handler == NULL || strcmp(r->handler, "vrrp-status") != 0)
        return DECLINED;
    r->allowed |= AP_METHOD_BIT << M_GET;
    if (r->method_number != M_GET)
        return DECLINED;
    if (lasting == NULL || !read_board(&board))
        return HTTP_SERVICE_UNAVAILABLE;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (r->args != NULL && strcmp(r->args, "json") == 0)
        show_json(r, &board);
    else
        show_text(r, &board);
    return OK;
}

/* ---- Directives ------------------------------------------------------------------------------------ */

static const char *set_router(cmd_parms *cmd, void *unused, int argc, char *const argv[])
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    const char *text;
    char why[512];

    (void)unused;
    if (error != NULL)
        return error;
    if (argc < 2)
        return "VrrpRouter: expected a VRID and then key=value for each key of vrrpd.conf, such as "
               "interface=eth0 addr=10.10.10.80/32";
    text = apr_psprintf(cmd->pool, "[VRID]\nserverid = %s\n", argv[0]);
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        if (equals == NULL || equals == argv[i])
            return apr_psprintf(cmd->pool, "VrrpRouter: expected key=value, found '%s'", argv[i]);
        text = apr_psprintf(cmd->pool, "%s%.*s = %s\n", text, (int)(equals - argv[i]), argv[i], equals + 1);
    }
    if (vrrp_host_check_config(text, strlen(text), apr_psprintf(cmd->pool, "VrrpRouter %s", argv[0]), why,
                               sizeof why) < 0)
        return apr_pstrdup(cmd->pool, why);
    settings.text = apr_pstrcat(cmd->pool, settings.text, text, NULL);
    return NULL;
}

static const char *set_drain_file(cmd_parms *cmd, void *unused, const char *path)
{
    (void)unused;
    settings.drain_file = ap_runtime_dir_relative(cmd->pool, path);
    if (settings.drain_file == NULL || strlen(settings.drain_file) >= sizeof((struct message *)0)->drain_file)
        return apr_psprintf(cmd->pool, "VrrpDrainFile: expected a path of at most %d characters",
                            (int)sizeof((struct message *)0)->drain_file - 1);
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

static const char *set_drain_timeout(cmd_parms *cmd, void *unused, const char *value)
{
    (void)unused;
    /* "soon" would be 0 seconds to the parser. */
    if (!apr_isdigit(value[0]) || ap_timeout_parameter_parse(value, &settings.drain_timeout, "s") != APR_SUCCESS || settings.drain_timeout < 0 ||
        settings.drain_timeout > apr_time_from_sec(3600))
        return apr_psprintf(cmd->pool, "VrrpDrainTimeout: expected 0 to 3600 seconds, found '%s'", value);
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

static const char *set_runtime_dir(cmd_parms *cmd, void *unused, const char *path)
{
    (void)unused;
    settings.runtime_dir = ap_runtime_dir_relative(cmd->pool, path);
    if (settings.runtime_dir == NULL)
        return apr_psprintf(cmd->pool, "VrrpRuntimeDir: '%s' is no path", path);
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

static const command_rec directives[] = {
    AP_INIT_TAKE_ARGV("VrrpRouter", set_router, NULL, RSRC_CONF,
                      "a VRID, then key=value for each key of a [VRID] section of vrrpd.conf"),
    AP_INIT_TAKE1("VrrpDrainFile", set_drain_file, NULL, RSRC_CONF,
                  "while this file exists, the service addresses are left to others"),
    AP_INIT_TAKE1("VrrpDrainTimeout", set_drain_timeout, NULL, RSRC_CONF,
                  "how long requests may take to end before the addresses move (default 10 s)"),
    AP_INIT_TAKE1("VrrpRuntimeDir", set_runtime_dir, NULL, RSRC_CONF,
                  "where it is noted what is installed, for a clean-up after a crash"),
    {NULL}};

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_LAST);
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_LAST);
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(status_page, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA vrrp_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, directives, register_hooks, 0};
