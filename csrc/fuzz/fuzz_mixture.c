/* Any tables and any densities: refused, or in bounds, with scores in their range and the same bits at every level. The
 * first 16 bytes choose sizes, then come the numbers of states, then weights and densities. */
#include <math.h>
#include <string.h>

#include "asr_dsp.h"
#include "fuzz.h"

#define CHOICES 16
#define CODEBOOKS_MOST 6
#define PHONES_MOST 9
#define STATES_MOST 70 /* of a codebook, and one */
#define FRAMES_MOST 20
#define LOWEST (-60 * (int)ASR_MIXTURE_UNIT)

/* Cumulative numbers of states; the last one is the number of all, which phones and codebooks must agree on. */
static void starts(uint32_t *out, uint32_t parts, uint32_t most, const uint8_t *data, size_t size) {
    out[0] = 0;
    for (uint32_t part = 0; part < parts; part++) {
        out[part + 1] = out[part] + data[part % size] % most;
    }
}

static void check(const asr_mixtures *mixtures, const float *densities, size_t frames, int finite) {
    const size_t states = mixtures->codebook_starts[mixtures->codebooks], phones = mixtures->phones;
    const size_t scores = frames * (states + phones);
    asr_mixtures tables = *mixtures;
    int16_t *kept = NULL;
    for (int level = ASR_SIMD_SCALAR; level <= ASR_SIMD_AVX512; level++) {
        if (!asr_simd_available((asr_simd)level)) {
            continue;
        }
        tables.simd = (asr_simd)level;
        float *work = malloc(frames * states * sizeof *work);
        int16_t *found = malloc(scores * sizeof *found);
        require(asr_mixtures_score(&tables, densities, frames, work, found, found + frames * states) == ASR_OK);
        for (size_t i = 0; i < scores; i++) {
            require(found[i] <= 0 && found[i] >= LOWEST);
        }
        require(kept == NULL || !finite || memcmp(kept, found, scores * sizeof *found) == 0);
        free(kept);
        kept = found;
        free(work);
    }
    free(kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size <= CHOICES) {
        return 0;
    }
    const uint8_t *rest = data + CHOICES;
    const size_t left = size - CHOICES;
    uint32_t codebooks[CODEBOOKS_MOST + 1], phones[PHONES_MOST + 1];
    asr_mixtures mixtures = {
        .struct_size = sizeof mixtures,
        .streams = data[0] % (ASR_MIXTURE_STREAMS + 2u),
        .codebooks = data[1] % (CODEBOOKS_MOST + 1u),
        .gaussians = (data[2] + 256u * (data[3] & 1u)) % (ASR_MIXTURE_GAUSSIANS + 2u),
        .phones = data[4] % (PHONES_MOST + 1u),
        .codebook_starts = codebooks,
        .phone_starts = phones,
    };
    const size_t frames = data[5] % FRAMES_MOST + 1u;
    starts(codebooks, mixtures.codebooks, STATES_MOST, rest, left);
    starts(phones, mixtures.phones, STATES_MOST / PHONES_MOST, rest + left / 2, left - left / 2);
    if (data[6] & 1u && mixtures.phones > 0) {
        phones[mixtures.phones] = codebooks[mixtures.codebooks]; /* mostly they agree */
    }
    size_t tiles = 0;
    for (uint32_t codebook = 0; codebook < mixtures.codebooks; codebook++) {
        tiles += (codebooks[codebook + 1] - codebooks[codebook] + ASR_MIXTURE_LANES - 1) / ASR_MIXTURE_LANES;
    }
    const size_t weights = tiles * mixtures.streams * mixtures.gaussians * ASR_MIXTURE_LANES;
    const size_t densities = mixtures.streams * frames * mixtures.codebooks * mixtures.gaussians;
    uint16_t *weight = malloc((weights > 0 ? weights : 1) * sizeof *weight);
    for (size_t i = 0; i < weights; i++) {
        weight[i] = (uint16_t)(0x3E00u + rest[i % left] / 2u); /* positive, below 1, as the upper half of a float */
    }
    mixtures.weights = weight;
    float *density = malloc((densities > 0 ? densities : 1) * sizeof *density);
    int finite = 1;
    for (size_t i = 0; i < densities; i++) {
        uint8_t bytes[sizeof(float)];
        for (size_t j = 0; j < sizeof bytes; j++) {
            bytes[j] = rest[(sizeof bytes * i + j) % left];
        }
        memcpy(&density[i], bytes, sizeof bytes);
        density[i] = data[6] & 2u ? density[i] : -0.25f * (float)bytes[0]; /* also what is no number */
        finite &= isfinite(density[i]) && fabsf(density[i]) < 1e30f;
    }
    float work = 0.0f;
    int16_t states = 0, scores = 0;
    const int status = asr_mixtures_score(&mixtures, density, 0, &work, &states, &scores);
    require(status == ASR_OK || status == ASR_E_ARGUMENT);
    if (status == ASR_OK) {
        check(&mixtures, density, frames, finite);
    }
    free(density);
    free(weight);
    return 0;
}
