/* asr_dsp - a small speech front end: G.711, resampling to 16 kHz, framing, voice detection, tones, endpointing.
 *
 * Copyright (c) the asr-trio authors. SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules that hold for every object
 *   - An object lives in memory of the caller: asr_x_size(config) says how many bytes, asr_x_init(memory, size, config)
 *     makes the object there (memory aligned like malloc's). asr_x_create / asr_x_destroy do the same on the heap.
 *     After init nothing allocates, locks, logs or opens.
 *   - Configurations begin with their own size, so that later versions can grow them: fill them with asr_x_defaults().
 *   - process() takes as much input as it has room to answer, and says how much it took and gave. What comes out does
 *     not depend on how the input was split.
 *   - Positions are samples at 16 kHz in the time of the input, from its first sample; filter delays are subtracted.
 *   - Functions return ASR_OK or a negative asr_status; those that give out events also ASR_MORE.
 *   - One object is used by one thread at a time; a second caller gets ASR_E_BUSY. Tables are read-only and shared.
 */
#ifndef ASR_DSP_H
#define ASR_DSP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ASR_DSP_VERSION "0.1.0"
#define ASR_RATE_HZ 16000
#define ASR_FRAME_SAMPLES 160 /* 10 ms */
#define ASR_MAX_CHANNELS 32

typedef enum asr_status {
    ASR_MORE = 1, /* the output is full: call again, with what is left of the input (or nothing), for the rest */
    ASR_OK = 0,
    ASR_E_ARGUMENT = -1, /* a null pointer or a value out of range */
    ASR_E_MEMORY = -2,   /* the memory given is too small, or there is none */
    ASR_E_RATE = -3,     /* the pair of rates is not supported */
    ASR_E_SPACE = -4,    /* the output has no room for one step */
    ASR_E_BUSY = -5,     /* another thread is inside this object */
    ASR_E_STATE = -6     /* the call does not fit here: process() after flush() */
} asr_status;

/* What a status means; never null. */
const char *asr_strerror(int status);
const char *asr_version(void);

/* ---- SIMD ---------------------------------------------------------------------------------------------------- */

typedef enum asr_simd { ASR_SIMD_AUTO = 0, ASR_SIMD_SCALAR, ASR_SIMD_SSE2, ASR_SIMD_NEON, ASR_SIMD_AVX2, ASR_SIMD_AVX512 } asr_simd;

/* The best level that this processor has. */
asr_simd asr_simd_best(void);
/* 1 when this processor and this build have the level. */
int asr_simd_available(asr_simd level);

/* ---- G.711 (ITU-T G.711, bit exact) --------------------------------------------------------------------------- */

void asr_ulaw_decode(const uint8_t *in, size_t count, int16_t *out);
void asr_alaw_decode(const uint8_t *in, size_t count, int16_t *out);
void asr_ulaw_encode(const int16_t *in, size_t count, uint8_t *out);
void asr_alaw_encode(const int16_t *in, size_t count, uint8_t *out);

/* ---- Resampler ------------------------------------------------------------------------------------------------ */

typedef enum asr_quality {
    ASR_QUALITY_DEFAULT = 0, /* 97 dB from Nyquist on, flat to 0.90 of Nyquist: 4 ms at 48 kHz, 8 ms at 8 kHz */
    ASR_QUALITY_FAST,        /* 60 dB, flat to 0.85, transition round Nyquist: 1 ms, 2 ms */
    ASR_QUALITY_BEST         /* 110 dB from Nyquist on, flat to 0.93 */
} asr_quality;

typedef struct asr_resampler_table asr_resampler_table; /* coefficients of one ratio and quality; read-only */
typedef struct asr_resampler asr_resampler;

typedef struct asr_resampler_config {
    size_t struct_size;
    uint32_t in_rate_hz;
    uint32_t out_rate_hz;
    asr_quality quality;
    asr_simd simd;
    const asr_resampler_table *table; /* shared table of the same rates and quality, or null for one of its own */
} asr_resampler_config;

void asr_resampler_defaults(asr_resampler_config *config);

/* 0 when the configuration is not valid. */
size_t asr_resampler_table_size(const asr_resampler_config *config);
int asr_resampler_table_init(void *memory, size_t size, const asr_resampler_config *config);

size_t asr_resampler_size(const asr_resampler_config *config);
int asr_resampler_init(void *memory, size_t size, const asr_resampler_config *config);
asr_resampler *asr_resampler_create(const asr_resampler_config *config);
void asr_resampler_destroy(asr_resampler *resampler);

/* *in_count: samples given, then samples taken. *out_count: room, then samples made. int16 output is rounded half to
 * even and saturated; float samples have the scale of the input. */
int asr_resampler_process_i16(asr_resampler *resampler, const int16_t *in, size_t *in_count, int16_t *out, size_t *out_count);
int asr_resampler_process_f32(asr_resampler *resampler, const float *in, size_t *in_count, float *out, size_t *out_count);
/* The end of the input: makes what is still inside. Call until it makes nothing. In all ceil(samples * out / in). */
int asr_resampler_flush_i16(asr_resampler *resampler, int16_t *out, size_t *out_count);
int asr_resampler_flush_f32(asr_resampler *resampler, float *out, size_t *out_count);
void asr_resampler_reset(asr_resampler *resampler);
/* Look-ahead in seconds: how far the input must be ahead of the newest output. Output is not shifted against input. */
double asr_resampler_delay_s(const asr_resampler *resampler);

/* ---- Framing -------------------------------------------------------------------------------------------------- */

typedef struct asr_framer_config {
    size_t struct_size;
    uint32_t sample_rate_hz;
    uint32_t frame_samples;
    uint32_t hop_samples;   /* from the start of a frame to that of the next */
    float pre_emphasis;     /* x[n] - pre_emphasis * x[n-1]; 0 for none */
    uint32_t remove_offset; /* subtract the mean of the frame */
    uint32_t hann_window;
    uint32_t mel_bands;     /* 0: rows are the samples of the frame, full scale 1.0 */
    float mel_low_hz;
    float mel_high_hz;
} asr_framer_config;

typedef struct asr_framer asr_framer;

void asr_framer_defaults(asr_framer_config *config);
size_t asr_framer_size(const asr_framer_config *config);
int asr_framer_init(void *memory, size_t size, const asr_framer_config *config);
asr_framer *asr_framer_create(const asr_framer_config *config);
void asr_framer_destroy(asr_framer *framer);
void asr_framer_reset(asr_framer *framer);
/* Length of a row: mel_bands natural logarithms of energy, or frame_samples. */
size_t asr_framer_row_floats(const asr_framer *framer);
/* *row_count: rows that fit, then rows made. levels: of each row, in dB relative to a full-scale sine wave. */
int asr_framer_process(asr_framer *framer, const int16_t *in, size_t *in_count, float *rows, float *levels, size_t *row_count);

/* ---- Voice activity ------------------------------------------------------------------------------------------- */

typedef enum asr_vad_mode { ASR_VAD_LEARNED = 0, ASR_VAD_ENERGY } asr_vad_mode;

typedef struct asr_vad asr_vad;

size_t asr_vad_size(asr_vad_mode mode);
int asr_vad_init(void *memory, size_t size, asr_vad_mode mode);
/* The probability of speech in the frame given asr_vad_lookahead_frames() calls ago (0 while there is none). */
int asr_vad_process(asr_vad *vad, const int16_t frame[ASR_FRAME_SAMPLES], float *speech_probability);
int asr_vad_lookahead_frames(const asr_vad *vad);
void asr_vad_reset(asr_vad *vad);

/* ---- Endpointer: 16 kHz audio in, segments of speech out -------------------------------------------------------- */

typedef enum asr_level_mode {
    ASR_LEVEL_OFF = 0,  /* loudness does not matter */
    ASR_LEVEL_AUTO = 1, /* speech is louder than the background by level_threshold_percent */
    ASR_LEVEL_FIXED = 2 /* speech is louder than level_threshold_percent */
} asr_level_mode;

typedef struct asr_endpointer_config {
    size_t struct_size;
    uint32_t enabled;                 /* 0: one segment from the first to the last sample */
    uint32_t continuous;              /* 0: only the first segment */
    uint32_t head_margin_ms;          /* kept before speech */
    uint32_t tail_margin_ms;          /* kept after speech */
    uint32_t wait_end_ms;             /* silence that ends a segment */
    asr_level_mode level_mode;
    float level_threshold_percent;    /* mean magnitude of a frame in percent of full scale */
    uint32_t auto_level_len_ms;       /* how long the background is listened to before it counts as known */
    uint32_t use_tone_detectors;      /* telephone tones are no speech */
    uint32_t max_segment_duration_ms; /* 0: no limit; longer speech is cut at its quietest place */
    uint32_t segment_overlap_ms;      /* audio that the segment after such a cut repeats */
    asr_vad_mode vad_mode;
} asr_endpointer_config;

typedef enum asr_event_type {
    ASR_EVENT_SPEECH_START = 1, /* start: of the segment, head margin included */
    ASR_EVENT_SPEECH_AUDIO,     /* samples start..end lie in the output at pcm_offset */
    ASR_EVENT_SPEECH_END,       /* end: of the segment, tail margin included; detail: asr_end_reason */
    ASR_EVENT_DTMF,             /* start..end: of the tone; detail: its character */
    ASR_EVENT_SPEECH_PAUSE,     /* 250 ms or half of wait_end without speech. end: of the audio given out */
    ASR_EVENT_SPEECH_RESUME     /* it is not: speech goes on after a pause */
} asr_event_type;

typedef enum asr_end_reason { ASR_END_SILENCE = 1, ASR_END_MAX_SEGMENT, ASR_END_AUDIO } asr_end_reason;

typedef struct asr_event {
    int32_t type;
    int32_t detail;
    int64_t start;
    int64_t end;
    int64_t decided; /* how much of the input was known when this was decided */
    size_t pcm_offset;
} asr_event;

/* Room for so many events lets every call do something; ordinary packets never need more. */
#define ASR_MIN_EVENTS 32

typedef struct asr_endpointer asr_endpointer;

void asr_endpointer_defaults(asr_endpointer_config *config);
size_t asr_endpointer_size(const asr_endpointer_config *config);
int asr_endpointer_init(void *memory, size_t size, const asr_endpointer_config *config);
asr_endpointer *asr_endpointer_create(const asr_endpointer_config *config);
void asr_endpointer_destroy(asr_endpointer *endpointer);
/* Room for so many output samples lets every call do something. */
size_t asr_endpointer_output_samples(const asr_endpointer *endpointer);
/* For each segment: a start, then audio, pauses and resumptions, then an end. flush() ends the input; call it until it does
 * not say ASR_MORE. */
int asr_endpointer_process(asr_endpointer *endpointer, const int16_t *in, size_t *in_count, int16_t *pcm, size_t *pcm_count,
                           asr_event *events, size_t *event_count);
int asr_endpointer_flush(asr_endpointer *endpointer, int16_t *pcm, size_t *pcm_count, asr_event *events, size_t *event_count);
/* Everything before this position has been decided and told. */
int64_t asr_endpointer_position(const asr_endpointer *endpointer);
/* Level of the last 100 ms in dB relative to a full-scale sine wave; -100 for silence. */
float asr_endpointer_level_dbfs(const asr_endpointer *endpointer);

/* ---- Front end: packets of any format in, segments of 16 kHz speech out ------------------------------------------ */

typedef enum asr_encoding {
    ASR_PCM_U8 = 1,
    ASR_PCM_S16, /* all little-endian */
    ASR_PCM_S24,
    ASR_PCM_S32,
    ASR_PCM_F32, /* full scale is 1.0 */
    ASR_PCM_F64,
    ASR_ALAW,
    ASR_ULAW
} asr_encoding;

typedef struct asr_frontend_config {
    size_t struct_size;
    asr_encoding encoding;
    uint32_t sample_rate_hz;
    uint32_t channels; /* the first one is heard */
    asr_quality quality;
    asr_simd simd;
    const asr_resampler_table *table; /* as in asr_resampler_config */
    asr_endpointer_config endpointer;
} asr_frontend_config;

typedef struct asr_frontend asr_frontend;

void asr_frontend_defaults(asr_frontend_config *config);
size_t asr_frontend_size(const asr_frontend_config *config);
int asr_frontend_init(void *memory, size_t size, const asr_frontend_config *config);
asr_frontend *asr_frontend_create(const asr_frontend_config *config);
void asr_frontend_destroy(asr_frontend *frontend);
size_t asr_frontend_output_samples(const asr_frontend *frontend);
/* *byte_count: bytes given, then bytes taken; a part of a sample is kept for the next call. */
int asr_frontend_process(asr_frontend *frontend, const void *data, size_t *byte_count, int16_t *pcm, size_t *pcm_count,
                         asr_event *events, size_t *event_count);
int asr_frontend_flush(asr_frontend *frontend, int16_t *pcm, size_t *pcm_count, asr_event *events, size_t *event_count);
int64_t asr_frontend_position(const asr_frontend *frontend);
float asr_frontend_level_dbfs(const asr_frontend *frontend);

/* ---- Cepstra: features of speech as the Sphinx front end defines them, in frames of 10 ms ------------------------- */

#define ASR_CEPSTRUM_BANDS 64 /* of a warp, at most */
#define ASR_CEPSTRUM_WARPS 16

/* Read-only tables of the caller. */
typedef struct asr_cepstrum {
    size_t struct_size;
    uint32_t window_samples; /* 160 to 512 */
    uint32_t warps;          /* stretches of the mel scale */
    uint32_t bands;          /* of each warp */
    uint32_t cepstra;        /* of each warp, no more than bands */
    uint32_t remove_offset;  /* subtract the mean of a frame */
    float pre_emphasis;      /* x[n] - pre_emphasis * x[n-1] */
    const float *window;     /* [window_samples] */
    const uint16_t *band_first; /* [warps][bands]: its first bin of 257, and how many there are */
    const uint16_t *band_bins;
    const float *weights;       /* of the bins of all bands, in order */
    const float *cosines;       /* [bands][cepstra] */
    asr_simd simd;
} asr_cepstrum;

/* The noise of one warp, as it is followed from frame to frame; begins as zeros. */
typedef struct asr_cepstrum_noise {
    uint32_t begun;
    float power[ASR_CEPSTRUM_BANDS];
    float noise[ASR_CEPSTRUM_BANDS];
    float floor[ASR_CEPSTRUM_BANDS];
    float peak[ASR_CEPSTRUM_BANDS];
} asr_cepstrum_noise;

/* samples: one before the first frame, then the frames, 160 from one to the next; beyond `count` there is silence.
 * energies: [frames][warps][bands]. */
int asr_cepstrum_energies(const asr_cepstrum *tables, const int16_t *samples, size_t count, size_t frames, float *energies);
/* noise: [warps], subtracted, or null. cepstra: [frames][warps][cepstra]. */
int asr_cepstrum_cepstra(const asr_cepstrum *tables, asr_cepstrum_noise *noise, const float *energies, size_t frames,
                         float *cepstra);

/* ---- Mixtures: how well frames fit the states of an acoustic model with shared codebooks of Gaussians ---------------- */

#define ASR_MIXTURE_STREAMS 4     /* at most */
#define ASR_MIXTURE_GAUSSIANS 256 /* of a codebook, at most */
#define ASR_MIXTURE_LANES 32
#define ASR_MIXTURE_UNIT 512.0f /* scores are 1/512 of a natural logarithm */

/* Read-only tables of the caller. States are numbered codebook by codebook and phone by phone. */
typedef struct asr_mixtures {
    size_t struct_size;
    uint32_t streams;
    uint32_t dimensions[ASR_MIXTURE_STREAMS]; /* of each stream's features */
    uint32_t codebooks;
    uint32_t gaussians; /* of each codebook */
    uint32_t phones;
    const uint32_t *codebook_starts; /* codebooks + 1 numbers: its first state; then the number of all states */
    const uint32_t *phone_starts;    /* phones + 1, the same */
    /* Log densities as linear functions. For each codebook and stream, rows of as many floats as there are Gaussians, filled
     * up to a multiple of ASR_MIXTURE_LANES: the constants (-1e30 for what is filled up), then for each dimension the
     * factors of its value and those of its square. */
    const float *lines;
    /* For each codebook, for each ASR_MIXTURE_LANES of its states (the last filled up with zeros): [streams][gaussians][
     * ASR_MIXTURE_LANES], each the upper half of a float. In each row the states of the first half take the even places,
     * those of the second the odd ones. */
    const uint16_t *weights;
    asr_simd simd;
} asr_mixtures;

/* Bytes of memory to work in, or 0 where the tables do not fit together. */
size_t asr_mixtures_work_bytes(const asr_mixtures *mixtures);

/* features: [frames][dimensions of all streams]. states: [frames][states], natural logarithms of their likelihoods less that
 * of the frame's best, at least -60. phones: [frames][phones], those of the best state of each. */
int asr_mixtures_score(const asr_mixtures *mixtures, const float *features, size_t frames, float *work, int16_t *states,
                       int16_t *phones);

/* fits: [frames], roughly the logarithm of a frame's likelihood by the best codebook. */
int asr_mixtures_fit(const asr_mixtures *mixtures, const float *features, size_t frames, float *fits);

#ifdef __cplusplus
}
#endif
#endif
