/*
 * Preloaded into a program, gives it a wall clock that the lab can step while the program runs,
 * and leaves the machine's own alone. The file that LAB_CLOCK names begins with the seconds to add,
 * 64 bits in the machine's order, and then the state of the clock: 1 synchronised, 2 not, 0 that of
 * the machine. The monotonic clock stays what it is, as when an operator or NTP steps the time. With
 * LAB_CLOCK_ALL the programs that the program executes have it, too, whatever environment they get.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define WORDS 256

static const volatile int64_t *offset;
/* For the environment of others. Empty: they have their own clock. */
static char words[3][4096];

__attribute__((constructor)) static void find_clock(void)
{
    const char *path = getenv("LAB_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        _exit(99); /* a clock that is not stepped would prove nothing */
    void *map = mmap(NULL, 2 * sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        _exit(99);
    close(fd);
    offset = map;
    const char *preloaded = getenv("LD_PRELOAD");
    if (!getenv("LAB_CLOCK_ALL") || !preloaded)
        return;
    snprintf(words[0], sizeof words[0], "LD_PRELOAD=%s", preloaded);
    snprintf(words[1], sizeof words[1], "LAB_CLOCK=%s", path);
    snprintf(words[2], sizeof words[2], "LAB_CLOCK_ALL=1");
}

/* An environment with what another program needs for the same clock. */
static void extend(char *const *old, char *all[WORDS])
{
    int count = 0;
    while (old && old[count] && count < WORDS - 4) {
        all[count] = old[count];
        count++;
    }
    for (int word = 0; word < 3 && words[word][0]; word++)
        all[count++] = words[word];
    all[count] = NULL;
}

int execvp(const char *file, char *const arguments[])
{
    char *all[WORDS];
    extend(environ, all);
    return execvpe(file, arguments, all);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const arguments[],
                 char *const environment[])
{
    int (*next)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                const posix_spawnattr_t *, char *const[], char *const[]);
    char *all[WORDS];
    *(void **)&next = dlsym(RTLD_NEXT, "posix_spawnp");
    extend(environment, all);
    return next(pid, file, actions, attributes, arguments, all);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += *offset;
    return result;
}

int adjtimex(struct timex *state)
{
    int result = (int)syscall(SYS_adjtimex, state);
    if (result < 0 || !offset || offset[1] == 0)
        return result;
    if (offset[1] == 1) {
        state->status &= ~STA_UNSYNC;
        return TIME_OK;
    }
    state->status |= STA_UNSYNC;
    return TIME_ERROR;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
