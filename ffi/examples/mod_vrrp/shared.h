/* What the two halves of mod_vrrp share: the module inside httpd, and the agent, a process of its own
 * that takes part in the election. */
#ifndef MOD_VRRP_SHARED_H
#define MOD_VRRP_SHARED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* More virtual routers than this are elected but not shown. */
#define BOARD_ROWS 16
#define BOARD_ADDRESSES 8
/* A configuration and its listening sockets travel in one datagram. */
#define MESSAGE_MAX 60000
#define LISTENERS_MAX 64

/* What the agent is doing about this httpd. */
enum phase {
    PHASE_WAITING,    /* for httpd to be ready: takes no part in the election */
    PHASE_SERVING,    /* takes part */
    PHASE_FINISHING,  /* responses end their connections; new connections are still taken */
    PHASE_CLOSING,    /* new connections to the service addresses wait for the successor */
    PHASE_ALONE,      /* has resigned, and serves on because nobody takes over */
    PHASE_DRAINED     /* the addresses are elsewhere, or nowhere */
};

/* One virtual router, in words. */
struct board_row {
    char interface[16];
    char state[12];
    char reason[64];
    char master[48];
    char addresses[BOARD_ADDRESSES][52];
    uint64_t since_us;
    uint8_t family;
    uint8_t vrid;
    uint8_t priority;
    uint8_t master_priority;
};

/* In shared memory. The agent writes it but for the first three fields; `sequence` is odd meanwhile. */
struct board {
    uint32_t workers;     /* httpd's processes that live: the parent counts */
    uint32_t ready;       /* one of them has come as far as accepting */
    uint32_t stopping;    /* httpd was told to stop gracefully */
    uint32_t sequence;
    uint32_t phase;
    uint32_t handed_over; /* after `stopping`: nothing holds httpd back any more */
    int32_t agent;        /* 0: there is none */
    uint32_t rows;
    uint64_t now_us;      /* the clock of `since_us`, when this was written */
    struct board_row row[BOARD_ROWS];
};

/* What httpd sends to the agent: this, then the text. Beside it go the error log, where that is a file,
 * and the listening sockets. */
struct message {
    uint32_t kind;
    uint32_t has_log;
    uint32_t drain_timeout_ms;
    uint32_t keep_alive_ms;   /* how long httpd keeps an idle connection */
    uint32_t text_len;
    char drain_file[256];
};
enum { MESSAGE_CONFIGURE = 1, MESSAGE_STOP };

/* What the agent is born with. */
struct birth {
    int link;                                /* its end of the socket */
    int log_fd;                              /* where `log` writes; -1: to no file */
    int stop_signal;                         /* that httpd's parent is to have when the address has moved */
    struct board *board;
    const char *runtime_dir;
    void (*log)(int level, const char *text); /* level as in syslog(3) */
};

/* Takes part in the election until httpd's parent is gone or closes its end of the link. */
void agent_main(const struct birth *birth) __attribute__((noreturn));

#endif
