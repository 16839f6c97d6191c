/* What the learned voice detector hears: 10 ms frames of 16 kHz audio as log-mel energies with their floors. */
#ifndef ASR_DSP_VAD_FEATURES_H
#define ASR_DSP_VAD_FEATURES_H

#include <stdint.h>

#include "asr_dsp.h"
#include "simd.h"

#define ASR_FEATURE_WINDOW 512 /* 32 ms, ending with the newest frame */
#define ASR_FEATURE_BINS 257
#define ASR_FEATURE_BANDS 32   /* 60 to 7600 Hz, equally wide in mel */
#define ASR_FEATURE_MEL_WEIGHTS 463

/* One frame as the network reads it; all energies are log2 of power, quantisation noise at 0. */
typedef struct asr_feature_frame {
    float band[ASR_FEATURE_BANDS];
    float level;   /* all bands together */
    float peak;    /* recent maximum of the level, falling 3 dB a second */
    float voicing; /* height of the pitch peak in the autocorrelation of 0-2 kHz, 0 to 1 */
    float period;  /* its place: log2 of the lag in ms */
    float floor[ASR_FEATURE_BANDS]; /* recent minimum of each band, rising 3 dB a second */
} asr_feature_frame;

#define ASR_FEATURES (sizeof(asr_feature_frame) / sizeof(float))

typedef struct asr_features asr_features;
typedef void asr_features_kernel(asr_features *features, const int16_t frame[ASR_FRAME_SAMPLES], asr_feature_frame *out);

struct asr_features {
    float window[ASR_FEATURE_WINDOW]; /* the newest samples */
    float floor[ASR_FEATURE_BANDS];
    float peak;
    uint32_t warm_frames;
    asr_features_kernel *process;
};

/* simd: a level that is available, or ASR_SIMD_AUTO; every level computes the same bits. */
void asr_features_reset(asr_features *features, asr_simd simd);
void asr_features_process(asr_features *features, const int16_t frame[ASR_FRAME_SAMPLES], asr_feature_frame *out);

/* Made by benchmarks/vad_training/tables.py. */
extern const float asr_feature_hann[ASR_FEATURE_WINDOW];
extern const float asr_feature_cosine[ASR_FEATURE_WINDOW / 2]; /* cos and sin of 2 pi k / 512 */
extern const float asr_feature_sine[ASR_FEATURE_WINDOW / 2];
extern const float asr_feature_root256_cosine[64]; /* every second and every fourth of them: roots of 256 and of 128 */
extern const float asr_feature_root256_sine[64];
extern const float asr_feature_root128_cosine[32];
extern const float asr_feature_root128_sine[32];
extern const uint16_t asr_feature_mel_first[ASR_FEATURE_BANDS]; /* first bin and number of bins of each band */
extern const uint16_t asr_feature_mel_count[ASR_FEATURE_BANDS];
extern const float asr_feature_mel_weight[ASR_FEATURE_MEL_WEIGHTS];

#endif
