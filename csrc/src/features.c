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
#include "spectrum.h"
#include "vad_features.h"

#include <math.h>
#include <string.h>

#define FEATURE_PITCH 128          /* and of the one of the magnitudes: 256 real values at 8 kHz */
#define FEATURE_PITCH_BINS 64      /* below 2 kHz */
#define FEATURE_LAG_FIRST 20 /* 400 Hz */
#define FEATURE_LAG_LAST 106 /* 75 Hz */
#define FEATURE_WARM_FRAMES 4      /* before the window is full its energies are no floor to start from */
#define FEATURE_RISE 0.01f         /* log2 of power in 10 ms: 3 dB a second, for floors up and for the peak down */
#define FEATURE_FALL 0.25f         /* share of the way down to a lower minimum */
#define FEATURE_ROUNDING 16.0f /* power of a bin from rounding to integers: 1/12 times the energy of the window, 192 */

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
    asr_radix4_first(re, im, re2, im2, 32, asr_feature_root128_cosine, asr_feature_root128_sine);
    asr_radix4(re2, im2, re, im, 8, 4);
    asr_radix4(re, im, re2, im2, 2, 16);
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

    float even[ASR_SPECTRUM_HALF], odd[ASR_SPECTRUM_HALF], power[ASR_FEATURE_BINS];
    for (unsigned i = 0; i < ASR_SPECTRUM_HALF; i++) {
        even[i] = window[2u * i] * asr_feature_hann[2u * i];
        odd[i] = window[2u * i + 1u] * asr_feature_hann[2u * i + 1u];
    }
    asr_spectrum(even, odd, power);

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
