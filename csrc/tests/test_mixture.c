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
#define FRAMES 29 /* more than are worked off at once */
#define DIMENSIONS 5 /* 1, 2 and 2 of the streams */
#define PADDED 32
#define LINES ((2 * DIMENSIONS + STREAMS) * PADDED)

static const uint32_t codebook_starts[CODEBOOKS + 1] = {0, 3, 36, STATES};
static const uint32_t phone_starts[PHONES + 1] = {0, 3, 4, 36, STATES};
static uint16_t weights[TILES * STREAMS * GAUSSIANS * ASR_MIXTURE_LANES];
static const uint32_t dimensions[STREAMS] = {1, 2, 2};
static float lines[CODEBOOKS * LINES];
static float features[FRAMES][DIMENSIONS];
static float work[16384];

typedef struct scores {
    int16_t states[FRAMES][STATES];
    int16_t phones[FRAMES][PHONES];
    float fits[FRAMES];
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
    const size_t lane = state % ASR_MIXTURE_LANES, half = ASR_MIXTURE_LANES / 2;
    return ((tile * STREAMS + stream) * GAUSSIANS + gaussian) * ASR_MIXTURE_LANES + 2 * (lane % half) + lane / half;
}

static asr_mixtures tables(asr_simd simd) {
    return (asr_mixtures){
        .struct_size = sizeof(asr_mixtures),
        .streams = STREAMS,
        .dimensions = {dimensions[0], dimensions[1], dimensions[2]},
        .codebooks = CODEBOOKS,
        .gaussians = GAUSSIANS,
        .phones = PHONES,
        .codebook_starts = codebook_starts,
        .phone_starts = phone_starts,
        .lines = lines,
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
    for (size_t i = 0; i < CODEBOOKS * LINES; i++) {
        const size_t row = i / PADDED % (2 * DIMENSIONS + STREAMS);
        const int is_constant = row == 0 || row == 3 || row == 8;
        lines[i] = is_constant && i % PADDED >= GAUSSIANS ? -1e30f : -10.0f * random_share();
    }
    for (size_t i = 0; i < FRAMES * DIMENSIONS; i++) {
        features[i / DIMENSIONS][i % DIMENSIONS] = 2.0f * random_share() - 1.0f;
    }
}

static double weight_of(size_t place) {
    const uint32_t bits = (uint32_t)weights[place] << 16;
    float weight;
    memcpy(&weight, &bits, sizeof weight);
    return (double)weight;
}

static double density(size_t codebook, size_t stream, size_t gaussian, size_t frame) {
    const float *line = lines + codebook * LINES + gaussian;
    const float *values = features[frame];
    for (size_t before = 0; before < stream; before++) {
        line += (2 * dimensions[before] + 1) * PADDED;
        values += dimensions[before];
    }
    double sum = (double)line[0];
    for (size_t k = 0; k < dimensions[stream]; k++) {
        const double value = (double)values[k];
        sum += value * (double)line[(2 * k + 1) * PADDED] + value * value * (double)line[(2 * k + 2) * PADDED];
    }
    return sum;
}

static double reference(size_t codebook, size_t state, size_t frame) {
    double score = 0.0;
    for (size_t stream = 0; stream < STREAMS; stream++) {
        double sum = 0.0;
        for (size_t g = 0; g < GAUSSIANS; g++) {
            sum += exp(density(codebook, stream, g, frame)) * weight_of(place_of(codebook, state, stream, g));
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
    CHECK(asr_mixtures_work_bytes(&mixtures) <= sizeof work);
    CHECK(asr_mixtures_score(&mixtures, &features[0][0], FRAMES, work, &found.states[0][0], &found.phones[0][0]) == ASR_OK);
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
    features[0][0] = -1e30f;
    features[3][0] = 1e18f; /* less likely than what fills up a row */
    features[3][1] = features[3][3] = 1e18f;
    features[1][1] = NAN;
    features[2][2] = INFINITY;
    for (int level = ASR_SIMD_SCALAR; level <= ASR_SIMD_AVX512; level++) {
        if (!asr_simd_available((asr_simd)level)) {
            continue;
        }
        const asr_mixtures mixtures = tables((asr_simd)level);
        scores *out = level == ASR_SIMD_SCALAR ? &scalar : &other;
        CHECK(asr_mixtures_score(&mixtures, &features[0][0], FRAMES, work, &out->states[0][0], &out->phones[0][0]) == ASR_OK);
        CHECK(asr_mixtures_fit(&mixtures, &features[0][0], FRAMES, out->fits) == ASR_OK);
        CHECK(level == ASR_SIMD_SCALAR || memcmp(&scalar, &other, sizeof scalar) == 0);
    }
}

static void test_a_fit_is_that_of_the_likeliest_gaussians_within_a_thousandth(void) {
    float fits[FRAMES];
    const asr_mixtures mixtures = tables(ASR_SIMD_AUTO);
    fill();
    CHECK(asr_mixtures_fit(&mixtures, &features[0][0], FRAMES, fits) == ASR_OK);
    for (size_t frame = 0; frame < FRAMES; frame++) {
        double best = -INFINITY;
        for (size_t codebook = 0; codebook < CODEBOOKS; codebook++) {
            double sum = 0.0;
            for (size_t stream = 0; stream < STREAMS; stream++) {
                double highest = -INFINITY;
                for (size_t g = 0; g < GAUSSIANS; g++) {
                    highest = fmax(highest, density(codebook, stream, g, frame));
                }
                sum += highest;
            }
            best = fmax(best, sum);
        }
        CHECK(fabs((double)fits[frame] - best) < 1e-3);
    }
}

static void test_tables_that_do_not_fit_are_refused(void) {
    static scores found;
    static const uint32_t empty[PHONES + 1] = {0, 3, 3, 36, STATES}, few[PHONES + 1] = {0, 3, 4, 36, STATES - 1};
    asr_mixtures bad[9];
    for (size_t i = 0; i < 9; i++) {
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
    bad[8].lines = NULL;
    for (size_t i = 0; i < 9; i++) {
        CHECK(asr_mixtures_work_bytes(&bad[i]) == 0);
        CHECK(asr_mixtures_score(&bad[i], &features[0][0], 1, work, &found.states[0][0], &found.phones[0][0]) == ASR_E_ARGUMENT);
    }
    const asr_mixtures mixtures = tables(ASR_SIMD_AUTO);
    CHECK(asr_mixtures_score(&mixtures, NULL, 1, work, &found.states[0][0], &found.phones[0][0]) == ASR_E_ARGUMENT);
    CHECK(asr_mixtures_score(&mixtures, NULL, 0, NULL, NULL, NULL) == ASR_OK);
    CHECK(asr_mixtures_fit(&mixtures, NULL, 1, NULL) == ASR_E_ARGUMENT);
}

int main(void) {
    RUN(test_scores_are_those_of_all_gaussians_within_a_tenth);
    RUN(test_a_fit_is_that_of_the_likeliest_gaussians_within_a_thousandth);
    RUN(test_every_level_gives_the_same_bits);
    RUN(test_tables_that_do_not_fit_are_refused);
    return checks_failed == 0 ? 0 : 1;
}
