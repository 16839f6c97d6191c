#ifndef ASR_DSP_TONE_H
#define ASR_DSP_TONE_H

#include "asr_dsp.h"

#define ASR_TONE_WINDOW 4 /* frames */
#define ASR_TONE_HISTORY 56 /* samples */

/* Correlations of one frame with itself, two, four, ... samples later; see tone.c. */
typedef struct asr_tone_sums {
    double uu, uv, uw, vv, vw, ww;
} asr_tone_sums;

/* One or two sinusoids, in Hz; high_hz is 0 where there is one. */
typedef struct asr_tone_pair {
    float low_hz, high_hz;
    float low_power, high_power; /* mean square */
} asr_tone_pair;

typedef struct asr_tone {
    float samples[ASR_TONE_HISTORY + ASR_FRAME_SAMPLES]; /* high-passed: the newest frame, and what came before it */
    float last;     /* sample before the frame, */
    float steps[3]; /* and differences between those before it */
    asr_tone_sums sums[ASR_TONE_WINDOW];
    uint32_t frames;
    asr_tone_pair before; /* what the window before held */
    uint32_t run;         /* windows that held the same tone */
    char key, key_before; /* of the newest window and of the one before, or 0 */
    asr_tone_pair key_pair;
    char pressed;         /* key that is down, or 0 */
    int64_t pressed_frame;
    uint32_t missed;      /* windows without it */
} asr_tone;

typedef struct asr_tone_result {
    uint32_t tone_frames; /* so many frames, the newest last, are tone and not speech */
    char key;             /* key that was let go, or 0, */
    int64_t key_start;    /* with its first frame */
    int64_t key_end;      /* and the frame after its last */
} asr_tone_result;

void asr_tone_reset(asr_tone *tone);
asr_tone_result asr_tone_process(asr_tone *tone, const int16_t frame[ASR_FRAME_SAMPLES]);
/* Lets go of a key that is down when the audio ends. */
asr_tone_result asr_tone_finish(asr_tone *tone);

#endif
