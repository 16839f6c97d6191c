/* The learned detector computes the same bits with every instruction set that this processor has. */
#include <stdio.h>
#include <stdlib.h>

#include "vad_learned.h"

#define FRAMES 400

static int16_t sample(uint32_t *state, int frame) {
    *state = *state * 1664525u + 1013904223u;
    const int32_t noise = (int32_t)(*state >> 16) - 32768;
    return (int16_t)(frame / 20 % 3 == 0 ? noise >> 12 : frame / 20 % 3 == 1 ? noise / 3 : (frame * 97 % 160 - 80) * 200);
}

int main(void) {
    static asr_vad_learned reference, other;
    int compared = 0;
    for (int level = ASR_SIMD_SCALAR + 1; level <= ASR_SIMD_AVX512; level++) {
        if (!asr_simd_available((asr_simd)level)) {
            continue;
        }
        asr_vad_learned_reset(&reference, ASR_SIMD_SCALAR);
        asr_vad_learned_reset(&other, (asr_simd)level);
        uint32_t state = 7;
        for (int frame = 0; frame < FRAMES; frame++) {
            int16_t samples[ASR_FRAME_SAMPLES];
            for (int i = 0; i < ASR_FRAME_SAMPLES; i++) {
                samples[i] = sample(&state, frame);
            }
            const float expected = asr_vad_learned_process(&reference, samples);
            const float found = asr_vad_learned_process(&other, samples);
            if (memcmp(&expected, &found, sizeof expected) != 0) {
                printf("level %d, frame %d: %.9g is not %.9g\n", level, frame, (double)found, (double)expected);
                return EXIT_FAILURE;
            }
        }
        compared++;
    }
    printf("%d levels equal the scalar one\n", compared);
    return EXIT_SUCCESS;
}
