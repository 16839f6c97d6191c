/* The smallest test harness that says where and why. */
#ifndef ASR_DSP_CHECK_H
#define ASR_DSP_CHECK_H

#include <stdio.h>
#include <stdlib.h>

static int checks_failed = 0;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            checks_failed++;                                                                                           \
        }                                                                                                              \
    } while (0)

#define RUN(test)                                                                                                      \
    do {                                                                                                               \
        const int before = checks_failed;                                                                              \
        test();                                                                                                        \
        printf("%s %s\n", checks_failed == before ? "ok  " : "FAIL", #test);                                           \
    } while (0)

#endif
