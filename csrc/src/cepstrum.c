/* Cepstra as the Sphinx front end defines them: pre-emphasis, window, power in triangular bands of the mel scale,
 * subtraction of noise, logarithm, cosine transform. Bands of several stretches of the mel scale are computed from one
 * spectrum. What a model wants of it stands in tables of the caller. */
#include "approximate.h"
#include "internal.h"
#include "spectrum.h"

#define CEPSTRUM_BINS (ASR_SPECTRUM_HALF + 1)
#define CEPSTRUM_LN2 0.693147181f
#define CEPSTRUM_FLOOR 1e-4f
/* Noise is followed per band, as the models were trained with. */
#define CEPSTRUM_POWER_KEPT 0.7f
#define CEPSTRUM_RISE 0.005f /* share of the way up or down to the level: the lower envelope */
#define CEPSTRUM_FALL 0.5f
#define CEPSTRUM_MASKING 0.85f /* what the peak keeps in a frame; below it a sound is masked by the one before */
#define CEPSTRUM_MASKED 0.2f
#define CEPSTRUM_GAIN_MAX 20.0f
#define CEPSTRUM_NEIGHBOURS 4 /* bands to either side that share a gain */

/* samples: the one before the frame, then the frame, of which `count` in all are given; the rest is silence. */
ASR_INLINE void cepstrum_power(const asr_cepstrum *tables, const int16_t *samples, size_t count, float *restrict power) {
    float frame[2 * ASR_SPECTRUM_HALF] = {0}, even[ASR_SPECTRUM_HALF], odd[ASR_SPECTRUM_HALF];
    const size_t window = tables->window_samples;
    const size_t given = count - 1 < window ? count - 1 : window;
    float mean = 0.0f;
    for (size_t i = 0; i < given; i++) {
        frame[i] = (float)samples[i + 1] - tables->pre_emphasis * (float)samples[i];
    }
    for (size_t i = 0; i < window && tables->remove_offset; i++) {
        mean += frame[i];
    }
    mean /= (float)window;
    for (size_t i = 0; i < window; i++) {
        frame[i] = (frame[i] - mean) * tables->window[i];
    }
    for (size_t i = 0; i < ASR_SPECTRUM_HALF; i++) {
        even[i] = frame[2 * i];
        odd[i] = frame[2 * i + 1];
    }
    asr_spectrum(even, odd, power);
}

ASR_INLINE void cepstrum_energies(const asr_cepstrum *tables, const int16_t *samples, size_t count, size_t frames,
                                  float *restrict energies) {
    const size_t bands = (size_t)tables->warps * tables->bands;
    for (size_t frame = 0; frame < frames; frame++) {
        float power[CEPSTRUM_BINS];
        cepstrum_power(tables, samples + frame * ASR_FRAME_SAMPLES, count - frame * ASR_FRAME_SAMPLES, power);
        const float *weight = tables->weights;
        for (size_t band = 0; band < bands; band++) {
            const float *bins = power + tables->band_first[band];
            float sum = 0.0f;
            for (size_t i = 0; i < tables->band_bins[band]; i++) {
                sum += weight[i] * bins[i];
            }
            weight += tables->band_bins[band];
            energies[frame * bands + band] = sum;
        }
    }
}

ASR_INLINE float cepstrum_follow(float floor, float level) {
    const float way = level - floor;
    return floor + way * (way >= 0.0f ? CEPSTRUM_RISE : CEPSTRUM_FALL);
}

ASR_INLINE float cepstrum_larger(float a, float b) {
    return a > b ? a : b;
}

/* One frame of one warp less its noise; spectral subtraction whose gains are smoothed across bands. */
ASR_INLINE void cepstrum_denoise(asr_cepstrum_noise *noise, const float *energies, size_t bands, float *restrict clean) {
    float gain[ASR_CEPSTRUM_BANDS];
    for (size_t b = 0; b < bands; b++) {
        const float power = CEPSTRUM_POWER_KEPT * noise->power[b] + (1.0f - CEPSTRUM_POWER_KEPT) * energies[b];
        noise->power[b] = power;
        noise->noise[b] = cepstrum_follow(noise->noise[b], power);
        const float signal = cepstrum_larger(power - noise->noise[b], 1.0f);
        noise->floor[b] = cepstrum_follow(noise->floor[b], signal);
        const float peak = CEPSTRUM_MASKING * noise->peak[b];
        float heard = signal < CEPSTRUM_MASKING * peak ? CEPSTRUM_MASKED * peak : signal;
        noise->peak[b] = cepstrum_larger(peak, signal);
        heard = cepstrum_larger(heard, noise->floor[b]) / cepstrum_larger(power, 1e-30f);
        heard = heard < CEPSTRUM_GAIN_MAX ? heard : CEPSTRUM_GAIN_MAX;
        gain[b] = cepstrum_larger(heard, 1.0f / CEPSTRUM_GAIN_MAX);
    }
    for (size_t b = 0; b < bands; b++) {
        const size_t first = b > CEPSTRUM_NEIGHBOURS ? b - CEPSTRUM_NEIGHBOURS : 0;
        const size_t end = b + CEPSTRUM_NEIGHBOURS + 1 < bands ? b + CEPSTRUM_NEIGHBOURS + 1 : bands;
        float sum = 0.0f;
        for (size_t i = first; i < end; i++) {
            sum += gain[i];
        }
        clean[b] = energies[b] * (sum / (float)(end - first));
    }
}

ASR_INLINE void cepstrum_transform(const asr_cepstrum *tables, const float *energies, float *restrict cepstra) {
    memset(cepstra, 0, tables->cepstra * sizeof *cepstra);
    for (size_t b = 0; b < tables->bands; b++) {
        const float level = CEPSTRUM_LN2 * asr_log2(energies[b] + CEPSTRUM_FLOOR);
        for (size_t i = 0; i < tables->cepstra; i++) {
            cepstra[i] += level * tables->cosines[b * tables->cepstra + i];
        }
    }
}

static void cepstrum_energies_any(const asr_cepstrum *tables, const int16_t *samples, size_t count, size_t frames,
                                  float *energies) {
    cepstrum_energies(tables, samples, count, frames, energies);
}

#if defined(ASR_X86)
ASR_AVX2_ONLY static void cepstrum_energies_avx2(const asr_cepstrum *tables, const int16_t *samples, size_t count,
                                                 size_t frames, float *energies) {
    cepstrum_energies(tables, samples, count, frames, energies);
}
#endif

static int cepstrum_is_valid(const asr_cepstrum *tables) {
    if (tables == NULL || tables->struct_size != sizeof *tables || tables->window_samples < ASR_FRAME_SAMPLES ||
        tables->window_samples > 2 * ASR_SPECTRUM_HALF || tables->warps == 0 || tables->warps > ASR_CEPSTRUM_WARPS ||
        tables->bands == 0 || tables->bands > ASR_CEPSTRUM_BANDS || tables->cepstra == 0 ||
        tables->cepstra > tables->bands || tables->window == NULL || tables->band_first == NULL ||
        tables->band_bins == NULL || tables->weights == NULL || tables->cosines == NULL) {
        return 0;
    }
    for (size_t band = 0; band < (size_t)tables->warps * tables->bands; band++) {
        if (tables->band_first[band] > CEPSTRUM_BINS || tables->band_bins[band] > CEPSTRUM_BINS - tables->band_first[band]) {
            return 0;
        }
    }
    return 1;
}

int asr_cepstrum_energies(const asr_cepstrum *tables, const int16_t *samples, size_t count, size_t frames, float *energies) {
    if (!cepstrum_is_valid(tables) || (frames > 0 && (samples == NULL || energies == NULL)) ||
        (frames > 0 && (count == 0 || (count - 1) / ASR_FRAME_SAMPLES < frames - 1))) {
        return ASR_E_ARGUMENT;
    }
#if defined(ASR_X86)
    const asr_simd level = tables->simd == ASR_SIMD_AUTO ? asr_simd_best() : tables->simd;
    if (level == ASR_SIMD_AVX2 || level == ASR_SIMD_AVX512) {
        cepstrum_energies_avx2(tables, samples, count, frames, energies);
        return ASR_OK;
    }
#endif
    cepstrum_energies_any(tables, samples, count, frames, energies);
    return ASR_OK;
}

int asr_cepstrum_cepstra(const asr_cepstrum *tables, asr_cepstrum_noise *noise, const float *energies, size_t frames,
                         float *cepstra) {
    if (!cepstrum_is_valid(tables) || (frames > 0 && (energies == NULL || cepstra == NULL))) {
        return ASR_E_ARGUMENT;
    }
    const size_t bands = tables->bands;
    for (size_t i = 0; i < frames * tables->warps; i++) {
        const float *row = energies + i * bands;
        float clean[ASR_CEPSTRUM_BANDS];
        if (noise != NULL) {
            asr_cepstrum_noise *followed = &noise[i % tables->warps];
            if (!followed->begun) {
                followed->begun = 1;
                for (size_t b = 0; b < bands; b++) {
                    followed->power[b] = row[b];
                    followed->noise[b] = followed->floor[b] = row[b] / CEPSTRUM_GAIN_MAX;
                    followed->peak[b] = 0.0f;
                }
            }
            cepstrum_denoise(followed, row, bands, clean);
            row = clean;
        }
        cepstrum_transform(tables, row, cepstra + i * tables->cepstra);
    }
    return ASR_OK;
}
