/* How fast the library is on this machine:  speed
 *
 * Prints audio seconds per processor second, in packets of 20 ms: the resampler at each SIMD level, and u-law through the
 * whole front end. The best of several rounds that take turns, so that other work counts little. Needs POSIX clocks. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "asr_dsp.h"

#define ROUNDS 15
#define PACKETS_A_SECOND 50
#define SECONDS 20
#define PCM_ROOM (1u << 17)

static double processor_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Processor time of one second of audio. */
static double resampler_s(uint32_t rate_hz, asr_simd simd) {
    static int16_t in[48000], out[2048];
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        in[i] = (int16_t)(rand() % 40000 - 20000);
    }
    asr_resampler_config config;
    asr_resampler_defaults(&config);
    config.in_rate_hz = rate_hz;
    config.simd = simd;
    asr_resampler *resampler = asr_resampler_create(&config);
    const size_t packet = rate_hz / PACKETS_A_SECOND;
    const double start = processor_s();
    for (size_t i = 0; i < PACKETS_A_SECOND; i++) {
        size_t taken = packet, made = sizeof out / sizeof *out;
        asr_resampler_process_i16(resampler, in + i * packet, &taken, out, &made);
    }
    const double spent = processor_s() - start;
    asr_resampler_destroy(resampler);
    return spent;
}

/* Two seconds of a buzz, two of near silence, and so on. */
static void make_ulaw(uint8_t *codes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const double t = (double)i / 8000.0;
        double value = rand() % 20;
        for (int k = 1; k < 20 && fmod(t, 4.0) > 2.0; k++) {
            value += 3000.0 * sin(2.0 * 3.14159265358979 * k * 130.0 * t + k) / k;
        }
        const int16_t sample = (int16_t)value;
        asr_ulaw_encode(&sample, 1, codes + i);
    }
}

/* Processor time of all of `codes`. */
static double frontend_s(const uint8_t *codes, size_t count, asr_vad_mode mode) {
    static int16_t pcm[PCM_ROOM];
    asr_frontend_config config;
    asr_frontend_defaults(&config);
    config.encoding = ASR_ULAW;
    config.sample_rate_hz = 8000;
    config.endpointer.continuous = 1;
    config.endpointer.vad_mode = mode;
    asr_frontend *frontend = asr_frontend_create(&config);
    const double start = processor_s();
    for (size_t used = 0; used < count;) {
        size_t taken = 8000 / PACKETS_A_SECOND, samples = PCM_ROOM, told = ASR_MIN_EVENTS;
        asr_event events[ASR_MIN_EVENTS];
        asr_frontend_process(frontend, codes + used, &taken, pcm, &samples, events, &told);
        used += taken;
    }
    const double spent = processor_s() - start;
    asr_frontend_destroy(frontend);
    return spent;
}

int main(void) {
    static const uint32_t rates[] = {8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000};
    static const char *const levels[] = {"auto", "scalar", "SSE2", "NEON", "AVX2", "AVX-512"};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        printf("%5u Hz to 16000 Hz", rates[r]);
        for (int level = ASR_SIMD_SCALAR; level <= ASR_SIMD_AVX512; level++) {
            double best = INFINITY;
            for (int round = 0; round < ROUNDS && asr_simd_available((asr_simd)level); round++) {
                best = fmin(best, resampler_s(rates[r], (asr_simd)level));
            }
            if (best < INFINITY) {
                printf("   %s %.0f", levels[level], 1.0 / best);
            }
        }
        printf("\n");
    }
    static uint8_t codes[8000 * SECONDS];
    make_ulaw(codes, sizeof codes);
    double learned = INFINITY, energy = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        learned = fmin(learned, frontend_s(codes, sizeof codes, ASR_VAD_LEARNED));
        energy = fmin(energy, frontend_s(codes, sizeof codes, ASR_VAD_ENERGY));
    }
    printf("u-law through everything   learned detector %.0f   energy detector %.0f\n", SECONDS / learned, SECONDS / energy);
    return 0;
}
