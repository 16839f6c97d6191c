/* Mixtures: equal to sums over all Gaussians in double precision within a stated distance, with the same bits at every
 * level, and harmless with what is no number. */
#include <math.h>
#include <string.h>

#include "asr_dsp.h"
#include "check.h"

#define STREAMS 3
#define CODEBOOKS 3
#define GAUSSIANS 24
#define PHONES 4
#define STATES 72
#define TILES 5 /* 1, 2 and 2 for the codebooks */
#define FRAMES 21
#define DENSITIES (STREAMS * FRAMES * CODEBOOKS * GAUSSIANS)

static const uint32_t codebook_starts[CODEBOOKS + 1] = {0, 3, 36, STATES};
static const uint32_t phone_starts[PHONES + 1] = {0, 3, 4, 36, STATES};
static uint16_t weights[TILES * STREAMS * GAUSSIANS * ASR_MIXTURE_LANES];
static float densities[DENSITIES];
static float work[FRAMES * STATES];

typedef struct scores {
    int16_t states[FRAMES][STATES];
    int16_t phones[FRAMES][PHONES];
} scores;

static uint32_t random_state = 1;
static float random_share(void) { /* 0 to 1 */
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(random_state >> 8) / 16777216.0f;
}

static size_t tile_of(size_t codebook) {
    return codebook == 0 ? 0 : codebook == 1 ? 1 : 3;
}

static size_t place_of(size_t codebook, size_t state, size_t stream, size_t gaussian) {
    const size_t tile = tile_of(codebook) + state / ASR_MIXTURE_LANES;
    return ((tile * STREAMS + stream) * GAUSSIANS + gaussian) * ASR_MIXTURE_LANES + state % ASR_MIXTURE_LANES;
}

static asr_mixtures tables(asr_simd simd) {
    return (asr_mixtures){
        .struct_size = sizeof(asr_mixtures),
        .streams = STREAMS,
        .codebooks = CODEBOOKS,
        .gaussians = GAUSSIANS,
        .phones = PHONES,
        .codebook_starts = codebook_starts,
        .phone_starts = phone_starts,
        .weights = weights,
        .simd = simd,
    };
}

static void fill(void) {
    memset(weights, 0, sizeof weights);
    for (size_t codebook = 0; codebook < CODEBOOKS; codebook++) {
        for (size_t state = 0; state < codebook_starts[codebook + 1] - codebook_starts[codebook]; state++) {
            for (size_t rest = 0; rest < STREAMS * GAUSSIANS; rest++) {
                const float weight = 0.01f + 0.99f * random_share();
                uint32_t bits;
                memcpy(&bits, &weight, sizeof bits);
                weights[place_of(codebook, state, rest / GAUSSIANS, rest % GAUSSIANS)] = (uint16_t)(bits >> 16);
            }
        }
    }
    for (size_t i = 0; i < DENSITIES; i++) {
        densities[i] = -40.0f * random_share();
    }
}

static double weight_of(size_t place) {
    const uint32_t bits = (uint32_t)weights[place] << 16;
    float weight;
    memcpy(&weight, &bits, sizeof weight);
    return (double)weight;
}

static double reference(size_t codebook, size_t state, size_t frame) {
    double score = 0.0;
    for (size_t stream = 0; stream < STREAMS; stream++) {
        double sum = 0.0;
        for (size_t g = 0; g < GAUSSIANS; g++) {
            const float density = densities[((stream * FRAMES + frame) * CODEBOOKS + codebook) * GAUSSIANS + g];
            sum += exp((double)density) * weight_of(place_of(codebook, state, stream, g));
        }
        score += log(sum);
    }
    return score;
}

static void test_scores_are_those_of_all_gaussians_within_a_tenth(void) {
    static scores found;
    static double expected[STATES];
    const asr_mixtures mixtures = tables(ASR_SIMD_AUTO);
    fill();
    CHECK(asr_mixtures_score(&mixtures, densities, FRAMES, work, &found.states[0][0], &found.phones[0][0]) == ASR_OK);
    for (size_t frame = 0; frame < FRAMES; frame++) {
        double best = -INFINITY;
        for (size_t codebook = 0; codebook < CODEBOOKS; codebook++) {
            for (size_t state = codebook_starts[codebook]; state < codebook_starts[codebook + 1]; state++) {
                expected[state] = reference(codebook, state - codebook_starts[codebook], frame);
                best = expected[state] > best ? expected[state] : best;
            }
        }
        for (size_t phone = 0; phone < PHONES; phone++) {
            int16_t highest = INT16_MIN;
            for (size_t state = phone_starts[phone]; state < phone_starts[phone + 1]; state++) {
                const int16_t score = found.states[frame][state];
                CHECK(fabs(score / (double)ASR_MIXTURE_UNIT - (expected[state] - best)) < 0.1);
                highest = score > highest ? score : highest;
            }
            CHECK(found.phones[frame][phone] == highest);
        }
    }
}

static void test_every_level_gives_the_same_bits(void) {
    static scores scalar, other;
    fill();
    densities[5] = -1e30f;
    densities[GAUSSIANS] = NAN;
    densities[3 * GAUSSIANS + 1] = INFINITY;
    for (int level = ASR_SIMD_SCALAR; level <= ASR_SIMD_AVX512; level++) {
        if (!asr_simd_available((asr_simd)level)) {
            continue;
        }
        const asr_mixtures mixtures = tables((asr_simd)level);
        scores *out = level == ASR_SIMD_SCALAR ? &scalar : &other;
        CHECK(asr_mixtures_score(&mixtures, densities, FRAMES, work, &out->states[0][0], &out->phones[0][0]) == ASR_OK);
        CHECK(level == ASR_SIMD_SCALAR || memcmp(&scalar, &other, sizeof scalar) == 0);
    }
}

static void test_tables_that_do_not_fit_are_refused(void) {
    static scores found;
    static const uint32_t empty[PHONES + 1] = {0, 3, 3, 36, STATES}, few[PHONES + 1] = {0, 3, 4, 36, STATES - 1};
    asr_mixtures bad[8];
    for (size_t i = 0; i < 8; i++) {
        bad[i] = tables(ASR_SIMD_AUTO);
    }
    bad[0].struct_size--;
    bad[1].streams = ASR_MIXTURE_STREAMS + 1;
    bad[2].gaussians = ASR_MIXTURE_GAUSSIANS + 1;
    bad[3].codebooks = 0;
    bad[4].weights = NULL;
    bad[5].phone_starts = empty;
    bad[6].phone_starts = few;
    bad[7].codebook_starts = NULL;
    for (size_t i = 0; i < 8; i++) {
        CHECK(asr_mixtures_score(&bad[i], densities, 1, work, &found.states[0][0], &found.phones[0][0]) == ASR_E_ARGUMENT);
    }
    const asr_mixtures mixtures = tables(ASR_SIMD_AUTO);
    CHECK(asr_mixtures_score(&mixtures, NULL, 1, work, &found.states[0][0], &found.phones[0][0]) == ASR_E_ARGUMENT);
    CHECK(asr_mixtures_score(&mixtures, NULL, 0, NULL, NULL, NULL) == ASR_OK);
}

int main(void) {
    RUN(test_scores_are_those_of_all_gaussians_within_a_tenth);
    RUN(test_every_level_gives_the_same_bits);
    RUN(test_tables_that_do_not_fit_are_refused);
    return checks_failed == 0 ? 0 : 1;
}
