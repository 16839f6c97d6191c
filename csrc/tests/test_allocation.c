/* After its start nothing allocates: the linker hands every allocation of this program to the functions here. */
#include "asr_dsp.h"
#include "check.h"

#define SECONDS 3

static int allocations = 0;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size) {
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    allocations++;
    return __real_realloc(memory, size);
}

/* Two seconds of a loud buzz in noise, and silence: a segment begins and ends. */
static void make_audio(uint8_t *codes, size_t count) {
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        const int32_t buzz = i > count / 6 && i < count / 2 ? (int32_t)(i * 130 % 8000) - 4000 : 0;
        const int16_t sample = (int16_t)(buzz + (int32_t)(state >> 24) - 128);
        asr_ulaw_encode(&sample, 1, codes + i);
    }
}

static void test_no_allocation_between_init_and_the_end_of_the_audio(void) {
    asr_frontend_config config;
    asr_frontend_defaults(&config);
    config.encoding = ASR_ULAW;
    config.endpointer.continuous = 1;
    config.endpointer.max_segment_duration_ms = 1000;
    static uint8_t codes[8000 * SECONDS];
    make_audio(codes, sizeof codes);
    for (int mode = ASR_VAD_LEARNED; mode <= ASR_VAD_ENERGY; mode++) {
        config.endpointer.vad_mode = (asr_vad_mode)mode;
        const size_t size = asr_frontend_size(&config);
        void *memory = malloc(size);
        CHECK(allocations > 0); /* they are seen */
        allocations = 0;
        CHECK(asr_frontend_init(memory, size, &config) == ASR_OK);
        asr_frontend *frontend = memory;
        static int16_t pcm[1 << 17];
        asr_event events[ASR_MIN_EVENTS];
        CHECK(asr_frontend_output_samples(frontend) <= sizeof pcm / sizeof *pcm);
        size_t told = 0;
        for (size_t used = 0; used < sizeof codes;) {
            size_t taken = sizeof codes - used < 160 ? sizeof codes - used : 160;
            size_t samples = sizeof pcm / sizeof *pcm, count = ASR_MIN_EVENTS;
            CHECK(asr_frontend_process(frontend, codes + used, &taken, pcm, &samples, events, &count) >= ASR_OK);
            used += taken;
            told += count;
        }
        size_t samples = sizeof pcm / sizeof *pcm, count = ASR_MIN_EVENTS;
        CHECK(asr_frontend_flush(frontend, pcm, &samples, events, &count) >= ASR_OK);
        CHECK(told + count > 2);
        CHECK(allocations == 0);
        free(memory);
    }
}

int main(void) {
    RUN(test_no_allocation_between_init_and_the_end_of_the_audio);
    return checks_failed == 0 ? 0 : 1;
}
