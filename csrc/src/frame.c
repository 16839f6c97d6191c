/* Cutting a stream into frames: overlap, removal of the offset, pre-emphasis, window, log-mel energies, level. */
#include <math.h>

#include "fft.h"
#include "internal.h"

#define PI 3.14159265358979323846
#define MAX_FRAME 4096u
#define MAX_BANDS 256u
#define MAX_RATE_HZ 384000u
#define SILENCE_ENERGY 1e-10f /* of full scale: -100 dB, and finite logarithms */

typedef struct mel_band {
    uint32_t first; /* bin */
    uint32_t count;
    uint32_t weights; /* place in the array of all weights */
} mel_band;

struct asr_framer {
    atomic_flag busy;
    asr_framer_config config;
    uint32_t fft_size;
    uint32_t weight_count;
    asr_fft fft;
    float *window;   /* frame_samples */
    float *twiddles; /* fft_size */
    float *work;     /* fft_size */
    float *weights;
    mel_band *bands;
    int16_t *samples; /* frame_samples + 1: the frame being filled, behind the sample before it */
    uint32_t fill;    /* of the frame */
    uint32_t skip;    /* samples to drop before the next frame, where frames do not touch */
};

void asr_framer_defaults(asr_framer_config *config) {
    *config = (asr_framer_config){
        .struct_size = sizeof *config,
        .sample_rate_hz = ASR_RATE_HZ,
        .frame_samples = 400,
        .hop_samples = ASR_FRAME_SAMPLES,
        .pre_emphasis = 0.97f,
        .remove_offset = 1,
        .hann_window = 1,
        .mel_bands = 40,
        .mel_low_hz = 20.0f,
        .mel_high_hz = 7600.0f,
    };
}

static int is_valid(const asr_framer_config *config) {
    return config != NULL && config->struct_size == sizeof *config && config->sample_rate_hz > 0 &&
           config->sample_rate_hz <= MAX_RATE_HZ && config->frame_samples > 0 && config->frame_samples <= MAX_FRAME &&
           config->hop_samples > 0 && config->hop_samples <= MAX_RATE_HZ && config->pre_emphasis >= 0.0f &&
           config->pre_emphasis < 1.0f && config->mel_bands <= MAX_BANDS &&
           (config->mel_bands == 0 || (config->mel_low_hz >= 0.0f && config->mel_low_hz < config->mel_high_hz &&
                                       config->mel_high_hz <= 0.5f * (float)config->sample_rate_hz));
}

static uint32_t fft_size_of(const asr_framer_config *config) {
    uint32_t size = ASR_FFT_MIN;
    while (size < config->frame_samples) {
        size *= 2;
    }
    return size;
}

static double mel_of_hz(double hz) {
    return 1127.0 * log(1.0 + hz / 700.0);
}

/* Weight of a bin in a band: triangles over the mel scale, each from the centre of one neighbour to that of the other. */
static double mel_weight(const asr_framer_config *config, uint32_t band, uint32_t bin) {
    const double low = mel_of_hz((double)config->mel_low_hz);
    const double width = (mel_of_hz((double)config->mel_high_hz) - low) / (config->mel_bands + 1);
    const double mel = mel_of_hz((double)bin * config->sample_rate_hz / fft_size_of(config));
    const double weight = 1.0 - fabs((mel - low) / width - (band + 1.0));
    return weight > 0.0 ? weight : 0.0;
}

/* Fills bands and weights where they are given; returns the number of weights. */
static uint32_t plan_bands(const asr_framer_config *config, mel_band *bands, float *weights) {
    uint32_t total = 0;
    const uint32_t bins = fft_size_of(config) / 2 + 1;
    for (uint32_t band = 0; band < config->mel_bands; band++) {
        mel_band this = {.weights = total};
        for (uint32_t bin = 0; bin < bins; bin++) {
            const double weight = mel_weight(config, band, bin);
            if (weight > 0.0) {
                this.first = this.count == 0 ? bin : this.first;
                this.count++;
                if (weights != NULL) {
                    weights[total] = (float)weight;
                }
                total++;
            }
        }
        if (bands != NULL) {
            bands[band] = this;
        }
    }
    return total;
}

size_t asr_framer_size(const asr_framer_config *config) {
    if (!is_valid(config)) {
        return 0;
    }
    const size_t fft_size = fft_size_of(config);
    return ASR_ALIGN + asr_align_up(sizeof(asr_framer)) + asr_align_up(config->frame_samples * sizeof(float)) +
           2 * asr_align_up(fft_size * sizeof(float)) + asr_align_up(plan_bands(config, NULL, NULL) * sizeof(float)) +
           asr_align_up(config->mel_bands * sizeof(mel_band)) +
           asr_align_up((config->frame_samples + 1) * sizeof(int16_t));
}

void asr_framer_reset(asr_framer *framer) {
    memset(framer->samples, 0, (framer->config.frame_samples + 1) * sizeof(int16_t));
    framer->fill = 0;
    framer->skip = 0;
}

static void *place_for(unsigned char **place, size_t size) {
    void *here = *place;
    *place += asr_align_up(size);
    return here;
}

int asr_framer_init(void *memory, size_t size, const asr_framer_config *config) {
    if (!is_valid(config)) {
        return ASR_E_ARGUMENT;
    }
    if (memory == NULL || size < asr_framer_size(config)) {
        return ASR_E_MEMORY;
    }
    asr_framer *framer = memory;
    unsigned char *place = asr_align_pointer((unsigned char *)memory + sizeof *framer);
    *framer = (asr_framer){.busy = ATOMIC_FLAG_INIT, .config = *config, .fft_size = fft_size_of(config)};
    framer->window = place_for(&place, config->frame_samples * sizeof(float));
    framer->twiddles = place_for(&place, framer->fft_size * sizeof(float));
    framer->work = place_for(&place, framer->fft_size * sizeof(float));
    framer->weight_count = plan_bands(config, NULL, NULL);
    framer->weights = place_for(&place, framer->weight_count * sizeof(float));
    framer->bands = place_for(&place, config->mel_bands * sizeof(mel_band));
    framer->samples = place_for(&place, (config->frame_samples + 1) * sizeof(int16_t));
    for (uint32_t i = 0; i < config->frame_samples; i++) {
        framer->window[i] =
            config->hann_window ? (float)(0.5 - 0.5 * cos(2.0 * PI * (i + 0.5) / config->frame_samples)) : 1.0f;
    }
    asr_fft_init(&framer->fft, framer->fft_size, framer->twiddles);
    (void)plan_bands(config, framer->bands, framer->weights);
    asr_framer_reset(framer);
    return ASR_OK;
}

ASR_DEFINE_HEAP(asr_framer)

size_t asr_framer_row_floats(const asr_framer *framer) {
    return framer->config.mel_bands > 0 ? framer->config.mel_bands : framer->config.frame_samples;
}

static float level_dbfs(float mean_square) {
    return 10.0f * log10f(2.0f * mean_square + SILENCE_ENERGY); /* a full-scale sine has one half */
}

/* Offset, pre-emphasis and window; returns the mean square before pre-emphasis. */
static float prepare(const asr_framer *framer, float *out) {
    const uint32_t count = framer->config.frame_samples;
    float mean = 0.0f;
    for (uint32_t i = 1; i <= count && framer->config.remove_offset; i++) {
        mean += framer->samples[i];
    }
    mean /= (float)count;
    float energy = 0.0f;
    float before = ((float)framer->samples[0] - mean) / 32768.0f;
    for (uint32_t i = 0; i < count; i++) {
        const float sample = ((float)framer->samples[i + 1] - mean) / 32768.0f;
        energy += sample * sample;
        out[i] = (sample - framer->config.pre_emphasis * before) * framer->window[i];
        before = sample;
    }
    return energy / (float)count;
}

static void log_mel(asr_framer *framer, float *row) {
    float *data = framer->work;
    const uint32_t half = framer->fft_size / 2;
    memset(data + framer->config.frame_samples, 0, (framer->fft_size - framer->config.frame_samples) * sizeof(float));
    asr_fft_forward(&framer->fft, data);
    const float nyquist = data[1] * data[1];
    data[0] = data[0] * data[0];
    for (uint32_t bin = 1; bin < half; bin++) {
        data[bin] = data[2 * bin] * data[2 * bin] + data[2 * bin + 1] * data[2 * bin + 1];
    }
    data[half] = nyquist;
    for (uint32_t band = 0; band < framer->config.mel_bands; band++) {
        const mel_band *this = &framer->bands[band];
        float energy = 0.0f;
        for (uint32_t i = 0; i < this->count; i++) {
            energy += framer->weights[this->weights + i] * data[this->first + i];
        }
        row[band] = logf(energy + SILENCE_ENERGY);
    }
}

static void frame_complete(asr_framer *framer, float *row, float *level) {
    const uint32_t count = framer->config.frame_samples;
    const uint32_t hop = framer->config.hop_samples;
    if (framer->config.mel_bands > 0) {
        *level = level_dbfs(prepare(framer, framer->work));
        log_mel(framer, row);
    } else {
        *level = level_dbfs(prepare(framer, row));
    }
    /* the sample before the next frame stays with it */
    if (hop < count) {
        memmove(framer->samples, framer->samples + hop, (count - hop + 1) * sizeof(int16_t));
        framer->fill = count - hop;
    } else {
        framer->samples[0] = framer->samples[count];
        framer->fill = 0;
        framer->skip = hop - count;
    }
}

int asr_framer_process(asr_framer *framer, const int16_t *in, size_t *in_count, float *rows, float *levels, size_t *row_count) {
    if (framer == NULL || in_count == NULL || row_count == NULL || (in == NULL && *in_count > 0) ||
        ((rows == NULL || levels == NULL) && *row_count > 0)) {
        return ASR_E_ARGUMENT;
    }
    if (asr_enter(&framer->busy) != ASR_OK) {
        return ASR_E_BUSY;
    }
    const size_t row_floats = asr_framer_row_floats(framer);
    size_t used = 0;
    size_t made = 0;
    while (used < *in_count) {
        if (framer->skip > 0) {
            framer->samples[0] = in[used++];
            framer->skip--;
            continue;
        }
        const size_t missing = framer->config.frame_samples - framer->fill;
        const size_t left = *in_count - used;
        if (left >= missing && made == *row_count) {
            break;
        }
        const size_t count = left < missing ? left : missing;
        memcpy(framer->samples + 1 + framer->fill, in + used, count * sizeof(int16_t));
        framer->fill += (uint32_t)count;
        used += count;
        if (count == missing) {
            frame_complete(framer, rows + made * row_floats, levels + made);
            made++;
        }
    }
    *in_count = used;
    *row_count = made;
    asr_leave(&framer->busy);
    return ASR_OK;
}
