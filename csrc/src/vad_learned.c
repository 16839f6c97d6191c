/* The learned voice detector: log-mel features, a dense layer, two gated recurrent layers, a sigmoid.
 *
 * The network steps every second frame and then answers for two: step k has heard the frames up to 2k + 1 and answers
 * for 2k - 2 and 2k - 1, so every answer is 30 ms late and has heard 20 or 30 ms of what follows. Matrices are int8
 * with a scale per output; what they multiply is int16 with 12 fractional bits; sums are exact in int32, so every
 * instruction set gives the same bits. The rest is float, in loops that are the same code everywhere.
 *
 * Gated recurrent unit: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset
 * gate behind the recurrent product as in cuDNN and PyTorch. */
#include "vad_learned.h"

#include "approximate.h"

#include <string.h>

#if defined(ASR_X86)
#include <immintrin.h>
#elif defined(ASR_NEON)
#include <arm_neon.h>
#endif

#define VAD_UNIT 4096.0f /* 12 fractional bits: +-8 in an int16 */
/* Level of white noise of -68 dBFS (a voice of -72). Speech has sounds below it, but begins with none: where all frames of
 * the context are fainter, the answer is halved. It then may carry speech on, and not start it: a breath or a line that
 * opens between digital silences. */
#define VAD_AUDIBLE 11.0f
#define VAD_FAINT 0.5f

static void vad_kernel_scalar(const int8_t *weight, const int16_t *in, size_t inputs, size_t outputs, int32_t *out) {
    memset(out, 0, outputs * sizeof *out);
    for (size_t k = 0; k < inputs; k += 2) {
        const int32_t even = in[k], odd = in[k + 1];
        for (size_t n = 0; n < outputs; n++) {
            out[n] += weight[2 * n] * even + weight[2 * n + 1] * odd;
        }
        weight += 2 * outputs;
    }
}

/* COUNT vectors of weights, 8 outputs each, at a time, so that their sums stay in registers. LEVEL names the sums of 8
 * outputs and what is done with them. */
#define VAD_TILE(LEVEL, COUNT)                                                                                       \
    while (outputs - n >= (COUNT) * 8) {                                                                             \
        LEVEL##_sums sums[COUNT];                                                                                    \
        memset(sums, 0, sizeof sums);                                                                                \
        const int8_t *w = weight + 2 * n;                                                                            \
        for (size_t k = 0; k < inputs; k += 2) {                                                                     \
            int32_t pair; /* of inputs, for multiplication and addition of neighbouring 16-bit values */             \
            memcpy(&pair, in + k, sizeof pair);                                                                      \
            for (size_t i = 0; i < (COUNT); i++) {                                                                   \
                LEVEL##_add(&sums[i], w + 16 * i, pair);                                                             \
            }                                                                                                        \
            w += 2 * outputs;                                                                                        \
        }                                                                                                            \
        memcpy(out + n, sums, sizeof sums);                                                                          \
        n += (COUNT) * 8;                                                                                            \
    }

#define VAD_KERNEL(LEVEL, TARGET, WIDE_TILE)                                                                         \
    TARGET static void vad_kernel_##LEVEL(const int8_t *weight, const int16_t *in, size_t inputs, size_t outputs,    \
                                          int32_t *out) {                                                            \
        size_t n = 0;                                                                                                \
        WIDE_TILE                                                                                                    \
        VAD_TILE(LEVEL, 4)                                                                                           \
        VAD_TILE(LEVEL, 2)                                                                                           \
        VAD_TILE(LEVEL, 1)                                                                                           \
    }

#if defined(ASR_X86)

typedef struct sse2_sums {
    __m128i low, high;
} sse2_sums;

static inline void sse2_add(sse2_sums *sums, const int8_t *weight, int32_t pair) {
    const __m128i both = _mm_set1_epi32(pair);
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)weight);
    const __m128i sign = _mm_cmpgt_epi8(_mm_setzero_si128(), bytes);
    sums->low = _mm_add_epi32(sums->low, _mm_madd_epi16(_mm_unpacklo_epi8(bytes, sign), both));
    sums->high = _mm_add_epi32(sums->high, _mm_madd_epi16(_mm_unpackhi_epi8(bytes, sign), both));
}

VAD_KERNEL(sse2, , )

typedef __m256i avx2_sums;

ASR_AVX2_ONLY static inline void avx2_add(avx2_sums *sums, const int8_t *weight, int32_t pair) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)weight);
    *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes), _mm256_set1_epi32(pair)));
}

VAD_KERNEL(avx2, ASR_AVX2_ONLY, VAD_TILE(avx2, 8))

#elif defined(ASR_NEON)

typedef struct neon_sums {
    int32x4_t low, high;
} neon_sums;

static inline int32x4_t neon_products(int8x8_t bytes, int16x8_t both) {
    const int16x8_t weights = vmovl_s8(bytes);
    return vpaddq_s32(vmull_s16(vget_low_s16(weights), vget_low_s16(both)), vmull_high_s16(weights, both));
}

static inline void neon_add(neon_sums *sums, const int8_t *weight, int32_t pair) {
    const int16x8_t both = vreinterpretq_s16_s32(vdupq_n_s32(pair));
    const int8x16_t bytes = vld1q_s8(weight);
    sums->low = vaddq_s32(sums->low, neon_products(vget_low_s8(bytes), both));
    sums->high = vaddq_s32(sums->high, neon_products(vget_high_s8(bytes), both));
}

VAD_KERNEL(neon, , VAD_TILE(neon, 8))

#endif

ASR_INLINE float vad_sigmoid(float x) {
    return 1.0f / (1.0f + asr_exp_negative(x));
}

ASR_INLINE void vad_product(asr_vad_kernel *kernel, const asr_vad_matrix *matrix, const int16_t *in, float *restrict out) {
    int32_t sum[ASR_VAD_GATES_MOST];
    kernel(matrix->weight, in, matrix->inputs, matrix->outputs, sum);
    for (size_t n = 0; n < matrix->outputs; n++) {
        out[n] = (float)sum[n] * matrix->scale[n] + matrix->bias[n];
    }
}

/* One step of a gated recurrent layer of `size` units. */
ASR_INLINE void vad_recur(asr_vad_kernel *kernel, const asr_vad_matrix *from_input, const asr_vad_matrix *from_state, size_t size,
                      const int16_t *in, float *restrict state, int16_t *restrict fixed_state) {
    float input[ASR_VAD_GATES_MOST], recurrent[ASR_VAD_GATES_MOST];
    vad_product(kernel, from_input, in, input);
    vad_product(kernel, from_state, fixed_state, recurrent);
    for (size_t n = 0; n < size; n++) {
        const float reset = vad_sigmoid(input[n] + recurrent[n]);
        const float keep = vad_sigmoid(input[size + n] + recurrent[size + n]);
        const float fresh = 2.0f * vad_sigmoid(2.0f * (input[2 * size + n] + reset * recurrent[2 * size + n])) - 1.0f;
        state[n] = fresh + keep * (state[n] - fresh);
        fixed_state[n] = (int16_t)asr_round(state[n] * VAD_UNIT); /* |state| < 1 */
    }
}

ASR_INLINE void vad_step(asr_vad_learned *vad, asr_vad_kernel *kernel, const asr_feature_frame *newest, float answer[ASR_VAD_STRIDE]) {
    float raw[ASR_VAD_INPUTS];
    memcpy(raw, vad->context, sizeof vad->context);
    memcpy(raw + ASR_VAD_CONTEXT * ASR_VAD_PER_FRAME, newest->floor, sizeof newest->floor);
    int16_t input[ASR_VAD_INPUTS];
    for (size_t i = 0; i < ASR_VAD_INPUTS; i++) {
        const int32_t fixed = asr_round((raw[i] - asr_vad_input_mean[i]) * asr_vad_input_scale[i] * VAD_UNIT);
        input[i] = (int16_t)asr_limit(fixed, INT16_MIN, INT16_MAX);
    }
    float dense[ASR_VAD_DENSE];
    int16_t hidden[ASR_VAD_DENSE];
    vad_product(kernel, &asr_vad_dense, input, dense);
    for (size_t n = 0; n < ASR_VAD_DENSE; n++) {
        hidden[n] = (int16_t)asr_limit(asr_round(dense[n] * VAD_UNIT), 0, INT16_MAX);
    }
    float *const first = vad->state, *const second = vad->state + ASR_VAD_FIRST;
    vad_recur(kernel, &asr_vad_first_input, &asr_vad_first_state, ASR_VAD_FIRST, hidden, first, vad->first_state);
    vad_recur(kernel, &asr_vad_second_input, &asr_vad_second_state, ASR_VAD_SECOND, vad->first_state, second,
              vad->second_state);
    int audible = 0;
    for (size_t i = 0; i < ASR_VAD_CONTEXT; i++) {
        audible |= vad->context[i][ASR_FEATURE_BANDS] >= VAD_AUDIBLE;
    }
    for (size_t i = 0; i < ASR_VAD_STRIDE; i++) {
        float sum[8] = {asr_vad_answer_bias[i]};
        for (size_t n = 0; n < ASR_VAD_FIRST + ASR_VAD_SECOND; n += 8) {
            for (size_t j = 0; j < 8; j++) {
                sum[j] += asr_vad_answer_weight[i][n + j] * vad->state[n + j];
            }
        }
        answer[i] = vad_sigmoid(((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7])));
        answer[i] *= audible ? 1.0f : VAD_FAINT;
    }
}

ASR_INLINE float vad_process(asr_vad_learned *vad, const int16_t frame[ASR_FRAME_SAMPLES], asr_vad_kernel *kernel) {
    asr_feature_frame newest;
    asr_features_process(&vad->features, frame, &newest);
    memmove(vad->context[0], vad->context[1], sizeof vad->context - sizeof vad->context[0]);
    memcpy(vad->context[ASR_VAD_CONTEXT - 1], &newest, sizeof vad->context[0]);

    const uint32_t index = vad->frames;
    vad->frames = index < ASR_VAD_LOOKAHEAD + 2 ? index + 1 : index - 1;
    if (index % ASR_VAD_STRIDE == 0) {
        return index < ASR_VAD_LOOKAHEAD ? 0.0f : vad->later;
    }
    float answer[ASR_VAD_STRIDE];
    vad_step(vad, kernel, &newest, answer);
    vad->later = answer[1];
    return index < ASR_VAD_LOOKAHEAD ? 0.0f : answer[0];
}

static float vad_process_scalar(asr_vad_learned *vad, const int16_t frame[ASR_FRAME_SAMPLES]) {
    return vad_process(vad, frame, vad_kernel_scalar);
}

#if defined(ASR_X86)

static float vad_process_sse2(asr_vad_learned *vad, const int16_t frame[ASR_FRAME_SAMPLES]) {
    return vad_process(vad, frame, vad_kernel_sse2);
}

ASR_AVX2_ONLY static float vad_process_avx2(asr_vad_learned *vad, const int16_t frame[ASR_FRAME_SAMPLES]) {
    return vad_process(vad, frame, vad_kernel_avx2);
}

#elif defined(ASR_NEON)

static float vad_process_neon(asr_vad_learned *vad, const int16_t frame[ASR_FRAME_SAMPLES]) {
    return vad_process(vad, frame, vad_kernel_neon);
}

#endif

static asr_vad_process_kernel *vad_process_for(asr_simd level) {
    switch (level == ASR_SIMD_AUTO ? asr_simd_best() : level) {
#if defined(ASR_X86)
    case ASR_SIMD_SSE2: return vad_process_sse2;
    case ASR_SIMD_AVX2:
    case ASR_SIMD_AVX512: return vad_process_avx2;
#elif defined(ASR_NEON)
    case ASR_SIMD_NEON: return vad_process_neon;
#endif
    default: return vad_process_scalar;
    }
}

void asr_vad_learned_reset(asr_vad_learned *vad, asr_simd simd) {
    memset(vad, 0, sizeof *vad);
    asr_features_reset(&vad->features, simd);
    vad->process = vad_process_for(simd);
}

float asr_vad_learned_process(asr_vad_learned *vad, const int16_t frame[ASR_FRAME_SAMPLES]) {
    return vad->process(vad, frame);
}
