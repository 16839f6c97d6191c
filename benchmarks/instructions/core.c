/* Drives the C core for counting: the same two seconds of made-up telephone and wide-band audio on every machine.
 *
 *   core LEVEL     an asr_simd
 *
 * What is counted is what runs inside asr_frontend_process. */
#include <stdio.h>
#include <stdlib.h>

#include "asr_dsp.h"

#define PACKET_BYTES 1600
#define PACKETS 20

/* Bursts of noise on a quiet floor: speech-like enough that every stage has work. Numerical Recipes' generator. */
static void fill(unsigned char *bytes, size_t size, uint32_t *state, int loud) {
    for (size_t i = 0; i < size; i++) {
        *state = *state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(i % 2 ? (loud ? (*state >> 24) % 16 : 0) : *state >> 24);
    }
}

int main(int argc, char **argv) {
    const asr_simd level = argc > 1 ? (asr_simd)atoi(argv[1]) : ASR_SIMD_SCALAR;
    const uint32_t rates[] = {8000, 16000};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        asr_frontend_config config;
        asr_frontend_defaults(&config);
        config.sample_rate_hz = rates[r];
        config.simd = level;
        config.endpointer.continuous = 1;
        asr_frontend *frontend = asr_frontend_create(&config);
        if (frontend == NULL) {
            return 1;
        }
        const size_t room = asr_frontend_output_samples(frontend);
        int16_t *pcm = malloc(room * sizeof *pcm);
        if (pcm == NULL) {
            return 1;
        }
        asr_event events[ASR_MIN_EVENTS];
        unsigned char packet[PACKET_BYTES];
        uint32_t state = 1;
        for (int p = 0; p < PACKETS; p++) {
            fill(packet, sizeof packet, &state, p % 4 < 2);
            int status = ASR_MORE;
            for (size_t used = 0; status == ASR_MORE;) {
                size_t taken = sizeof packet - used, samples = room, count = ASR_MIN_EVENTS;
                status = asr_frontend_process(frontend, packet + used, &taken, pcm, &samples, events, &count);
                if (status < ASR_OK) {
                    return 1;
                }
                used += taken;
            }
        }
        free(pcm);
        asr_frontend_destroy(frontend);
    }
    return 0;
}
