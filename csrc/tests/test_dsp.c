/* Tests of the library without Python: what a C caller relies on. The numeric limits are in tests/audio. */
#include <math.h>
#include <string.h>

#include "asr_dsp.h"
#include "check.h"

#define RATE 8000
#define SECONDS 4
#define MAX_EVENTS 4096
#define MAX_PCM (ASR_RATE_HZ * 64)

static const double PI = 3.14159265358979323846;

/* xorshift: the same numbers everywhere */
static uint32_t random_state = 1;
static uint32_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static int16_t noise(int amplitude) {
    return (int16_t)((int)(next_random() % (uint32_t)(2 * amplitude + 1)) - amplitude);
}

typedef struct outcome {
    asr_event events[MAX_EVENTS];
    size_t event_count;
    int16_t *pcm;
    size_t pcm_count;
} outcome;

static outcome *outcome_create(void) {
    outcome *result = calloc(1, sizeof *result);
    result->pcm = malloc(MAX_PCM * sizeof(int16_t));
    return result;
}

static void outcome_destroy(outcome *result) {
    free(result->pcm);
    free(result);
}

/* Appends, and joins audio over the borders of calls, so that outcomes can be compared. */
static void collect(outcome *result, const asr_event *events, size_t event_count, const int16_t *pcm, size_t pcm_count) {
    for (size_t i = 0; i < event_count; i++) {
        asr_event *last = result->event_count > 0 ? &result->events[result->event_count - 1] : NULL;
        if (last != NULL && last->type == ASR_EVENT_SPEECH_AUDIO && events[i].type == ASR_EVENT_SPEECH_AUDIO) {
            CHECK(last->end == events[i].start);
            last->end = events[i].end;
        } else {
            result->events[result->event_count] = events[i];
            result->events[result->event_count].pcm_offset = 0;
            if (events[i].type == ASR_EVENT_SPEECH_AUDIO) {
                result->events[result->event_count].decided = 0;
            }
            result->event_count++;
        }
    }
    memcpy(result->pcm + result->pcm_count, pcm, pcm_count * sizeof(int16_t));
    result->pcm_count += pcm_count;
}

/* Runs `data` through a front end in packets of the given size (0: random sizes). */
static void listen(const asr_frontend_config *config, const unsigned char *data, size_t size, size_t packet, outcome *result) {
    asr_frontend *frontend = asr_frontend_create(config);
    CHECK(frontend != NULL);
    if (frontend == NULL) {
        return;
    }
    const size_t room = asr_frontend_output_samples(frontend);
    int16_t *pcm = malloc(room * sizeof(int16_t));
    asr_event events[ASR_MIN_EVENTS];
    size_t used = 0;
    while (used < size) {
        size_t count = packet > 0 ? packet : next_random() % 3000 + 1;
        count = count < size - used ? count : size - used;
        for (int status = ASR_MORE; status == ASR_MORE;) {
            size_t taken = count;
            size_t pcm_count = room;
            size_t event_count = ASR_MIN_EVENTS;
            status = asr_frontend_process(frontend, data + used, &taken, pcm, &pcm_count, events, &event_count);
            CHECK(status == ASR_OK || status == ASR_MORE);
            collect(result, events, event_count, pcm, pcm_count);
            used += taken;
            count -= taken;
        }
        CHECK(count == 0);
    }
    for (int status = ASR_MORE; status == ASR_MORE;) {
        size_t pcm_count = room;
        size_t event_count = ASR_MIN_EVENTS;
        status = asr_frontend_flush(frontend, pcm, &pcm_count, events, &event_count);
        CHECK(status == ASR_OK || status == ASR_MORE);
        collect(result, events, event_count, pcm, pcm_count);
    }
    free(pcm);
    asr_frontend_destroy(frontend);
}

/* Noise, then a buzz of many harmonics in syllables, then noise. */
static void make_speech(int16_t *samples, size_t count, uint32_t rate_hz) {
    for (size_t i = 0; i < count; i++) {
        const double t = (double)i / rate_hz;
        double value = 0.0;
        if (t > 1.0 && t < 2.0) {
            for (int harmonic = 1; harmonic < 20; harmonic++) {
                value += sin(2.0 * PI * harmonic * (130.0 + 10.0 * sin(5.0 * t)) * t + harmonic) / harmonic;
            }
            value *= 3000.0 * (0.6 + 0.4 * sin(2.0 * PI * 4.0 * t));
        }
        samples[i] = (int16_t)(value + noise(8));
    }
}

static void test_strerror_knows_every_status(void) {
    for (int status = ASR_E_STATE; status <= ASR_MORE; status++) {
        CHECK(strcmp(asr_strerror(status), "unknown status") != 0);
    }
    CHECK(strcmp(asr_strerror(2), "unknown status") == 0);
    CHECK(strcmp(asr_version(), ASR_DSP_VERSION) == 0);
}

static void test_simd_best_is_available(void) {
    CHECK(asr_simd_available(asr_simd_best()));
    CHECK(asr_simd_available(ASR_SIMD_SCALAR));
    CHECK(!asr_simd_available((asr_simd)99));
}

static void test_g711_codes_survive(void) {
    for (int code = 0; code < 256; code++) {
        uint8_t byte = (uint8_t)code;
        int16_t sample;
        asr_alaw_decode(&byte, 1, &sample);
        asr_alaw_encode(&sample, 1, &byte);
        CHECK(byte == code);
        byte = (uint8_t)code;
        asr_ulaw_decode(&byte, 1, &sample);
        asr_ulaw_encode(&sample, 1, &byte);
        CHECK(byte == code || (code == 0x7F && byte == 0xFF));
    }
}

static void test_resampler_at_any_split_any_room_and_within_1_lsb_at_any_level(void) {
    static const uint32_t rates[] = {7999, 8000, 11025, 16000, 24000, 44100, 48000};
    enum { INPUT = 5000, OUTPUT = 11000 };
    static int16_t in[INPUT], whole[OUTPUT], split[OUTPUT], scalar[OUTPUT];
    for (size_t i = 0; i < INPUT; i++) {
        in[i] = noise(32767);
    }
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        asr_resampler_config config;
        asr_resampler_defaults(&config);
        config.in_rate_hz = rates[r];
        for (int level = ASR_SIMD_SCALAR; level <= ASR_SIMD_AVX512; level++) {
            config.simd = (asr_simd)level;
            if (!asr_simd_available(config.simd)) {
                CHECK(asr_resampler_create(&config) == NULL);
                continue;
            }
            asr_resampler *resampler = asr_resampler_create(&config);
            size_t in_count = INPUT;
            size_t made = OUTPUT;
            CHECK(asr_resampler_process_i16(resampler, in, &in_count, whole, &made) == ASR_OK && in_count == INPUT);
            size_t rest = OUTPUT - made;
            CHECK(asr_resampler_flush_i16(resampler, whole + made, &rest) == ASR_OK);
            const size_t total = made + rest;
            memcpy(scalar, whole, level == ASR_SIMD_SCALAR ? sizeof scalar : 0);
            for (size_t i = 0; i < total; i++) {
                CHECK(abs(whole[i] - scalar[i]) <= 1);
            }
            CHECK(total == ((uint64_t)INPUT * ASR_RATE_HZ + rates[r] - 1) / rates[r]);
            asr_resampler_reset(resampler);
            size_t used = 0;
            made = 0;
            while (used < INPUT) {
                size_t count = next_random() % 700;
                count = count < INPUT - used ? count : INPUT - used;
                size_t room = next_random() % 900;
                room = room < OUTPUT - made ? room : OUTPUT - made;
                CHECK(asr_resampler_process_i16(resampler, in + used, &count, split + made, &room) == ASR_OK);
                used += count;
                made += room;
            }
            for (size_t room = 1; room > 0;) {
                room = OUTPUT - made < 77 ? OUTPUT - made : 77;
                CHECK(asr_resampler_flush_i16(resampler, split + made, &room) == ASR_OK);
                made += room;
            }
            CHECK(made == total && memcmp(whole, split, total * sizeof(int16_t)) == 0);
            in_count = 1;
            made = OUTPUT;
            CHECK(asr_resampler_process_i16(resampler, in, &in_count, split, &made) == ASR_E_STATE);
            asr_resampler_destroy(resampler);
        }
    }
}

static void test_resampler_with_a_shared_table_and_memory_of_the_caller(void) {
    asr_resampler_config config;
    asr_resampler_defaults(&config);
    config.in_rate_hz = 44100;
    const size_t table_size = asr_resampler_table_size(&config);
    void *table = malloc(table_size);
    CHECK(asr_resampler_table_init(table, table_size - 1, &config) == ASR_E_MEMORY);
    CHECK(asr_resampler_table_init(table, table_size, &config) == ASR_OK);
    const size_t own_size = asr_resampler_size(&config);
    config.table = table;
    const size_t size = asr_resampler_size(&config);
    CHECK(size < 16384 && size < own_size);
    void *memory = malloc(size);
    CHECK(asr_resampler_init(memory, size - 1, &config) == ASR_E_MEMORY);
    CHECK(asr_resampler_init(memory, size, &config) == ASR_OK);
    CHECK(asr_resampler_delay_s(memory) < 0.0042);
    config.in_rate_hz = 48000;
    CHECK(asr_resampler_create(&config) == NULL); /* the table is of another ratio */
    free(memory);
    free(table);
}

static void test_bad_configurations_are_refused(void) {
    asr_resampler_config resampler;
    asr_resampler_defaults(&resampler);
    resampler.in_rate_hz = 0;
    CHECK(asr_resampler_size(&resampler) == 0 && asr_resampler_create(&resampler) == NULL);
    asr_resampler_defaults(&resampler);
    resampler.struct_size--;
    CHECK(asr_resampler_size(&resampler) == 0);
    asr_endpointer_config endpointer;
    asr_endpointer_defaults(&endpointer);
    endpointer.level_threshold_percent = NAN;
    CHECK(asr_endpointer_size(&endpointer) == 0 && asr_endpointer_create(&endpointer) == NULL);
    asr_frontend_config frontend;
    asr_frontend_defaults(&frontend);
    frontend.encoding = (asr_encoding)77;
    CHECK(asr_frontend_create(&frontend) == NULL);
    asr_frontend_defaults(&frontend);
    frontend.endpointer.max_segment_duration_ms = 10;
    CHECK(asr_frontend_create(&frontend) == NULL);
    asr_framer_config framer;
    asr_framer_defaults(&framer);
    framer.mel_high_hz = 9000.0f;
    CHECK(asr_framer_create(&framer) == NULL);
    CHECK(asr_frontend_create(NULL) == NULL && asr_framer_create(NULL) == NULL);
}

static void test_null_pointers_are_refused(void) {
    size_t count = 1;
    CHECK(asr_resampler_process_i16(NULL, NULL, &count, NULL, &count) == ASR_E_ARGUMENT);
    CHECK(asr_vad_process(NULL, NULL, NULL) == ASR_E_ARGUMENT);
    CHECK(asr_endpointer_process(NULL, NULL, &count, NULL, &count, NULL, &count) == ASR_E_ARGUMENT);
    CHECK(asr_frontend_process(NULL, NULL, &count, NULL, &count, NULL, &count) == ASR_E_ARGUMENT);
    CHECK(asr_framer_process(NULL, NULL, &count, NULL, NULL, &count) == ASR_E_ARGUMENT);
}

static void test_vad_in_memory_of_the_caller(void) {
    for (int mode = ASR_VAD_LEARNED; mode <= ASR_VAD_ENERGY; mode++) {
        const size_t size = asr_vad_size((asr_vad_mode)mode);
        void *memory = malloc(size);
        CHECK(asr_vad_init(memory, size - 1, (asr_vad_mode)mode) == ASR_E_MEMORY);
        CHECK(asr_vad_init(memory, size, (asr_vad_mode)mode) == ASR_OK);
        CHECK(asr_vad_lookahead_frames(memory) >= 0 && asr_vad_lookahead_frames(memory) <= 3);
        int16_t frame[ASR_FRAME_SAMPLES] = {0};
        for (int i = 0; i < 50; i++) {
            float probability = -1.0f;
            CHECK(asr_vad_process(memory, frame, &probability) == ASR_OK);
            CHECK(probability >= 0.0f && probability < 0.5f);
        }
        free(memory);
    }
}

static void test_frontend_at_any_split(void) {
    static int16_t samples[RATE * SECONDS * 2];
    make_speech(samples, RATE * SECONDS, RATE);
    make_speech(samples + RATE * SECONDS, RATE * SECONDS, RATE);
    asr_frontend_config config;
    asr_frontend_defaults(&config);
    config.sample_rate_hz = RATE;
    config.endpointer.continuous = 1;
    outcome *whole = outcome_create();
    listen(&config, (unsigned char *)samples, sizeof samples, sizeof samples, whole);
    CHECK(whole->event_count == 10); /* start, audio, pause, audio, end; twice */
    CHECK(whole->events[0].type == ASR_EVENT_SPEECH_START && whole->events[4].type == ASR_EVENT_SPEECH_END);
    CHECK(whole->events[2].type == ASR_EVENT_SPEECH_PAUSE);
    CHECK(llabs(whole->events[0].start - (int64_t)(0.8 * ASR_RATE_HZ)) < ASR_RATE_HZ / 10);
    CHECK(llabs(whole->events[4].end - (int64_t)(2.4 * ASR_RATE_HZ)) < ASR_RATE_HZ / 10);
    static const size_t packets[] = {1, 320, 641, 4096, 0, 0};
    for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
        outcome *split = outcome_create();
        listen(&config, (unsigned char *)samples, sizeof samples, packets[i], split);
        CHECK(split->event_count == whole->event_count);
        CHECK(memcmp(split->events, whole->events, whole->event_count * sizeof(asr_event)) == 0);
        CHECK(split->pcm_count == whole->pcm_count);
        CHECK(memcmp(split->pcm, whole->pcm, whole->pcm_count * sizeof(int16_t)) == 0);
        outcome_destroy(split);
    }
    outcome_destroy(whole);
}

static void test_every_encoding_with_random_bytes(void) {
    static unsigned char bytes[200000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)next_random();
    }
    for (int encoding = ASR_PCM_U8; encoding <= ASR_ULAW; encoding++) {
        for (uint32_t channels = 1; channels <= ASR_MAX_CHANNELS; channels += 15) {
            asr_frontend_config config;
            asr_frontend_defaults(&config);
            config.encoding = (asr_encoding)encoding;
            config.channels = channels;
            config.sample_rate_hz = channels > 1 ? 44100 : 8000;
            config.endpointer.continuous = 1;
            config.endpointer.wait_end_ms = 50;
            config.endpointer.max_segment_duration_ms = 1000;
            config.endpointer.segment_overlap_ms = 400;
            config.endpointer.level_mode = (asr_level_mode)(encoding % 3);
            outcome *result = outcome_create();
            listen(&config, bytes, sizeof bytes, 0, result);
            int64_t given = 0;
            for (size_t i = 0; i < result->event_count; i++) {
                const asr_event *event = &result->events[i];
                given += event->type == ASR_EVENT_SPEECH_AUDIO ? event->end - event->start : 0;
            }
            CHECK((size_t)given == result->pcm_count);
            outcome_destroy(result);
        }
    }
}

static void test_state_besides_tables_and_ring_is_small(void) {
    asr_frontend_config config;
    asr_frontend_defaults(&config);
    config.encoding = ASR_ULAW;
    config.sample_rate_hz = 8000;
    asr_resampler_config resampler;
    asr_resampler_defaults(&resampler);
    void *table = malloc(asr_resampler_table_size(&resampler));
    CHECK(asr_resampler_table_init(table, asr_resampler_table_size(&resampler), &resampler) == ASR_OK);
    config.table = table;
    asr_endpointer_config no_ring = config.endpointer;
    no_ring.enabled = 0;
    const size_t ring = asr_endpointer_size(&config.endpointer) - asr_endpointer_size(&no_ring);
    CHECK(asr_frontend_size(&config) - ring <= 16384);
    printf("     front end: %zu bytes, of them %zu for audio that waits\n", asr_frontend_size(&config), ring);
    free(table);
}

static void test_framer_finds_the_band_of_a_sine(void) {
    asr_framer_config config;
    asr_framer_defaults(&config);
    asr_framer *framer = asr_framer_create(&config);
    enum { COUNT = 1600, ROWS = 8 };
    int16_t samples[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        samples[i] = (int16_t)(16384.0 * sin(2.0 * PI * 1000.0 * (double)i / ASR_RATE_HZ));
    }
    float rows[ROWS][40];
    float levels[ROWS];
    size_t in_count = COUNT;
    size_t row_count = ROWS;
    CHECK(asr_framer_process(framer, samples, &in_count, &rows[0][0], levels, &row_count) == ASR_OK);
    CHECK(row_count == 8 && in_count == COUNT);
    size_t best = 0;
    for (size_t band = 0; band < 40; band++) {
        best = rows[4][band] > rows[4][best] ? band : best;
    }
    /* 1000 Hz is mel 1000; bands are (2815 - 32) / 41 mel apart, the first one centred one step above 32 */
    CHECK(best == 13 || best == 14);
    CHECK(fabsf(levels[4] + 6.02f) < 0.05f);
    asr_framer_destroy(framer);
}

int main(void) {
    RUN(test_strerror_knows_every_status);
    RUN(test_simd_best_is_available);
    RUN(test_g711_codes_survive);
    RUN(test_resampler_at_any_split_any_room_and_within_1_lsb_at_any_level);
    RUN(test_resampler_with_a_shared_table_and_memory_of_the_caller);
    RUN(test_bad_configurations_are_refused);
    RUN(test_null_pointers_are_refused);
    RUN(test_vad_in_memory_of_the_caller);
    RUN(test_frontend_at_any_split);
    RUN(test_every_encoding_with_random_bytes);
    RUN(test_state_besides_tables_and_ring_is_small);
    RUN(test_framer_finds_the_band_of_a_sine);
    return checks_failed == 0 ? 0 : 1;
}
