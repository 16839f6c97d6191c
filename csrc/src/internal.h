/* What the source files share and users do not see. */
#ifndef ASR_DSP_INTERNAL_H
#define ASR_DSP_INTERNAL_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "asr_dsp.h"

#define ASR_ALIGN 64u /* a cache line, and the widest vector */

static inline size_t asr_align_up(size_t size) {
    return (size + (ASR_ALIGN - 1u)) & ~(size_t)(ASR_ALIGN - 1u);
}

/* The first aligned address inside memory that is only aligned like malloc's; sizes reserve ASR_ALIGN for it. */
static inline void *asr_align_pointer(void *memory) {
    return (void *)(((uintptr_t)memory + (ASR_ALIGN - 1u)) & ~(uintptr_t)(ASR_ALIGN - 1u));
}

/* One thread at a time: the flag is taken for the length of a call. */
static inline int asr_enter(atomic_flag *busy) {
    return atomic_flag_test_and_set_explicit(busy, memory_order_acquire) ? ASR_E_BUSY : ASR_OK;
}

static inline void asr_leave(atomic_flag *busy) {
    atomic_flag_clear_explicit(busy, memory_order_release);
}

/* Round half to even and saturate. Adding 1.5 * 2^23 leaves the rounded integer in the low bits of the float; it holds
 * for |v| < 2^22 in the default rounding mode, and unlike lrintf() every compiler turns it into vector code. */
static inline int16_t asr_round_i16(float value) {
    value = value > 32767.0f ? 32767.0f : value;
    value = value < -32768.0f ? -32768.0f : value;
    value += 12582912.0f;
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (int16_t)(bits - 0x4B400000);
}

/* G.711: what each code stands for, in g711.c. */
extern const int16_t asr_ulaw_values[256];
extern const int16_t asr_alaw_values[256];

/* asr_x_create and asr_x_destroy: the object on the heap. */
#define ASR_DEFINE_HEAP(object)                                                                                        \
    object *object##_create(const object##_config *config) {                                                           \
        const size_t size = object##_size(config);                                                                     \
        void *memory = size > 0 ? malloc(size) : NULL;                                                                 \
        if (memory != NULL && object##_init(memory, size, config) != ASR_OK) {                                         \
            free(memory);                                                                                              \
            memory = NULL;                                                                                             \
        }                                                                                                              \
        return memory;                                                                                                 \
    }                                                                                                                  \
    void object##_destroy(object *this_object) {                                                                       \
        free(this_object);                                                                                             \
    }

#endif
