/* What the C tests share. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vrrp.h"

/* Ends the test unless `expression` has the value `expected`. */
#define CHECK_INT(expected, expression) \
    check_int((long long)(expected), (long long)(expression), #expression, __FILE__, __LINE__)

/* Ends the test unless `condition` holds. */
#define CHECK(condition) CHECK_INT(1, (condition) != 0)

static inline void check_int(long long expected, long long found, const char *expression,
                             const char *file, int line)
{
    if (expected == found)
        return;
    fprintf(stderr, "%s:%d: %s: expected %lld, found %lld", file, line, expression, expected, found);
    if (found < 0)
        fprintf(stderr, " (%s)", vrrp_strerror((int)found));
    fputc('\n', stderr);
    exit(1);
}

#endif
