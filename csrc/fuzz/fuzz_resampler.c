/* Any pair of rates, any samples (also NaN), any split: in bounds, finite, and as many samples as there must be. The first
 * 10 bytes are the rates, the quality and the size of the packets. */
#include <math.h>
#include <string.h>

#include "asr_dsp.h"
#include "fuzz.h"

#define CHOICES 10
#define SAMPLES_MAX 65536 /* millions of samples from one take seconds, and tell nothing more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < CHOICES) {
        return 0;
    }
    asr_resampler_config config;
    asr_resampler_defaults(&config);
    memcpy(&config.in_rate_hz, data, 3);
    memcpy(&config.out_rate_hz, data + 3, 3);
    config.quality = (asr_quality)(data[6] % 4);
    config.simd = (asr_simd)(data[7] % 7);
    const size_t packet = data[8] + 1u;
    const size_t room = data[9] + 1u;
    if (config.in_rate_hz > 0 && (uint64_t)size * config.out_rate_hz > (uint64_t)SAMPLES_MAX * config.in_rate_hz) {
        return 0;
    }
    asr_resampler *resampler = asr_resampler_create(&config);
    if (resampler == NULL) {
        return 0;
    }
    const size_t count = (size - CHOICES) / sizeof(float);
    float in[256];
    float out[256];
    uint64_t made = 0;
    for (size_t used = 0; used < count;) {
        size_t taken = count - used < packet ? count - used : packet;
        size_t given = room;
        memcpy(in, data + CHOICES + used * sizeof(float), taken * sizeof(float));
        for (size_t i = 0; i < taken; i++) {
            in[i] = isfinite(in[i]) && fabsf(in[i]) > 1e30f ? 0.0f : in[i]; /* finite input may still overflow a float */
        }
        require(asr_resampler_process_f32(resampler, in, &taken, out, &given) == ASR_OK);
        require(taken > 0 || given > 0);
        for (size_t i = 0; i < given; i++) {
            require(isfinite(out[i]));
        }
        used += taken;
        made += given;
    }
    for (size_t given = room; given > 0; made += given) {
        given = room;
        require(asr_resampler_flush_f32(resampler, out, &given) == ASR_OK);
    }
    require(made == ((uint64_t)count * config.out_rate_hz + config.in_rate_hz - 1) / config.in_rate_hz);
    asr_resampler_destroy(resampler);
    return 0;
}
