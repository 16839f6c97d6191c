/* One handle from the bytes of a packet to segments of speech: decode, resample, find speech.
 *
 * Input is handled in chunks of 20 ms: each goes through all stages while it is in the cache. What of a chunk finds no room
 * in the output waits, and is the first thing that the next call handles. */

#include "internal.h"

#define CHUNKS_PER_SECOND 50u
#define MIN_RATE_HZ 1000u
#define MAX_RATE_HZ 384000u
#define MAX_SAMPLE_BYTES 8u

struct asr_frontend {
    atomic_flag busy;
    asr_encoding encoding;
    size_t sample_bytes;
    size_t stride;         /* bytes from a sample of the first channel to the next */
    size_t chunk_samples;  /* input samples in one chunk */
    size_t chunk_output;   /* the most 16 kHz samples that one chunk makes */
    float *decoded;        /* chunk_samples, in units of int16 */
    float *resampled;      /* chunk_output */
    int16_t *pcm;          /* chunk_output: */
    size_t pcm_count;      /* so many samples of a chunk, */
    size_t pcm_done;       /* of which the endpointer has taken so many */
    int unfinished;        /* and it has more to tell of those */
    asr_resampler *resampler;
    asr_endpointer *endpointer;
    size_t carried;        /* bytes of a sample that has not come whole */
    unsigned char carry[MAX_SAMPLE_BYTES * ASR_MAX_CHANNELS];
    int flushing;
    int finished;
};

void asr_frontend_defaults(asr_frontend_config *config) {
    *config = (asr_frontend_config){
        .struct_size = sizeof *config,
        .encoding = ASR_PCM_S16,
        .sample_rate_hz = ASR_RATE_HZ,
        .channels = 1,
    };
    asr_endpointer_defaults(&config->endpointer);
}

static size_t bytes_of_sample(asr_encoding encoding) {
    switch (encoding) {
    case ASR_PCM_U8:
    case ASR_ALAW:
    case ASR_ULAW: return 1;
    case ASR_PCM_S16: return 2;
    case ASR_PCM_S24: return 3;
    case ASR_PCM_S32:
    case ASR_PCM_F32: return 4;
    case ASR_PCM_F64: return 8;
    default: return 0;
    }
}

static int is_valid(const asr_frontend_config *config) {
    return config != NULL && config->struct_size == sizeof *config && bytes_of_sample(config->encoding) > 0 &&
           config->channels >= 1 && config->channels <= ASR_MAX_CHANNELS && asr_endpointer_size(&config->endpointer) > 0;
}

static asr_resampler_config resampler_config(const asr_frontend_config *config) {
    asr_resampler_config resampler;
    asr_resampler_defaults(&resampler);
    resampler.in_rate_hz = config->sample_rate_hz;
    resampler.out_rate_hz = ASR_RATE_HZ;
    resampler.quality = config->quality;
    resampler.simd = config->simd;
    resampler.table = config->table;
    return resampler;
}

static size_t input_of_chunk(const asr_frontend_config *config) {
    return (config->sample_rate_hz + CHUNKS_PER_SECOND - 1) / CHUNKS_PER_SECOND;
}

static size_t output_of_chunk(const asr_frontend_config *config) {
    return (size_t)((uint64_t)input_of_chunk(config) * ASR_RATE_HZ / config->sample_rate_hz) + 2;
}

size_t asr_frontend_size(const asr_frontend_config *config) {
    if (!is_valid(config) || config->sample_rate_hz < MIN_RATE_HZ || config->sample_rate_hz > MAX_RATE_HZ) {
        return 0;
    }
    const asr_resampler_config resampler = resampler_config(config);
    const size_t resampler_size = asr_resampler_size(&resampler);
    if (resampler_size == 0) {
        return 0;
    }
    const size_t output = output_of_chunk(config);
    return ASR_ALIGN + asr_align_up(sizeof(asr_frontend)) + asr_align_up(input_of_chunk(config) * sizeof(float)) +
           asr_align_up(output * sizeof(float)) + asr_align_up(output * sizeof(int16_t)) + asr_align_up(resampler_size) +
           asr_align_up(asr_endpointer_size(&config->endpointer));
}

int asr_frontend_init(void *memory, size_t size, const asr_frontend_config *config) {
    if (!is_valid(config)) {
        return ASR_E_ARGUMENT;
    }
    const size_t needed = asr_frontend_size(config);
    if (needed == 0) {
        return ASR_E_RATE;
    }
    if (memory == NULL || size < needed) {
        return ASR_E_MEMORY;
    }
    asr_frontend *frontend = memory;
    unsigned char *place = asr_align_pointer((unsigned char *)memory + sizeof *frontend);
    *frontend = (asr_frontend){
        .busy = ATOMIC_FLAG_INIT,
        .encoding = config->encoding,
        .sample_bytes = bytes_of_sample(config->encoding),
        .stride = bytes_of_sample(config->encoding) * config->channels,
        .chunk_samples = input_of_chunk(config),
        .chunk_output = output_of_chunk(config),
    };
    frontend->decoded = (float *)(void *)place;
    place += asr_align_up(frontend->chunk_samples * sizeof(float));
    frontend->resampled = (float *)(void *)place;
    place += asr_align_up(frontend->chunk_output * sizeof(float));
    frontend->pcm = (int16_t *)(void *)place;
    place += asr_align_up(frontend->chunk_output * sizeof(int16_t));
    frontend->resampler = (asr_resampler *)(void *)place;
    const asr_resampler_config resampler = resampler_config(config);
    const size_t resampler_size = asr_resampler_size(&resampler);
    int status = asr_resampler_init(place, resampler_size, &resampler);
    if (status != ASR_OK) {
        return status;
    }
    place += asr_align_up(resampler_size);
    frontend->endpointer = (asr_endpointer *)(void *)place;
    return asr_endpointer_init(place, asr_endpointer_size(&config->endpointer), &config->endpointer);
}

ASR_DEFINE_HEAP(asr_frontend)

size_t asr_frontend_output_samples(const asr_frontend *frontend) {
    return asr_endpointer_output_samples(frontend->endpointer);
}

/* --- decoding ------------------------------------------------------------------------------------------------- */

static int32_t little_endian(const unsigned char *bytes, size_t count) {
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value |= (uint32_t)bytes[i] << (8 * (4 - count + i)); /* left-aligned, so that the sign is in place */
    }
    int32_t result;
    memcpy(&result, &value, sizeof result);
    return result;
}

/* A floating-point sample in units of int16; what no recording holds is silence or full scale. */
static float from_unit(double value) {
    if (!(value > -4.0 && value < 4.0)) {
        return value >= 4.0 ? 4.0f * 32768.0f : value <= -4.0 ? -4.0f * 32768.0f : 0.0f;
    }
    return (float)(value * 32768.0);
}

static void decode(const asr_frontend *frontend, const unsigned char *data, size_t count, float *out) {
    const size_t stride = frontend->stride;
    switch (frontend->encoding) {
    case ASR_PCM_U8:
        for (size_t i = 0; i < count; i++) {
            out[i] = (float)((data[i * stride] - 128) * 256);
        }
        break;
    case ASR_PCM_S16:
        for (size_t i = 0; i < count; i++) {
            out[i] = (float)(int16_t)(data[i * stride] | (data[i * stride + 1] << 8));
        }
        break;
    case ASR_PCM_S24:
    case ASR_PCM_S32:
        for (size_t i = 0; i < count; i++) {
            out[i] = (float)little_endian(data + i * stride, frontend->sample_bytes) * (1.0f / 65536.0f);
        }
        break;
    case ASR_PCM_F32:
        for (size_t i = 0; i < count; i++) {
            float value;
            memcpy(&value, data + i * stride, sizeof value);
            out[i] = from_unit(value);
        }
        break;
    case ASR_PCM_F64:
        for (size_t i = 0; i < count; i++) {
            double value;
            memcpy(&value, data + i * stride, sizeof value);
            out[i] = from_unit(value);
        }
        break;
    case ASR_ALAW:
        for (size_t i = 0; i < count; i++) {
            out[i] = asr_alaw_values[data[i * stride]];
        }
        break;
    case ASR_ULAW:
        for (size_t i = 0; i < count; i++) {
            out[i] = asr_ulaw_values[data[i * stride]];
        }
        break;
    }
}

/* --- the chain ------------------------------------------------------------------------------------------------ */

typedef struct output {
    int16_t *pcm;
    size_t pcm_room;
    size_t pcm_used;
    asr_event *events;
    size_t event_room;
    size_t event_count;
} output;

/* Joins audio that goes on where the event before ended. */
static void join_audio(output *out, size_t added) {
    asr_event *first = out->events + out->event_count;
    for (size_t i = 0; i < added; i++) {
        first[i].pcm_offset += out->pcm_used;
    }
    size_t skipped = 0;
    if (added > 0 && out->event_count > 0 && first[0].type == ASR_EVENT_SPEECH_AUDIO && first[-1].type == first[0].type) {
        first[-1].end = first[0].end;
        first[-1].decided = first[0].decided;
        skipped = 1;
        memmove(first, first + 1, (added - 1) * sizeof *first);
    }
    out->event_count += added - skipped;
}

/* The endpointer counts from the output that it was given; here that may be the rest of one. */
static int status_of(int status, const output *out) {
    return status == ASR_E_SPACE && out->event_count > 0 ? ASR_MORE : status;
}

/* Lets the endpointer take what it has not taken of the chunk. */
static int find_speech(asr_frontend *frontend, output *out) {
    int status = ASR_OK;
    while (status == ASR_OK && (frontend->unfinished || frontend->pcm_done < frontend->pcm_count)) {
        size_t taken = frontend->pcm_count - frontend->pcm_done;
        size_t pcm_count = out->pcm_room - out->pcm_used;
        size_t event_count = out->event_room - out->event_count;
        status = asr_endpointer_process(frontend->endpointer, frontend->pcm + frontend->pcm_done, &taken,
                                        out->pcm + out->pcm_used, &pcm_count, out->events + out->event_count, &event_count);
        join_audio(out, event_count);
        out->pcm_used += pcm_count;
        frontend->pcm_done += taken;
        frontend->unfinished = status != ASR_OK;
    }
    return status_of(status, out);
}

/* The next chunk at 16 kHz. */
static void set_chunk(asr_frontend *frontend, size_t count) {
    for (size_t i = 0; i < count; i++) {
        frontend->pcm[i] = asr_round_i16(frontend->resampled[i]);
    }
    frontend->pcm_count = count;
    frontend->pcm_done = 0;
}

static int take_chunk(asr_frontend *frontend, const unsigned char *data, size_t count) {
    decode(frontend, data, count, frontend->decoded);
    size_t made = frontend->chunk_output;
    const int status = asr_resampler_process_f32(frontend->resampler, frontend->decoded, &count, frontend->resampled, &made);
    set_chunk(frontend, status == ASR_OK ? made : 0);
    return status;
}

static int process(asr_frontend *frontend, const unsigned char *data, size_t *byte_count, output *out) {
    size_t used = 0;
    int status = find_speech(frontend, out);
    while (status == ASR_OK && used < *byte_count) {
        const size_t left = *byte_count - used;
        if (frontend->carried > 0 || left < frontend->stride) {
            const size_t missing = frontend->stride - frontend->carried;
            const size_t count = left < missing ? left : missing;
            memcpy(frontend->carry + frontend->carried, data + used, count);
            frontend->carried += count;
            used += count;
            if (frontend->carried == frontend->stride) {
                frontend->carried = 0;
                status = take_chunk(frontend, frontend->carry, 1);
            }
        } else {
            const size_t whole = left / frontend->stride;
            const size_t count = whole < frontend->chunk_samples ? whole : frontend->chunk_samples;
            status = take_chunk(frontend, data + used, count);
            used += count * frontend->stride;
        }
        status = status == ASR_OK ? find_speech(frontend, out) : status;
    }
    *byte_count = used;
    return status == ASR_E_SPACE && used > 0 ? ASR_MORE : status;
}

static int flush(asr_frontend *frontend, output *out) {
    int status = find_speech(frontend, out);
    while (status == ASR_OK) {
        size_t made = frontend->chunk_output;
        status = asr_resampler_flush_f32(frontend->resampler, frontend->resampled, &made);
        if (status != ASR_OK || made == 0) {
            break;
        }
        set_chunk(frontend, made);
        status = find_speech(frontend, out);
    }
    if (status == ASR_OK) {
        size_t pcm_count = out->pcm_room - out->pcm_used;
        size_t event_count = out->event_room - out->event_count;
        status = asr_endpointer_flush(frontend->endpointer, out->pcm + out->pcm_used, &pcm_count,
                                      out->events + out->event_count, &event_count);
        join_audio(out, event_count);
        out->pcm_used += pcm_count;
    }
    return status_of(status, out);
}

int asr_frontend_process(asr_frontend *frontend, const void *data, size_t *byte_count, int16_t *pcm, size_t *pcm_count,
                         asr_event *events, size_t *event_count) {
    if (frontend == NULL || byte_count == NULL || pcm_count == NULL || event_count == NULL ||
        (data == NULL && *byte_count > 0) || pcm == NULL || events == NULL) {
        return ASR_E_ARGUMENT;
    }
    if (asr_enter(&frontend->busy) != ASR_OK) {
        return ASR_E_BUSY;
    }
    output out = {.pcm = pcm, .pcm_room = *pcm_count, .events = events, .event_room = *event_count};
    const int status = frontend->flushing ? ASR_E_STATE : process(frontend, data, byte_count, &out);
    *pcm_count = out.pcm_used;
    *event_count = out.event_count;
    asr_leave(&frontend->busy);
    return status;
}

int asr_frontend_flush(asr_frontend *frontend, int16_t *pcm, size_t *pcm_count, asr_event *events, size_t *event_count) {
    if (frontend == NULL || pcm_count == NULL || event_count == NULL || pcm == NULL || events == NULL) {
        return ASR_E_ARGUMENT;
    }
    if (asr_enter(&frontend->busy) != ASR_OK) {
        return ASR_E_BUSY;
    }
    output out = {.pcm = pcm, .pcm_room = *pcm_count, .events = events, .event_room = *event_count};
    const int status = frontend->finished ? ASR_E_STATE : flush(frontend, &out);
    frontend->flushing = 1;
    frontend->finished = status == ASR_OK || frontend->finished;
    *pcm_count = out.pcm_used;
    *event_count = out.event_count;
    asr_leave(&frontend->busy);
    return status;
}

int64_t asr_frontend_position(const asr_frontend *frontend) {
    return asr_endpointer_position(frontend->endpointer);
}

float asr_frontend_level_dbfs(const asr_frontend *frontend) {
    return asr_endpointer_level_dbfs(frontend->endpointer);
}
