#include "drain.h"

#include <errno.h>
#include <linux/filter.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A filter on a listening socket sees segments from the TCP header on; headers below are reached by
 * offsets from SKF_NET_OFF. */
#define NETWORK(offset) ((uint32_t)(SKF_NET_OFF + (offset)))
#define TCP_FLAGS 13
#define TCP_SYN 0x02
#define FILTER_MAX 4096

static uint32_t word(const uint8_t *octets)
{
    return (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 | octets[3];
}

static void put(struct sock_filter *code, size_t *len, uint16_t op, uint8_t yes, uint8_t no, uint32_t k)
{
    struct sock_filter instruction = {op, yes, no, k};
    code[(*len)++] = instruction;
}

/* Drop when the destination is `octets`, else fall through to what follows. */
static void put_address(struct sock_filter *code, size_t *len, uint32_t offset, const uint8_t *octets, uint8_t words)
{
    for (uint8_t i = 0; i < words; i++) {
        uint8_t past = (uint8_t)(2 * (words - 1 - i) + 1);
        put(code, len, BPF_LD | BPF_W | BPF_ABS, 0, 0, NETWORK(offset + 4u * i));
        put(code, len, BPF_JMP | BPF_JEQ | BPF_K, 0, past, word(octets + 4 * i));
    }
    put(code, len, BPF_RET | BPF_K, 0, 0, 0);
}

/* The thread that counts, and what it is asked and has told. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked_more = PTHREAD_COND_INITIALIZER;
static struct {
    struct service services[SERVICES_MAX];
    size_t services_len;
    int marking;                 /* the next count begins with the marks */
    uint64_t asked, told, first; /* numbers of counts; those before `first` came too early */
    int all, older;
} counting;

/* A count that is under way has seen what is no more. Called with the lock. */
static void count_anew(void)
{
    counting.first = ++counting.asked;
    pthread_cond_signal(&asked_more);
}

int drain_close(const int *sockets, size_t n, const struct service *service, size_t services)
{
    struct sock_filter *code;
    struct sock_fprog program;
    size_t len = 0;
    int error = 0;

    /* Nine instructions for an IPv6 address, at most. */
    if (services * 9 + 12 > FILTER_MAX)
        return E2BIG;
    code = calloc(services * 9 + 12, sizeof *code);
    if (code == NULL)
        return ENOMEM;
    /* What is on its way must arrive: only what begins a connection is dropped. */
    put(code, &len, BPF_LD | BPF_B | BPF_ABS, 0, 0, TCP_FLAGS);
    put(code, &len, BPF_JMP | BPF_JSET | BPF_K, 1, 0, TCP_SYN);
    put(code, &len, BPF_RET | BPF_K, 0, 0, UINT32_MAX);
    for (size_t i = 0; i < services; i++) {
        int v6 = service[i].family == 6;
        uint8_t words = v6 ? 4 : 1;
        uint8_t skip = (uint8_t)(2 * words + 1);
        put(code, &len, BPF_LD | BPF_B | BPF_ABS, 0, 0, NETWORK(0));
        put(code, &len, BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4);
        put(code, &len, BPF_JMP | BPF_JEQ | BPF_K, 0, skip, v6 ? 6 : 4);
        put_address(code, &len, v6 ? 24 : 16, service[i].octets, words);
    }
    put(code, &len, BPF_RET | BPF_K, 0, 0, UINT32_MAX);

    program.len = (unsigned short)len;
    program.filter = code;
    for (size_t i = 0; i < n && error == 0; i++)
        if (setsockopt(sockets[i], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
            error = errno;
    free(code);
    if (error != 0)
        drain_open(sockets, n);
    pthread_mutex_lock(&lock);
    count_anew();
    pthread_mutex_unlock(&lock);
    return error;
}

void drain_open(const int *sockets, size_t n)
{
    int unused = 0;

    for (size_t i = 0; i < n; i++)
        /* Fails where none is attached. */
        (void)setsockopt(sockets[i], SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

/* A connection: the line of the kernel's table, from the local address to the remote port. */
#define NAME_SIZE (37 + 1 + 37 + 1)
#define MARKS_MAX 16384
static char (*marks)[NAME_SIZE];
static size_t marked;
static int marks_overflow;

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The address as the kernel's table shows it: words of the machine in hexadecimal, and an IPv4 one
 * that an IPv6 socket serves behind ::ffff. */
static void table_form(const struct service *service, int v6_table, char out[33])
{
    uint8_t octets[16] = {0};
    size_t words = v6_table ? 4 : 1;

    if (v6_table && service->family == 4) {
        octets[10] = octets[11] = 0xff;
        memcpy(octets + 12, service->octets, 4);
    } else {
        memcpy(octets, service->octets, 4 * words);
    }
    for (size_t i = 0; i < words; i++) {
        uint32_t native;
        memcpy(&native, octets + 4 * i, 4);
        snprintf(out + 8 * i, 9, "%08X", native);
    }
}

/* States in which data may still be on the way: all but those whose end both sides have agreed on. */
static int speaks(unsigned state)
{
    enum { ESTABLISHED = 1, SYN_RECV = 3, FIN_WAIT1 = 4, CLOSE_WAIT = 8, LAST_ACK = 9, CLOSING = 11, NEW_SYN_RECV = 12 };

    return state == ESTABLISHED || state == SYN_RECV || state == FIN_WAIT1 || state == CLOSE_WAIT ||
           state == LAST_ACK || state == CLOSING || state == NEW_SYN_RECV;
}

static int was_marked(const char *name)
{
    return marked != 0 && bsearch(name, marks, marked, sizeof *marks, compare) != NULL;
}

static void mark(const char name[NAME_SIZE])
{
    if (marks == NULL)
        marks = malloc(MARKS_MAX * sizeof *marks);
    if (marks == NULL || marked == MARKS_MAX) {
        marks_overflow = 1;
        return;
    }
    memcpy(marks[marked++], name, NAME_SIZE);
}

/* Adds the connections of one table to the counts. -1: it cannot be read. */
static int walk(const char *path, int v6_table, const struct service *service, size_t services, int marking, int *all, int *older)
{
    char line[512], local[38], remote[38], name[NAME_SIZE], mine[33];
    unsigned state;
    FILE *table = fopen(path, "re");

    if (table == NULL)
        return errno == ENOENT && v6_table ? 0 : -1;
    while (fgets(line, sizeof line, table) != NULL) {
        if (sscanf(line, " %*d: %37s %37s %x", local, remote, &state) != 3 || !speaks(state))
            continue;
        for (size_t i = 0; i < services; i++) {
            if (service[i].family == 6 && !v6_table)
                continue;
            table_form(&service[i], v6_table, mine);
            if (strncmp(local, mine, v6_table ? 32 : 8) != 0)
                continue;
            snprintf(name, sizeof name, "%s %s", local, remote);
            if (marking)
                mark(name);
            ++*all;
            if (marking || marks_overflow || was_marked(name))
                ++*older;
            break;
        }
    }
    fclose(table);
    return 0;
}

static void count(const struct service *service, size_t services, int marking, int *all, int *older)
{
    if (marking) {
        marked = 0;
        marks_overflow = 0;
    }
    *all = *older = 0;
    if (walk("/proc/net/tcp", 0, service, services, marking, all, older) != 0 ||
        walk("/proc/net/tcp6", 1, service, services, marking, all, older) != 0)
        *all = *older = -1;
    if (marking && marked != 0)
        qsort(marks, marked, sizeof *marks, compare);
}

static void *count_when_asked(void *unused)
{
    static struct service services[SERVICES_MAX];

    (void)unused;
    for (;;) {
        int marking, all, older;
        size_t services_len;
        uint64_t number;

        pthread_mutex_lock(&lock);
        while (counting.told == counting.asked)
            pthread_cond_wait(&asked_more, &lock);
        number = counting.asked;
        marking = counting.marking;
        counting.marking = 0;
        services_len = counting.services_len;
        memcpy(services, counting.services, services_len * sizeof *services);
        pthread_mutex_unlock(&lock);

        count(services, services_len, marking, &all, &older);

        pthread_mutex_lock(&lock);
        counting.told = number;
        counting.all = all;
        counting.older = older;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* Starts the thread, which gets no signals: they are for the election. 0 or an errno. */
static int start_counting(void)
{
    static int started;
    sigset_t all, before;
    pthread_t thread;
    int error;

    if (started)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, count_when_asked, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return error;
    pthread_detach(thread);
    started = 1;
    return 0;
}

int drain_mark(const struct service *service, size_t services)
{
    if (services > SERVICES_MAX)
        return E2BIG;
    pthread_mutex_lock(&lock);
    memcpy(counting.services, service, services * sizeof *service);
    counting.services_len = services;
    counting.marking = 1;
    count_anew();
    pthread_mutex_unlock(&lock);
    return start_counting();
}

int drain_count(int older)
{
    int told;

    pthread_mutex_lock(&lock);
    told = counting.told < counting.first ? -1 : older ? counting.older : counting.all;
    if (counting.told == counting.asked) {
        counting.asked++;
        pthread_cond_signal(&asked_more);
    }
    pthread_mutex_unlock(&lock);
    return told;
}
