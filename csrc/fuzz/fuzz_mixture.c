/* Any tables and any features: refused, or in bounds, with scores in their range and the same bits at every level. The
 * first 16 bytes choose sizes, then come the numbers of states, then weights, lines and features. */
#include <math.h>
#include <string.h>

#include "asr_dsp.h"
#include "fuzz.h"

#define CHOICES 16
#define CODEBOOKS_MOST 6
#define PHONES_MOST 9
#define STATES_MOST 70 /* of a codebook, and one */
#define FRAMES_MOST 20
#define DIMENSIONS_MOST 15
#define LOWEST (-60 * (int)ASR_MIXTURE_UNIT)

/* Cumulative numbers of states; the last one is the number of all, which phones and codebooks must agree on. */
static void starts(uint32_t *out, uint32_t parts, uint32_t most, const uint8_t *data, size_t size) {
    out[0] = 0;
    for (uint32_t part = 0; part < parts; part++) {
        out[part + 1] = out[part] + data[part % size] % most;
    }
}

static void check(const asr_mixtures *mixtures, const float *features, size_t frames, int finite) {
    const size_t states = mixtures->codebook_starts[mixtures->codebooks], phones = mixtures->phones;
    const size_t scores = frames * (states + phones);
    asr_mixtures tables = *mixtures;
    int16_t *kept = NULL;
    for (int level = ASR_SIMD_SCALAR; level <= ASR_SIMD_AVX512; level++) {
        if (!asr_simd_available((asr_simd)level)) {
            continue;
        }
        tables.simd = (asr_simd)level;
        float *work = malloc(asr_mixtures_work_bytes(&tables));
        int16_t *found = malloc(scores * sizeof *found);
        require(asr_mixtures_score(&tables, features, frames, work, found, found + frames * states) == ASR_OK);
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
    size_t dimensions = 0, rows = 0;
    for (uint32_t stream = 0; stream < mixtures.streams && stream < ASR_MIXTURE_STREAMS; stream++) {
        mixtures.dimensions[stream] = data[7 + stream] % DIMENSIONS_MOST;
        dimensions += mixtures.dimensions[stream];
        rows += 1 + 2 * mixtures.dimensions[stream];
    }
    const size_t padded = (mixtures.gaussians + ASR_MIXTURE_LANES - 1) / ASR_MIXTURE_LANES * ASR_MIXTURE_LANES;
    const size_t weights = tiles * mixtures.streams * mixtures.gaussians * ASR_MIXTURE_LANES;
    const size_t lines = mixtures.codebooks * rows * padded;
    uint16_t *weight = malloc((weights > 0 ? weights : 1) * sizeof *weight);
    for (size_t i = 0; i < weights; i++) {
        weight[i] = (uint16_t)(0x3E00u + rest[i % left] / 2u); /* positive, below 1, as the upper half of a float */
    }
    float *line = malloc((lines > 0 ? lines : 1) * sizeof *line);
    for (size_t i = 0; i < lines; i++) {
        line[i] = i % padded < mixtures.gaussians ? 0.05f * (float)(rest[i % left] - 200) : -1e30f;
    }
    mixtures.lines = line;
    mixtures.weights = weight;
    const size_t features = frames * dimensions;
    float *feature = malloc((features > 0 ? features : 1) * sizeof *feature);
    int finite = 1;
    for (size_t i = 0; i < features; i++) {
        uint8_t bytes[sizeof(float)];
        for (size_t j = 0; j < sizeof bytes; j++) {
            bytes[j] = rest[(sizeof bytes * i + j) % left];
        }
        memcpy(&feature[i], bytes, sizeof bytes);
        feature[i] = data[6] & 2u ? feature[i] : 0.05f * (float)(bytes[0] - 128); /* also what is no number */
        finite &= isfinite(feature[i]) && fabsf(feature[i]) < 1e9f;
    }
    float work = 0.0f;
    int16_t states = 0, scores = 0;
    const int status = asr_mixtures_score(&mixtures, feature, 0, &work, &states, &scores);
    require(status == ASR_OK || status == ASR_E_ARGUMENT);
    require((asr_mixtures_work_bytes(&mixtures) > 0) == (status == ASR_OK));
    if (status == ASR_OK) {
        check(&mixtures, feature, frames, finite);
    }
    free(feature);
    free(line);
    free(weight);
    return 0;
}
