/* The learned voice detector: its shape, its weights, its state. */
#ifndef ASR_DSP_VAD_LEARNED_H
#define ASR_DSP_VAD_LEARNED_H

#include "internal.h"
#include "vad_features.h"

#define ASR_VAD_STRIDE 2     /* frames a step */
#define ASR_VAD_CONTEXT 4    /* frames a step reads */
#define ASR_VAD_LOOKAHEAD 3  /* frames between a frame and its answer */
#define ASR_VAD_PER_FRAME (ASR_FEATURE_BANDS + 4)
#define ASR_VAD_INPUTS (ASR_VAD_CONTEXT * ASR_VAD_PER_FRAME + ASR_FEATURE_BANDS)
#define ASR_VAD_DENSE 80
#define ASR_VAD_FIRST 80
#define ASR_VAD_SECOND 56
#define ASR_VAD_GATES_MOST (3 * ASR_VAD_FIRST)

/* One matrix: int8 weights with a scale per output, for int16 inputs of 12 fractional bits. Weights stand in pairs of
 * inputs, [inputs / 2][outputs][2], so that one vector multiplication serves neighbouring outputs. */
typedef struct asr_vad_matrix {
    uint16_t inputs;  /* even */
    uint16_t outputs; /* a multiple of 8 */
    const int8_t *weight;
    const float *scale;
    const float *bias;
} asr_vad_matrix;

/* Made by benchmarks/vad_training/export.py. */
extern const float asr_vad_input_mean[ASR_VAD_INPUTS];
extern const float asr_vad_input_scale[ASR_VAD_INPUTS];
extern const asr_vad_matrix asr_vad_dense;
extern const asr_vad_matrix asr_vad_first_input, asr_vad_first_state;   /* gates: reset, update, new */
extern const asr_vad_matrix asr_vad_second_input, asr_vad_second_state;
extern const float asr_vad_answer_weight[ASR_VAD_STRIDE][ASR_VAD_FIRST + ASR_VAD_SECOND];
extern const float asr_vad_answer_bias[ASR_VAD_STRIDE];

/* out[n] = sum over inputs of weight * in, exactly, whatever the instruction set. */
typedef void asr_vad_kernel(const int8_t *weight, const int16_t *in, size_t inputs, size_t outputs, int32_t *out);

typedef struct asr_vad_learned asr_vad_learned;
typedef float asr_vad_process_kernel(asr_vad_learned *vad, const int16_t frame[ASR_FRAME_SAMPLES]);

struct asr_vad_learned {
    asr_features features;
    float context[ASR_VAD_CONTEXT][ASR_VAD_PER_FRAME]; /* oldest first */
    float state[ASR_VAD_FIRST + ASR_VAD_SECOND];
    int16_t first_state[ASR_VAD_FIRST]; /* the same, as the kernels read it */
    int16_t second_state[ASR_VAD_SECOND];
    float later;     /* the step's second answer, due with the next frame */
    uint32_t frames; /* seen before this one, up to 5; later 4 or 5, whichever is as odd as their number */
    asr_vad_process_kernel *process;
};

/* simd: a level that is available, or ASR_SIMD_AUTO; every level computes the same bits. */
void asr_vad_learned_reset(asr_vad_learned *vad, asr_simd simd);
float asr_vad_learned_process(asr_vad_learned *vad, const int16_t frame[ASR_FRAME_SAMPLES]);

#endif
