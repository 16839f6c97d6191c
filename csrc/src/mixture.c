/* How well frames fit the states of an acoustic model: sums over the Gaussians of a codebook that its states share.
 *
 * A block of frames is taken through one codebook after the other. Of a codebook's Gaussians only those within
 * MIXTURE_REACH of the likeliest count, some 15 to 40 of 128: what is left out moves a score by 0.01 on average. Weights
 * fill more memory than a core keeps near, so they are read once for all frames of a block. Sums stay in registers, and no
 * operation is reordered, so that every instruction set gives the same bits. */
#include "approximate.h"
#include "internal.h"
#include "simd.h"

#define MIXTURE_LANES ASR_MIXTURE_LANES
#define MIXTURE_HALF (MIXTURE_LANES / 2) /* lanes of a vector */
#define MIXTURE_FRAMES 26                /* of a block: what comes in 0.75 s, every third */
#define MIXTURE_ROWS 4                   /* frames whose densities are computed at once */
#define MIXTURE_REACH 8.0f               /* natural logarithm */
#define MIXTURE_NEGLIGIBLE 1e-30f        /* added to likelihoods, so that they have a logarithm */
#define MIXTURE_LOWEST 60.0f             /* below the best */
#define MIXTURE_NOTHING -3e38f
#define MIXTURE_LN2 0.693147181f

typedef float mixture_vector __attribute__((vector_size(64)));
typedef float mixture_floats __attribute__((vector_size(64), aligned(4)));
typedef uint32_t mixture_bits __attribute__((vector_size(64)));
typedef uint32_t mixture_words __attribute__((vector_size(64), aligned(2)));

#define MIXTURE_LOAD(address) ((mixture_vector)(*(const mixture_floats *)(const void *)(address)))

/* Where a block is worked off, in memory of the caller. Gaussians that count are listed frame by frame and stream by
 * stream: those of (frame, stream) from ends[frame * streams + stream] on. */
typedef struct mixture_block {
    float *scores; /* [frames][states] */
    float *shares; /* likelihood, that of the likeliest is 1 */
    uint16_t *numbers;
    uint32_t ends[MIXTURE_FRAMES * ASR_MIXTURE_STREAMS + 1];
    float peaks[MIXTURE_FRAMES]; /* logarithm of the likeliest densities, all streams together */
} mixture_block;

ASR_INLINE size_t mixture_padded(size_t count) {
    return (count + MIXTURE_LANES - 1) / MIXTURE_LANES * MIXTURE_LANES;
}

/* Features of a frame, all streams. */
ASR_INLINE size_t mixture_dimensions(const asr_mixtures *mixtures) {
    size_t dimensions = 0;
    for (size_t stream = 0; stream < mixtures->streams; stream++) {
        dimensions += mixtures->dimensions[stream];
    }
    return dimensions;
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
    float highest[MIXTURE_HALF];
    for (size_t j = 0; j < MIXTURE_HALF; j++) {
        highest[j] = MIXTURE_NOTHING;
    }
    for (size_t i = 0; i + MIXTURE_HALF <= count; i += MIXTURE_HALF) {
        for (size_t j = 0; j < MIXTURE_HALF; j++) {
            highest[j] = values[i + j] > highest[j] ? values[i + j] : highest[j];
        }
    }
    if (count >= MIXTURE_HALF) { /* the rest, and some once more */
        const float *last = values + count - MIXTURE_HALF;
        for (size_t j = 0; j < MIXTURE_HALF; j++) {
            highest[j] = last[j] > highest[j] ? last[j] : highest[j];
        }
    } else {
        for (size_t j = 0; j < count; j++) {
            highest[j] = values[j] > highest[j] ? values[j] : highest[j];
        }
    }
    for (size_t half = MIXTURE_HALF / 2; half > 0; half /= 2) {
        for (size_t j = 0; j < half; j++) {
            highest[j] = highest[j + half] > highest[j] ? highest[j + half] : highest[j];
        }
    }
    return highest[0];
}

/* Log densities of one codebook and stream, [MIXTURE_ROWS][padded Gaussians]. lines: the offsets, then for each dimension
 * what its value and what its square count. */
ASR_INLINE void mixture_densities(const float *lines, size_t dimensions, size_t width, const float *const *frames,
                                  float *restrict densities) {
    for (size_t at = 0; at < width; at += MIXTURE_LANES) {
        mixture_vector low[MIXTURE_ROWS], high[MIXTURE_ROWS];
        for (size_t row = 0; row < MIXTURE_ROWS; row++) {
            low[row] = MIXTURE_LOAD(lines + at);
            high[row] = MIXTURE_LOAD(lines + at + MIXTURE_HALF);
        }
        const float *line = lines + width + at;
        for (size_t k = 0; k < dimensions; k++) {
            const mixture_vector slope_low = MIXTURE_LOAD(line), slope_high = MIXTURE_LOAD(line + MIXTURE_HALF);
            line += width;
            const mixture_vector curve_low = MIXTURE_LOAD(line), curve_high = MIXTURE_LOAD(line + MIXTURE_HALF);
            line += width;
            for (size_t row = 0; row < MIXTURE_ROWS; row++) {
                const float value = frames[row][k], square = value * value;
                low[row] += value * slope_low;
                high[row] += value * slope_high;
                low[row] += square * curve_low;
                high[row] += square * curve_high;
            }
        }
        for (size_t row = 0; row < MIXTURE_ROWS; row++) {
            memcpy(densities + row * width + at, &low[row], sizeof low[row]);
            memcpy(densities + row * width + at + MIXTURE_HALF, &high[row], sizeof high[row]);
        }
    }
}

/* Lists the Gaussians that count, and returns the end of the list. What fills up a row has no weights and never counts. */
ASR_INLINE uint32_t mixture_choose(const float *restrict densities, size_t count, float peak, mixture_block *block,
                                   uint32_t begin) {
    const float least = peak - MIXTURE_REACH;
    uint32_t end = begin;
    for (size_t g = 0; g < count; g++) { /* without a branch: which ones count cannot be foretold */
        block->numbers[end] = (uint16_t)g;
        end += densities[g] >= least;
    }
    for (uint32_t i = begin; i < end; i++) {
        block->shares[i] = densities[block->numbers[i]];
    }
    for (uint32_t i = begin; i < end; i++) {
        block->shares[i] = asr_exp_negative(mixture_within(peak - block->shares[i], MIXTURE_REACH + 1.0f));
    }
    return end;
}

/* features: [frames][dimensions of all streams]. */
ASR_INLINE void mixture_codebook(const asr_mixtures *mixtures, const float *lines, const float *features, size_t frames,
                                 mixture_block *block) {
    const size_t width = mixture_padded(mixtures->gaussians), streams = mixtures->streams;
    const size_t stride = mixture_dimensions(mixtures);
    float peaks[ASR_MIXTURE_STREAMS];
    uint32_t end = block->ends[0] = 0;
    for (size_t first = 0; first < frames; first += MIXTURE_ROWS) {
        float densities[ASR_MIXTURE_STREAMS][MIXTURE_ROWS * ASR_MIXTURE_GAUSSIANS];
        const size_t here = frames - first < MIXTURE_ROWS ? frames - first : MIXTURE_ROWS;
        const float *line = lines;
        size_t offset = 0;
        for (size_t stream = 0; stream < streams; stream++) {
            const float *rows[MIXTURE_ROWS];
            for (size_t row = 0; row < MIXTURE_ROWS; row++) { /* the last ones where there are fewer */
                rows[row] = features + (first + (row < here ? row : here - 1)) * stride + offset;
            }
            mixture_densities(line, mixtures->dimensions[stream], width, rows, densities[stream]);
            line += (2 * mixtures->dimensions[stream] + 1) * width;
            offset += mixtures->dimensions[stream];
        }
        for (size_t row = 0; row < here; row++) {
            float peak = 0.0f;
            for (size_t stream = 0; stream < streams; stream++) {
                peaks[stream] = mixture_maximum(densities[stream] + row * width, mixtures->gaussians);
                peak += peaks[stream];
            }
            block->peaks[first + row] = peak;
            for (size_t stream = 0; block->numbers != NULL && stream < streams; stream++) {
                end = mixture_choose(densities[stream] + row * width, mixtures->gaussians, peaks[stream], block, end);
                block->ends[(first + row) * streams + stream + 1] = end;
            }
        }
    }
}

/* MIXTURE_LANES states on one frame: words of weights hold a state in the lower half and one in the upper. */
ASR_INLINE void mixture_tile(const asr_mixtures *mixtures, const uint16_t *weights, const mixture_block *block, size_t frame,
                             float *restrict scores) {
    const mixture_bits upper = (mixture_bits){0} + 0xFFFF0000u;
    mixture_vector low = (mixture_vector){0} + 1.0f, high = low;
    for (size_t stream = 0; stream < mixtures->streams; stream++) {
        const uint32_t *bounds = block->ends + frame * mixtures->streams + stream;
        mixture_vector low_sum = {0}, high_sum = {0};
        for (uint32_t i = bounds[0]; i < bounds[1]; i++) {
            const uint16_t *row = weights + (size_t)block->numbers[i] * MIXTURE_LANES;
            const mixture_bits words = *(const mixture_words *)(const void *)row;
            low_sum += block->shares[i] * (mixture_vector)(words << 16);
            high_sum += block->shares[i] * (mixture_vector)(words & upper);
        }
        low *= low_sum;
        high *= high_sum;
        weights += (size_t)mixtures->gaussians * MIXTURE_LANES;
    }
    memcpy(scores, &low, sizeof low);
    memcpy(scores + MIXTURE_HALF, &high, sizeof high);
    for (size_t j = 0; j < MIXTURE_LANES; j++) {
        scores[j] = block->peaks[frame] + MIXTURE_LN2 * asr_log2(scores[j] + MIXTURE_NEGLIGIBLE);
    }
}

ASR_INLINE void mixture_relative(const float *restrict scores, size_t count, float best, int16_t *restrict out) {
    for (size_t i = 0; i < count; i++) {
        out[i] = (int16_t)-asr_round(mixture_within(best - scores[i], MIXTURE_LOWEST) * ASR_MIXTURE_UNIT);
    }
}

/* Floats of the Gaussians of a codebook. */
ASR_INLINE size_t mixture_line_floats(const asr_mixtures *mixtures) {
    return (2 * mixture_dimensions(mixtures) + mixtures->streams) * mixture_padded(mixtures->gaussians);
}

ASR_INLINE void mixture_score(const asr_mixtures *mixtures, const float *features, size_t frames, mixture_block *block,
                              int16_t *states, int16_t *phones) {
    const size_t count = mixtures->codebook_starts[mixtures->codebooks];
    const size_t tile_weights = (size_t)mixtures->streams * mixtures->gaussians * MIXTURE_LANES;
    const uint16_t *weights = mixtures->weights;
    const float *lines = mixtures->lines;
    for (size_t codebook = 0; codebook < mixtures->codebooks; codebook++) {
        mixture_codebook(mixtures, lines, features, frames, block);
        lines += mixture_line_floats(mixtures);
        const size_t end = mixtures->codebook_starts[codebook + 1];
        for (size_t at = mixtures->codebook_starts[codebook]; at < end; at += MIXTURE_LANES) {
            const size_t left = end - at < MIXTURE_LANES ? end - at : MIXTURE_LANES;
            for (size_t frame = 0; frame < frames; frame++) {
                float tile[MIXTURE_LANES];
                mixture_tile(mixtures, weights, block, frame, tile);
                memcpy(block->scores + frame * count + at, tile, left * sizeof *tile);
            }
            weights += tile_weights;
        }
    }
    for (size_t frame = 0; frame < frames; frame++) {
        const float *scores = block->scores + frame * count;
        const float best = mixture_maximum(scores, count);
        mixture_relative(scores, count, best, states + frame * count);
        for (size_t phone = 0; phone < mixtures->phones; phone++) {
            const size_t first = mixtures->phone_starts[phone];
            const float highest = mixture_maximum(scores + first, mixtures->phone_starts[phone + 1] - first);
            mixture_relative(&highest, 1, best, phones + frame * mixtures->phones + phone);
        }
    }
}

ASR_INLINE void mixture_fit(const asr_mixtures *mixtures, const float *features, size_t frames, mixture_block *block,
                            float *fits) {
    const float *lines = mixtures->lines;
    for (size_t codebook = 0; codebook < mixtures->codebooks; codebook++) {
        mixture_codebook(mixtures, lines, features, frames, block);
        lines += mixture_line_floats(mixtures);
        for (size_t frame = 0; frame < frames; frame++) {
            fits[frame] = codebook > 0 && fits[frame] > block->peaks[frame] ? fits[frame] : block->peaks[frame];
        }
    }
}

static void mixture_score_any(const asr_mixtures *mixtures, const float *features, size_t frames, mixture_block *block,
                              int16_t *states, int16_t *phones) {
    mixture_score(mixtures, features, frames, block, states, phones);
}

static void mixture_fit_any(const asr_mixtures *mixtures, const float *features, size_t frames, mixture_block *block,
                            float *fits) {
    mixture_fit(mixtures, features, frames, block, fits);
}

#if defined(ASR_X86)
ASR_AVX2_ONLY static void mixture_score_avx2(const asr_mixtures *mixtures, const float *features, size_t frames,
                                             mixture_block *block, int16_t *states, int16_t *phones) {
    mixture_score(mixtures, features, frames, block, states, phones);
}

ASR_AVX512_ONLY static void mixture_score_avx512(const asr_mixtures *mixtures, const float *features, size_t frames,
                                                 mixture_block *block, int16_t *states, int16_t *phones) {
    mixture_score(mixtures, features, frames, block, states, phones);
}

ASR_AVX2_ONLY static void mixture_fit_avx2(const asr_mixtures *mixtures, const float *features, size_t frames,
                                           mixture_block *block, float *fits) {
    mixture_fit(mixtures, features, frames, block, fits);
}

ASR_AVX512_ONLY static void mixture_fit_avx512(const asr_mixtures *mixtures, const float *features, size_t frames,
                                               mixture_block *block, float *fits) {
    mixture_fit(mixtures, features, frames, block, fits);
}
#endif

typedef void mixture_scorer(const asr_mixtures *, const float *, size_t, mixture_block *, int16_t *, int16_t *);
typedef void mixture_fitter(const asr_mixtures *, const float *, size_t, mixture_block *, float *);

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

static int mixture_is_valid(const asr_mixtures *mixtures) {
    if (mixtures == NULL || mixtures->struct_size != sizeof *mixtures || mixtures->streams == 0 ||
        mixtures->streams > ASR_MIXTURE_STREAMS || mixtures->gaussians == 0 ||
        mixtures->gaussians > ASR_MIXTURE_GAUSSIANS || mixtures->weights == NULL || mixtures->lines == NULL ||
        !mixture_are_starts(mixtures->codebook_starts, mixtures->codebooks) ||
        !mixture_are_starts(mixtures->phone_starts, mixtures->phones)) {
        return 0;
    }
    return mixtures->codebook_starts[mixtures->codebooks] == mixtures->phone_starts[mixtures->phones];
}

/* Numbers of Gaussians that can count in a block; the list may be written one past its end. */
static size_t mixture_listed(const asr_mixtures *mixtures) {
    return (size_t)MIXTURE_FRAMES * mixtures->streams * mixture_padded(mixtures->gaussians) + 1;
}

size_t asr_mixtures_work_bytes(const asr_mixtures *mixtures) {
    if (!mixture_is_valid(mixtures)) {
        return 0;
    }
    const size_t states = mixtures->codebook_starts[mixtures->codebooks];
    return MIXTURE_FRAMES * states * sizeof(float) + mixture_listed(mixtures) * (sizeof(float) + sizeof(uint16_t));
}

static asr_simd mixture_level(const asr_mixtures *mixtures) {
    return mixtures->simd == ASR_SIMD_AUTO ? asr_simd_best() : mixtures->simd;
}

int asr_mixtures_score(const asr_mixtures *mixtures, const float *features, size_t frames, float *work, int16_t *states,
                       int16_t *phones) {
    if (!mixture_is_valid(mixtures) ||
        (frames > 0 && (features == NULL || work == NULL || states == NULL || phones == NULL))) {
        return ASR_E_ARGUMENT;
    }
    mixture_scorer *score = mixture_score_any;
#if defined(ASR_X86)
    const asr_simd level = mixture_level(mixtures);
    score = level == ASR_SIMD_AVX512 ? mixture_score_avx512 : level == ASR_SIMD_AVX2 ? mixture_score_avx2 : score;
#endif
    const size_t count = mixtures->codebook_starts[mixtures->codebooks];
    mixture_block block;
    block.scores = work;
    block.shares = frames > 0 ? work + MIXTURE_FRAMES * count : NULL;
    block.numbers = frames > 0 ? (uint16_t *)(void *)(block.shares + mixture_listed(mixtures)) : NULL;
    for (size_t first = 0; first < frames; first += MIXTURE_FRAMES) {
        const size_t here = frames - first < MIXTURE_FRAMES ? frames - first : MIXTURE_FRAMES;
        score(mixtures, features + first * mixture_dimensions(mixtures), here, &block, states + first * count,
              phones + first * mixtures->phones);
    }
    return ASR_OK;
}

int asr_mixtures_fit(const asr_mixtures *mixtures, const float *features, size_t frames, float *fits) {
    if (!mixture_is_valid(mixtures) || (frames > 0 && (features == NULL || fits == NULL))) {
        return ASR_E_ARGUMENT;
    }
    mixture_fitter *fit = mixture_fit_any;
#if defined(ASR_X86)
    const asr_simd level = mixture_level(mixtures);
    fit = level == ASR_SIMD_AVX512 ? mixture_fit_avx512 : level == ASR_SIMD_AVX2 ? mixture_fit_avx2 : fit;
#endif
    mixture_block block;
    block.scores = block.shares = NULL;
    block.numbers = NULL;
    for (size_t first = 0; first < frames; first += MIXTURE_FRAMES) {
        const size_t here = frames - first < MIXTURE_FRAMES ? frames - first : MIXTURE_FRAMES;
        fit(mixtures, features + first * mixture_dimensions(mixtures), here, &block, fits + first);
    }
    return ASR_OK;
}
