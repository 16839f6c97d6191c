/* Log-mel energies, level, pitch and noise floors of a stream of 10 ms frames.
 *
 * A 512-point Hann window ends with the newest frame, so nothing here looks ahead. Its spectrum is taken with a complex
 * transform of half the length (even samples as real, odd as imaginary part), and gives the power in 32 mel bands. A
 * second, shorter transform of the magnitudes below 2 kHz gives an autocorrelation in which voiced speech stands out by
 * its pitch. Floors and peak follow the signal with one subtraction or one average each, so that the network sees how
 * far a frame stands above the noise and below the recent speech whatever the gain.
 *
 * Loops are written for the vectoriser: separate real and imaginary arrays, no branches, fixed bounds. No operation is
 * reordered by it, so every build computes the same bits (as long as products and sums are not contracted). */
#include "approximate.h"
#include "vad_features.h"

#include <math.h>
#include <string.h>

#define FEATURE_HALF 256           /* length of the complex transform of the window */
#define FEATURE_PITCH 128          /* and of the one of the magnitudes: 256 real values at 8 kHz */
#define FEATURE_PITCH_BINS 64      /* below 2 kHz */
#define FEATURE_LAG_FIRST 20 /* 400 Hz */
#define FEATURE_LAG_LAST 106 /* 75 Hz */
#define FEATURE_WARM_FRAMES 4      /* before the window is full its energies are no floor to start from */
#define FEATURE_RISE 0.01f         /* log2 of power in 10 ms: 3 dB a second, for floors up and for the peak down */
#define FEATURE_FALL 0.25f         /* share of the way down to a lower minimum */
#define FEATURE_ROUNDING 16.0f /* power of a bin from rounding to integers: 1/12 times the energy of the window, 192 */

/* One radix-4 butterfly of the Stockham transform (self-sorting, decimation in frequency): element q of the four
 * quarters to elements to, to + run, ... of the output, turned by c - i s and its square and cube. */
#define FEATURE_BUTTERFLY(q, to, run, c1, s1)                                                                       \
    do {                                                                                                    \
        const float c2 = (c1) * (c1) - (s1) * (s1), s2 = 2.0f * (c1) * (s1);                                \
        const float c3 = (c1)*c2 - (s1)*s2, s3 = (c1)*s2 + (s1)*c2;                                         \
        const float r0 = re[q] + re[(q) + 2u * quarter], i0 = im[q] + im[(q) + 2u * quarter];               \
        const float r1 = re[q] - re[(q) + 2u * quarter], i1 = im[q] - im[(q) + 2u * quarter];               \
        const float r2 = re[(q) + quarter] + re[(q) + 3u * quarter];                                        \
        const float i2 = im[(q) + quarter] + im[(q) + 3u * quarter];                                        \
        const float r3 = im[(q) + quarter] - im[(q) + 3u * quarter];                                        \
        const float i3 = re[(q) + 3u * quarter] - re[(q) + quarter];                                        \
        const float ur = r1 + r3, ui = i1 + i3, vr = r0 - r2, vi = i0 - i2, wr = r1 - r3, wi = i1 - i3;     \
        out_re[to] = r0 + r2;                                                                               \
        out_im[to] = i0 + i2;                                                                               \
        out_re[(to) + (run)] = ur * (c1) + ui * (s1);                                                       \
        out_im[(to) + (run)] = ui * (c1) - ur * (s1);                                                       \
        out_re[(to) + 2u * (run)] = vr * c2 + vi * s2;                                                      \
        out_im[(to) + 2u * (run)] = vi * c2 - vr * s2;                                                      \
        out_re[(to) + 3u * (run)] = wr * c3 + wi * s3;                                                      \
        out_im[(to) + 3u * (run)] = wi * c3 - wr * s3;                                                      \
    } while (0)

/* The first step: every butterfly has its own root; `quarter` of them, vectorised across roots. */
ASR_INLINE void feature_radix4_first(const float *restrict re, const float *restrict im, float *restrict out_re,
                                float *restrict out_im, unsigned quarter, const float *restrict cosine,
                                const float *restrict sine) {
    for (unsigned p = 0; p < quarter; p++)
        FEATURE_BUTTERFLY(p, 4u * p, 1u, cosine[p], sine[p]);
}

/* A later step: `groups` roots, each for `run` consecutive elements; vectorised across those. */
ASR_INLINE void feature_radix4(const float *restrict re, const float *restrict im, float *restrict out_re,
                          float *restrict out_im, unsigned groups, unsigned run) {
    const unsigned quarter = groups * run;
    for (unsigned p = 0; p < groups; p++) {
        const float c1 = asr_feature_cosine[p * (128u / groups)], s1 = asr_feature_sine[p * (128u / groups)];
        for (unsigned q = 0; q < run; q++)
            FEATURE_BUTTERFLY(p * run + q, 4u * p * run + q, run, c1, s1);
    }
}

/* Power of bins 0..256 of 512 real values, given as even samples (re) and odd ones (im), which are overwritten.
 * X[k] = E[k] + W^k O[k], where E and O, the spectra of the even and odd samples, are the symmetric parts of Z. */
ASR_INLINE void feature_spectrum(float *restrict re, float *restrict im, float *restrict power) {
    float re2[FEATURE_HALF], im2[FEATURE_HALF];
    feature_radix4_first(re, im, re2, im2, 64, asr_feature_root256_cosine, asr_feature_root256_sine);
    feature_radix4(re2, im2, re, im, 16, 4);
    feature_radix4(re, im, re2, im2, 4, 16);
    feature_radix4(re2, im2, re, im, 1, 64);
    power[0] = (re[0] + im[0]) * (re[0] + im[0]);
    power[FEATURE_HALF] = (re[0] - im[0]) * (re[0] - im[0]);
    for (unsigned k = 1; k < FEATURE_HALF; k++) {
        const float even_re = re[k] + re[FEATURE_HALF - k], even_im = im[k] - im[FEATURE_HALF - k];
        const float odd_re = im[k] + im[FEATURE_HALF - k], odd_im = re[FEATURE_HALF - k] - re[k];
        const float c = asr_feature_cosine[k], s = asr_feature_sine[k];
        const float x_re = even_re + (odd_re * c + odd_im * s), x_im = even_im + (odd_im * c - odd_re * s);
        power[k] = 0.25f * (x_re * x_re + x_im * x_im);
    }
}

/* Autocorrelation, at 8 kHz, of a signal with these magnitudes (FEATURE_PITCH_BINS of them and a zero): the transform of 256
 * real values that are even about 0. Values and transform are real, so lag[l] = E[l] + cos O_re[l] + sin O_im[l]. */
ASR_INLINE void feature_autocorrelation(const float *restrict magnitude, float *restrict lag) {
    float re[FEATURE_PITCH] = {0}, im[FEATURE_PITCH] = {0}, re2[FEATURE_PITCH], im2[FEATURE_PITCH];
    for (unsigned k = 0; k < FEATURE_PITCH_BINS / 2u; k++) {
        re[k] = magnitude[2u * k];
        im[k] = magnitude[2u * k + 1u];
        re[FEATURE_PITCH - 1u - k] = magnitude[2u * k + 2u];
        im[FEATURE_PITCH - 1u - k] = magnitude[2u * k + 1u];
    }
    feature_radix4_first(re, im, re2, im2, 32, asr_feature_root128_cosine, asr_feature_root128_sine);
    feature_radix4(re2, im2, re, im, 8, 4);
    feature_radix4(re, im, re2, im2, 2, 16);
    for (unsigned q = 0; q < FEATURE_PITCH / 2u; q++) {
        re[q] = re2[q] + re2[q + FEATURE_PITCH / 2u];
        im[q] = im2[q] + im2[q + FEATURE_PITCH / 2u];
        re[q + FEATURE_PITCH / 2u] = re2[q] - re2[q + FEATURE_PITCH / 2u];
        im[q + FEATURE_PITCH / 2u] = im2[q] - im2[q + FEATURE_PITCH / 2u];
    }
    lag[0] = re[0] + im[0];
    for (unsigned l = 1; l < FEATURE_PITCH; l++) {
        const float even = re[l] + re[FEATURE_PITCH - l];
        const float odd_re = im[l] + im[FEATURE_PITCH - l], odd_im = re[FEATURE_PITCH - l] - re[l];
        lag[l] = 0.5f * (even + (odd_re * asr_feature_cosine[2u * l] + odd_im * asr_feature_sine[2u * l]));
    }
}

/* Height of the highest peak between the pitch lags, relative to lag 0, and its place between samples (parabola). */
ASR_INLINE void feature_pitch(const float *restrict power, float *restrict voicing, float *restrict period) {
    float magnitude[FEATURE_PITCH_BINS + 1], lag[FEATURE_PITCH];
    for (unsigned k = 0; k < FEATURE_PITCH_BINS; k++)
        magnitude[k] = sqrtf(power[k]);
    magnitude[0] = magnitude[1] = magnitude[FEATURE_PITCH_BINS] = 0.0f; /* below the voice: hum and what DC leaks */
    feature_autocorrelation(magnitude, lag);
    unsigned best = FEATURE_LAG_FIRST;
    for (unsigned l = FEATURE_LAG_FIRST; l <= FEATURE_LAG_LAST; l++)
        best = lag[l] > lag[best] ? l : best;
    const float before = lag[best - 1u], at = lag[best], after = lag[best + 1u];
    const float bend = before - 2.0f * at + after;
    float shift = bend < -1e-6f ? 0.5f * (before - after) / bend : 0.0f;
    shift = shift > 0.5f ? 0.5f : shift < -0.5f ? -0.5f : shift;
    const float height = at - 0.25f * (before - after) * shift;
    *voicing = height > 0.0f ? height / (lag[0] + 64.0f) : 0.0f; /* 64: what silence with dither has */
    *period = asr_log2(((float)best + shift) / 8.0f);
}

ASR_INLINE void feature_process(asr_features *features, const int16_t frame[ASR_FRAME_SAMPLES], asr_feature_frame *out) {
    float *const window = features->window;
    memmove(window, window + ASR_FRAME_SAMPLES, (ASR_FEATURE_WINDOW - ASR_FRAME_SAMPLES) * sizeof *window);
    for (unsigned i = 0; i < ASR_FRAME_SAMPLES; i++)
        window[ASR_FEATURE_WINDOW - ASR_FRAME_SAMPLES + i] = (float)frame[i];

    float even[FEATURE_HALF], odd[FEATURE_HALF], power[ASR_FEATURE_BINS];
    for (unsigned i = 0; i < FEATURE_HALF; i++) {
        even[i] = window[2u * i] * asr_feature_hann[2u * i];
        odd[i] = window[2u * i + 1u] * asr_feature_hann[2u * i + 1u];
    }
    feature_spectrum(even, odd, power);

    float energy[ASR_FEATURE_BANDS], total = 0.0f;
    const float *weight = asr_feature_mel_weight;
    for (unsigned b = 0; b < ASR_FEATURE_BANDS; b++) {
        const unsigned first = asr_feature_mel_first[b], count = asr_feature_mel_count[b];
        float sum = 0.0f;
        for (unsigned k = 0; k < count; k++)
            sum += weight[k] * power[first + k];
        weight += count;
        energy[b] = sum;
        total += sum;
    }
    /* A frame of rounding noise alone has FEATURE_ROUNDING in every bin: what lies below says nothing. */
    for (unsigned b = 0; b < ASR_FEATURE_BANDS; b++)
        out->band[b] = asr_log2(energy[b] * (1.0f / FEATURE_ROUNDING) + 1.0f);
    out->level = asr_log2(total * (1.0f / FEATURE_ROUNDING / ASR_FEATURE_BANDS) + 1.0f);
    feature_pitch(power, &out->voicing, &out->period);

    if (features->warm_frames < FEATURE_WARM_FRAMES) {
        features->warm_frames++;
        features->peak = out->level;
        memcpy(features->floor, out->band, sizeof features->floor);
    }
    features->peak -= FEATURE_RISE;
    if (features->peak < out->level)
        features->peak = out->level;
    out->peak = features->peak;
    for (unsigned b = 0; b < ASR_FEATURE_BANDS; b++) {
        const float gap = out->band[b] - features->floor[b];
        features->floor[b] += gap < 0.0f ? FEATURE_FALL * gap : gap < FEATURE_RISE ? gap : FEATURE_RISE;
        out->floor[b] = features->floor[b];
    }
}

static void feature_process_any(asr_features *features, const int16_t frame[ASR_FRAME_SAMPLES], asr_feature_frame *out) {
    feature_process(features, frame, out);
}

#if defined(ASR_X86)
ASR_AVX2_ONLY static void feature_process_avx2(asr_features *features, const int16_t frame[ASR_FRAME_SAMPLES],
                                               asr_feature_frame *out) {
    feature_process(features, frame, out);
}
#endif

void asr_features_reset(asr_features *features, asr_simd simd) {
    memset(features, 0, sizeof *features);
    features->process = feature_process_any;
#if defined(ASR_X86)
    const asr_simd level = simd == ASR_SIMD_AUTO ? asr_simd_best() : simd;
    if (level == ASR_SIMD_AVX2 || level == ASR_SIMD_AVX512) {
        features->process = feature_process_avx2;
    }
#else
    (void)simd;
#endif
}

void asr_features_process(asr_features *features, const int16_t frame[ASR_FRAME_SAMPLES], asr_feature_frame *out) {
    features->process(features, frame, out);
}
