/* Cepstra: the same bits at every level and split; no harm from what is no table. Their figures are held by
 * tests/recognizer/test_features.py. */
#include <math.h>
#include <string.h>

#include "asr_dsp.h"
#include "check.h"

#define WINDOW 410
#define WARPS 2
#define BANDS 5
#define CEPSTRA 3
#define FRAMES 12
#define SAMPLES (1 + WINDOW + (FRAMES - 1) * ASR_FRAME_SAMPLES)

static float window[WINDOW], weights[WARPS * BANDS * 40], cosines[BANDS * CEPSTRA];
static uint16_t first[WARPS * BANDS], bins[WARPS * BANDS];
static int16_t samples[SAMPLES];

static asr_cepstrum tables(asr_simd simd) {
    return (asr_cepstrum){
        .struct_size = sizeof(asr_cepstrum),
        .window_samples = WINDOW,
        .warps = WARPS,
        .bands = BANDS,
        .cepstra = CEPSTRA,
        .pre_emphasis = 0.97f,
        .window = window,
        .band_first = first,
        .band_bins = bins,
        .weights = weights,
        .cosines = cosines,
        .simd = simd,
    };
}

static void fill(void) {
    uint32_t state = 5;
    for (size_t i = 0; i < SAMPLES; i++) {
        state = state * 1664525u + 1013904223u;
        samples[i] = (int16_t)((int32_t)(state >> 16) - 32768);
    }
    for (size_t i = 0; i < WINDOW; i++) {
        window[i] = 0.54f - 0.46f * cosf(6.2831853f * (float)i / (WINDOW - 1));
    }
    for (size_t i = 0; i < WARPS * BANDS; i++) {
        first[i] = (uint16_t)(217 - 20 * i); /* the first one ends with the last bin */
        bins[i] = 40;
    }
    for (size_t i = 0; i < WARPS * BANDS * 40; i++) {
        weights[i] = 0.01f * (float)(1 + i % 7);
    }
    for (size_t i = 0; i < BANDS * CEPSTRA; i++) {
        cosines[i] = cosf((float)i);
    }
}

static void test_every_level_gives_the_same_bits(void) {
    static float scalar[FRAMES * WARPS * BANDS], other[FRAMES * WARPS * BANDS];
    fill();
    for (int level = ASR_SIMD_SCALAR; level <= ASR_SIMD_AVX512; level++) {
        if (asr_simd_available((asr_simd)level)) {
            const asr_cepstrum these = tables((asr_simd)level);
            float *out = level == ASR_SIMD_SCALAR ? scalar : other;
            CHECK(asr_cepstrum_energies(&these, samples, SAMPLES, FRAMES, out) == ASR_OK);
            CHECK(level == ASR_SIMD_SCALAR || memcmp(scalar, other, sizeof scalar) == 0);
        }
    }
    CHECK(scalar[0] > 0.0f);
}

static void test_any_split_gives_the_same_bits(void) {
    static float energies[FRAMES * WARPS * BANDS], one[WARPS * BANDS];
    static float whole[FRAMES * WARPS * CEPSTRA], part[WARPS * CEPSTRA];
    const asr_cepstrum these = tables(ASR_SIMD_AUTO);
    asr_cepstrum_noise at_once[WARPS] = {0}, by_frame[WARPS] = {0};
    fill();
    CHECK(asr_cepstrum_energies(&these, samples, SAMPLES, FRAMES, energies) == ASR_OK);
    CHECK(asr_cepstrum_cepstra(&these, at_once, energies, FRAMES, whole) == ASR_OK);
    for (size_t frame = 0; frame < FRAMES; frame++) {
        CHECK(asr_cepstrum_energies(&these, samples + frame * ASR_FRAME_SAMPLES, WINDOW + 1, 1, one) == ASR_OK);
        CHECK(asr_cepstrum_cepstra(&these, by_frame, one, 1, part) == ASR_OK);
        CHECK(memcmp(part, whole + frame * WARPS * CEPSTRA, sizeof part) == 0);
    }
}

static void test_what_is_not_given_is_silence(void) {
    static float energies[WARPS * BANDS], cepstra[WARPS * CEPSTRA];
    const asr_cepstrum these = tables(ASR_SIMD_AUTO);
    asr_cepstrum_noise noise[WARPS] = {0};
    fill();
    CHECK(asr_cepstrum_energies(&these, samples, 1, 1, energies) == ASR_OK);
    CHECK(energies[0] == 0.0f);
    CHECK(asr_cepstrum_cepstra(&these, noise, energies, 1, cepstra) == ASR_OK);
    CHECK(isfinite(cepstra[0]));
}

static void test_tables_that_do_not_fit_are_refused(void) {
    float energies[WARPS * BANDS], cepstra[WARPS * CEPSTRA];
    asr_cepstrum bad[7];
    fill();
    for (size_t i = 0; i < 7; i++) {
        bad[i] = tables(ASR_SIMD_AUTO);
    }
    bad[0].struct_size--;
    bad[1].window_samples = 513;
    bad[2].warps = ASR_CEPSTRUM_WARPS + 1;
    bad[3].bands = ASR_CEPSTRUM_BANDS + 1;
    bad[4].cepstra = BANDS + 1;
    bad[5].weights = NULL;
    bad[6].window = NULL;
    for (size_t i = 0; i < 7; i++) {
        CHECK(asr_cepstrum_energies(&bad[i], samples, SAMPLES, 1, energies) == ASR_E_ARGUMENT);
        CHECK(asr_cepstrum_cepstra(&bad[i], NULL, energies, 1, cepstra) == ASR_E_ARGUMENT);
    }
    const asr_cepstrum these = tables(ASR_SIMD_AUTO);
    CHECK(asr_cepstrum_energies(&these, samples, 0, 1, energies) == ASR_E_ARGUMENT);
    CHECK(asr_cepstrum_energies(&these, samples, 160, 2, energies) == ASR_E_ARGUMENT);
    bins[0] = 41; /* one bin more than there is */
    CHECK(asr_cepstrum_energies(&these, samples, SAMPLES, 1, energies) == ASR_E_ARGUMENT);
}

int main(void) {
    RUN(test_every_level_gives_the_same_bits);
    RUN(test_any_split_gives_the_same_bits);
    RUN(test_what_is_not_given_is_silence);
    RUN(test_tables_that_do_not_fit_are_refused);
    return checks_failed == 0 ? 0 : 1;
}
