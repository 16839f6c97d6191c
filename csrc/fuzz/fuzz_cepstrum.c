/* Any tables, any samples, any energies: refused or in bounds, and the same bits at every level. The first 16 bytes choose
 * sizes, then come the bands' bins, then samples, which are also read as energies. */
#include <string.h>

#include "asr_dsp.h"
#include "fuzz.h"

#define CHOICES 16
#define BANDS_MOST ((ASR_CEPSTRUM_WARPS + 1) * (ASR_CEPSTRUM_BANDS + 1))
#define WINDOW_MOST 600
#define FRAMES_MOST 16

/* Tables live on the heap, as long as they must be: a sanitizer sees whatever is read beyond. */
static float *table(size_t count, const uint8_t *data, size_t size) {
    float *values = malloc((count > 0 ? count : 1) * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(data[i % size] - 100) * 0.02f;
    }
    return values;
}

static void score(const asr_cepstrum *tables, const float *energies, size_t frames, size_t noises) {
    const size_t count = frames * tables->warps * tables->cepstra;
    float *cepstra = malloc((count > 0 ? count : 1) * sizeof *cepstra);
    asr_cepstrum_noise *noise = noises > 0 ? calloc(noises, sizeof *noise) : NULL;
    require(asr_cepstrum_cepstra(tables, noise, energies, frames, cepstra) == ASR_OK);
    free(noise);
    free(cepstra);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size <= CHOICES) {
        return 0;
    }
    const uint8_t *rest = data + CHOICES;
    const size_t left = size - CHOICES;
    asr_cepstrum tables = {
        .struct_size = sizeof tables,
        .window_samples = (data[0] + 256u * data[1]) % WINDOW_MOST,
        .warps = data[2] % (ASR_CEPSTRUM_WARPS + 2u),
        .bands = data[3] % (ASR_CEPSTRUM_BANDS + 2u),
        .cepstra = data[4] % (ASR_CEPSTRUM_BANDS + 2u),
        .remove_offset = data[5] & 1u,
        .pre_emphasis = (float)data[6] / 255.0f,
    };
    const size_t frames = data[7] % FRAMES_MOST;
    const size_t bands = (size_t)tables.warps * tables.bands;
    uint16_t first[BANDS_MOST], bins[BANDS_MOST];
    size_t weights = 0;
    for (size_t band = 0; band < bands; band++) {
        first[band] = (uint16_t)(rest[2 * band % left] * data[8] / 200u);
        bins[band] = (uint16_t)(rest[(2 * band + 1) % left] * data[9] / 255u);
        weights += bins[band];
    }
    float *window = table(tables.window_samples, rest, left), *weight = table(weights, rest, left);
    float *cosines = table((size_t)tables.bands * tables.cepstra, rest, left);
    tables.window = window;
    tables.band_first = first;
    tables.band_bins = bins;
    tables.weights = weight;
    tables.cosines = cosines;

    const size_t samples = left / sizeof(int16_t);
    int16_t *heard = malloc(samples > 0 ? samples * sizeof *heard : 1);
    memcpy(heard, rest, samples * sizeof *heard);
    const size_t count = frames * bands;
    float *energies = calloc(count > 0 ? count : 1, sizeof *energies), *other = calloc(count > 0 ? count : 1, sizeof *other);
    tables.simd = ASR_SIMD_SCALAR;
    const int status = asr_cepstrum_energies(&tables, heard, samples, frames, energies);
    require(status == ASR_OK || status == ASR_E_ARGUMENT);
    tables.simd = ASR_SIMD_AUTO;
    require(asr_cepstrum_energies(&tables, heard, samples, frames, other) == status);
    require(memcmp(energies, other, count * sizeof *energies) == 0);
    if (status == ASR_OK && frames > 0) {
        score(&tables, energies, frames, data[10] & 1u ? tables.warps : 0);
        memcpy(energies, rest, left < count * sizeof *energies ? left : count * sizeof *energies); /* also what is no number */
        score(&tables, energies, frames, data[10] & 2u ? tables.warps : 0);
    }
    free(other);
    free(energies);
    free(heard);
    free(cosines);
    free(weight);
    free(window);
    return 0;
}
