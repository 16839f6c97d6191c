/* How well frames fit the states of an acoustic model: sums over the Gaussians of a codebook that its states share.
 *
 * The densities of all Gaussians come from the caller (they are one matrix product); here they are mixed. Of a codebook
 * only those within MIXTURE_REACH of its likeliest count, some 15 to 40 of 128: what is left out moves a score by 0.01 on
 * average. Sums stay in registers, MIXTURE_LANES states at a time, and no operation is reordered, so that every
 * instruction set gives the same bits. */
#include "approximate.h"
#include "internal.h"
#include "simd.h"

#define MIXTURE_LANES ASR_MIXTURE_LANES
#define MIXTURE_FRAMES 8
#define MIXTURE_REACH 8.0f          /* natural logarithm */
#define MIXTURE_LEAST 3.3546263e-4f /* e^-MIXTURE_REACH */
#define MIXTURE_NEGLIGIBLE 1e-30f   /* added to likelihoods, so that they have a logarithm */
#define MIXTURE_LOWEST 60.0f         /* below the best */
#define MIXTURE_LN2 0.693147181f

/* Gaussians of one codebook and stream that count. */
typedef struct mixture_chosen {
    size_t count;
    uint16_t number[ASR_MIXTURE_GAUSSIANS];
    float share[ASR_MIXTURE_GAUSSIANS]; /* likelihood, that of the likeliest is 1 */
} mixture_chosen;

/* States in the table of weights. */
ASR_INLINE size_t mixture_padded(size_t states) {
    return (states + MIXTURE_LANES - 1) / MIXTURE_LANES * MIXTURE_LANES;
}

/* A distance from a maximum, at most `most`. Positive floats have the order of their bits, not-a-number above them. */
ASR_INLINE float mixture_within(float distance, float most) {
    int32_t bits, limit;
    memcpy(&bits, &distance, sizeof bits);
    memcpy(&limit, &most, sizeof limit);
    bits = asr_limit(bits, 0, limit);
    memcpy(&distance, &bits, sizeof distance);
    return distance;
}

ASR_INLINE float mixture_maximum(const float *values, size_t count) {
    float highest[16];
    for (size_t j = 0; j < 16; j++) {
        highest[j] = values[0];
    }
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        for (size_t j = 0; j < 16; j++) {
            highest[j] = values[i + j] > highest[j] ? values[i + j] : highest[j];
        }
    }
    for (; i < count; i++) {
        highest[0] = values[i] > highest[0] ? values[i] : highest[0];
    }
    for (size_t half = 8; half > 0; half /= 2) {
        for (size_t j = 0; j < half; j++) {
            highest[j] = highest[j + half] > highest[j] ? highest[j + half] : highest[j];
        }
    }
    return highest[0];
}

/* Returns the logarithm of the likeliest density. */
ASR_INLINE float mixture_choose(const float *restrict densities, size_t count, mixture_chosen *restrict chosen) {
    const float peak = mixture_maximum(densities, count);
    float likelihood[ASR_MIXTURE_GAUSSIANS];
    for (size_t g = 0; g < count; g++) {
        likelihood[g] = asr_exp_negative(mixture_within(peak - densities[g], MIXTURE_REACH + 1.0f));
    }
    size_t found = 0;
    for (size_t g = 0; g < count; g++) { /* without a branch: which ones count cannot be foretold */
        chosen->number[found] = (uint16_t)g;
        chosen->share[found] = likelihood[g];
        found += likelihood[g] >= MIXTURE_LEAST;
    }
    chosen->count = found;
    return peak;
}

/* 16 neighbouring states; several instructions each where vectors are shorter. */
typedef uint16_t mixture_halves __attribute__((vector_size(32), aligned(2)));
typedef uint32_t mixture_bits __attribute__((vector_size(64)));
typedef float mixture_vector __attribute__((vector_size(64)));

#define MIXTURE_WEIGHTS(place) ((mixture_vector)(__builtin_convertvector(*(place), mixture_bits) << 16))

/* rows: of the weights of MIXTURE_LANES states. */
ASR_INLINE void mixture_mix(const uint16_t *rows, const mixture_chosen *chosen, float *mixed) {
    mixture_vector low = {0}, high = {0};
    for (size_t i = 0; i < chosen->count; i++) {
        const mixture_halves *row = (const mixture_halves *)(const void *)(rows + chosen->number[i] * MIXTURE_LANES);
        low += chosen->share[i] * MIXTURE_WEIGHTS(row);
        high += chosen->share[i] * MIXTURE_WEIGHTS(row + 1);
    }
    memcpy(mixed, &low, sizeof low);
    memcpy(mixed + 16, &high, sizeof high);
}

/* MIXTURE_LANES states on one frame. */
ASR_INLINE void mixture_tile(const asr_mixtures *mixtures, const uint16_t *weights, const mixture_chosen *chosen, float peak,
                             float *restrict scores) {
    mixture_mix(weights, &chosen[0], scores);
    for (size_t stream = 1; stream < mixtures->streams; stream++) {
        float mixed[MIXTURE_LANES];
        mixture_mix(weights + stream * mixtures->gaussians * MIXTURE_LANES, &chosen[stream], mixed);
        for (size_t j = 0; j < MIXTURE_LANES; j++) {
            scores[j] *= mixed[j];
        }
    }
    for (size_t j = 0; j < MIXTURE_LANES; j++) {
        scores[j] = peak + MIXTURE_LN2 * asr_log2(scores[j] + MIXTURE_NEGLIGIBLE);
    }
}

/* The states of one codebook. What is chosen is remembered for some frames, so that the weights of a tile serve all of
 * them while they are near. */
ASR_INLINE void mixture_codebook(const asr_mixtures *mixtures, const float *densities, size_t frames, const uint16_t *weights,
                                 size_t states, float *restrict scores) {
    const size_t width = (size_t)mixtures->codebooks * mixtures->gaussians;
    const size_t count = mixtures->codebook_starts[mixtures->codebooks];
    for (size_t first = 0; first < frames; first += MIXTURE_FRAMES) {
        mixture_chosen chosen[MIXTURE_FRAMES][ASR_MIXTURE_STREAMS];
        float peak[MIXTURE_FRAMES];
        const size_t here = frames - first < MIXTURE_FRAMES ? frames - first : MIXTURE_FRAMES;
        for (size_t frame = 0; frame < here; frame++) {
            peak[frame] = 0.0f;
            for (size_t stream = 0; stream < mixtures->streams; stream++) {
                const float *row = densities + (stream * frames + first + frame) * width;
                peak[frame] += mixture_choose(row, mixtures->gaussians, &chosen[frame][stream]);
            }
        }
        const uint16_t *tile_weights = weights;
        for (size_t at = 0; at < states; at += MIXTURE_LANES) {
            const size_t left = states - at < MIXTURE_LANES ? states - at : MIXTURE_LANES;
            for (size_t frame = 0; frame < here; frame++) {
                float tile[MIXTURE_LANES];
                mixture_tile(mixtures, tile_weights, chosen[frame], peak[frame], tile);
                memcpy(scores + (first + frame) * count + at, tile, left * sizeof *tile);
            }
            tile_weights += (size_t)mixtures->streams * mixtures->gaussians * MIXTURE_LANES;
        }
    }
}

ASR_INLINE void mixture_relative(const float *restrict scores, size_t count, float best, int16_t *restrict out) {
    for (size_t i = 0; i < count; i++) {
        out[i] = (int16_t)-asr_round(mixture_within(best - scores[i], MIXTURE_LOWEST) * ASR_MIXTURE_UNIT);
    }
}

ASR_INLINE void mixture_score(const asr_mixtures *mixtures, const float *densities, size_t frames, float *work,
                              int16_t *states, int16_t *phones) {
    const size_t count = mixtures->codebook_starts[mixtures->codebooks];
    const uint16_t *weights = mixtures->weights;
    for (size_t codebook = 0; codebook < mixtures->codebooks; codebook++) {
        const size_t first = mixtures->codebook_starts[codebook];
        const size_t members = mixtures->codebook_starts[codebook + 1] - first;
        mixture_codebook(mixtures, densities + codebook * mixtures->gaussians, frames, weights, members, work + first);
        weights += mixture_padded(members) * mixtures->streams * mixtures->gaussians;
    }
    for (size_t frame = 0; frame < frames; frame++) {
        const float *scores = work + frame * count;
        const float best = mixture_maximum(scores, count);
        mixture_relative(scores, count, best, states + frame * count);
        for (size_t phone = 0; phone < mixtures->phones; phone++) {
            const size_t first = mixtures->phone_starts[phone];
            const float highest = mixture_maximum(scores + first, mixtures->phone_starts[phone + 1] - first);
            mixture_relative(&highest, 1, best, phones + frame * mixtures->phones + phone);
        }
    }
}

static void mixture_score_any(const asr_mixtures *mixtures, const float *densities, size_t frames, float *work,
                              int16_t *states, int16_t *phones) {
    mixture_score(mixtures, densities, frames, work, states, phones);
}

#if defined(ASR_X86)
ASR_AVX2_ONLY static void mixture_score_avx2(const asr_mixtures *mixtures, const float *densities, size_t frames, float *work,
                                             int16_t *states, int16_t *phones) {
    mixture_score(mixtures, densities, frames, work, states, phones);
}

ASR_AVX512_ONLY static void mixture_score_avx512(const asr_mixtures *mixtures, const float *densities, size_t frames,
                                                 float *work, int16_t *states, int16_t *phones) {
    mixture_score(mixtures, densities, frames, work, states, phones);
}
#endif

/* Whether each part of 0..count has members. */
static int mixture_are_starts(const uint32_t *starts, uint32_t parts) {
    if (starts == NULL || parts == 0 || starts[0] != 0) {
        return 0;
    }
    for (uint32_t part = 0; part < parts; part++) {
        if (starts[part + 1] <= starts[part]) {
            return 0;
        }
    }
    return 1;
}

int asr_mixtures_score(const asr_mixtures *mixtures, const float *densities, size_t frames, float *work, int16_t *states,
                       int16_t *phones) {
    if (mixtures == NULL || mixtures->struct_size != sizeof *mixtures || mixtures->streams == 0 ||
        mixtures->streams > ASR_MIXTURE_STREAMS || mixtures->gaussians == 0 ||
        mixtures->gaussians > ASR_MIXTURE_GAUSSIANS || mixtures->weights == NULL ||
        !mixture_are_starts(mixtures->codebook_starts, mixtures->codebooks) ||
        !mixture_are_starts(mixtures->phone_starts, mixtures->phones) ||
        mixtures->codebook_starts[mixtures->codebooks] != mixtures->phone_starts[mixtures->phones] ||
        (frames > 0 && (densities == NULL || work == NULL || states == NULL || phones == NULL))) {
        return ASR_E_ARGUMENT;
    }
    if (frames == 0) {
        return ASR_OK;
    }
#if defined(ASR_X86)
    const asr_simd level = mixtures->simd == ASR_SIMD_AUTO ? asr_simd_best() : mixtures->simd;
    if (level == ASR_SIMD_AVX512) {
        mixture_score_avx512(mixtures, densities, frames, work, states, phones);
        return ASR_OK;
    }
    if (level == ASR_SIMD_AVX2) {
        mixture_score_avx2(mixtures, densities, frames, work, states, phones);
        return ASR_OK;
    }
#endif
    mixture_score_any(mixtures, densities, frames, work, states, phones);
    return ASR_OK;
}
