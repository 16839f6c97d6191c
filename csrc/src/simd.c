/* The inner product of the resampler for each SIMD level, and the choice between them at run time.
 *
 * A plain polyphase filter computes one output at a time and loads two vectors for each multiplication. Here 4
 * neighbouring outputs share one window of the input (their rows are shifted against each other by leading zeros), and
 * up to 4 groups that have the same rows share the loads of the coefficients: 8 loads for 16 multiplications, so that
 * the multipliers and not the loads are the limit. */
#include "resample.h"
#include "simd.h"

#if defined(ASR_X86)
#include <immintrin.h>
#elif defined(ASR_NEON)
#include <arm_neon.h>
#endif

static void group_scalar(const float *rows, size_t taps, const float *x, size_t stride, size_t groups, float *out,
                         size_t out_stride) {
    for (size_t g = 0; g < groups; g++) {
        for (size_t r = 0; r < ASR_GROUP_ROWS; r++) {
            const float *row = rows + r * taps;
            float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f}; /* 4 sums: shorter chains, smaller rounding */
            for (size_t k = 0; k < taps; k += 4) {
                for (size_t j = 0; j < 4; j++) {
                    sum[j] += row[k + j] * x[g * stride + k + j];
                }
            }
            out[g * out_stride + r] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
        }
    }
}

#if defined(ASR_X86) || defined(ASR_NEON)

/* Computes GROUPS windows (a constant, so that the accumulators live in registers), then the next ones. LEVEL names the
 * vector and what is done with it. */
#define TILE(LEVEL, GROUPS)                                                                                            \
    while (groups >= (GROUPS)) {                                                                                       \
        LEVEL##_vector acc[GROUPS][ASR_GROUP_ROWS];                                                                    \
        for (size_t g = 0; g < (GROUPS); g++) {                                                                        \
            for (size_t r = 0; r < ASR_GROUP_ROWS; r++) {                                                              \
                acc[g][r] = LEVEL##_SPLAT(0.0f);                                                                       \
            }                                                                                                          \
        }                                                                                                              \
        for (size_t k = 0; k < taps; k += sizeof(LEVEL##_vector) / sizeof(float)) {                                    \
            const LEVEL##_vector c0 = LEVEL##_LOAD_ALIGNED(rows + k);                                                  \
            const LEVEL##_vector c1 = LEVEL##_LOAD_ALIGNED(rows + taps + k);                                           \
            const LEVEL##_vector c2 = LEVEL##_LOAD_ALIGNED(rows + 2 * taps + k);                                       \
            const LEVEL##_vector c3 = LEVEL##_LOAD_ALIGNED(rows + 3 * taps + k);                                       \
            for (size_t g = 0; g < (GROUPS); g++) {                                                                    \
                const LEVEL##_vector v = LEVEL##_LOAD(x + g * stride + k);                                             \
                acc[g][0] = LEVEL##_MULTIPLY_ADD(c0, v, acc[g][0]);                                                    \
                acc[g][1] = LEVEL##_MULTIPLY_ADD(c1, v, acc[g][1]);                                                    \
                acc[g][2] = LEVEL##_MULTIPLY_ADD(c2, v, acc[g][2]);                                                    \
                acc[g][3] = LEVEL##_MULTIPLY_ADD(c3, v, acc[g][3]);                                                    \
            }                                                                                                          \
        }                                                                                                              \
        for (size_t g = 0; g < (GROUPS); g++) {                                                                        \
            LEVEL##_store_sums(out + g * out_stride, acc[g][0], acc[g][1], acc[g][2], acc[g][3]);                      \
        }                                                                                                              \
        x += (GROUPS) * stride;                                                                                        \
        out += (GROUPS) * out_stride;                                                                                  \
        groups -= (GROUPS);                                                                                            \
    }

#define GROUP_KERNEL(LEVEL, TARGET, WIDE_TILE)                                                                         \
    TARGET static void group_##LEVEL(const float *rows, size_t taps, const float *x, size_t stride, size_t groups,     \
                                     float *out, size_t out_stride) {                                                  \
        WIDE_TILE                                                                                                      \
        TILE(LEVEL, 2)                                                                                                 \
        TILE(LEVEL, 1)                                                                                                 \
    }

#endif

#if defined(ASR_X86)

typedef __m128 sse2_vector;
#define sse2_SPLAT _mm_set1_ps
#define sse2_LOAD_ALIGNED _mm_load_ps
#define sse2_LOAD _mm_loadu_ps
#define sse2_MULTIPLY_ADD(c, v, a) _mm_add_ps(_mm_mul_ps(c, v), a)

static inline void sse2_store_sums(float *out, __m128 a, __m128 b, __m128 c, __m128 d) {
    const __m128 ab_low = _mm_unpacklo_ps(a, b);  /* a0 b0 a1 b1 */
    const __m128 ab_high = _mm_unpackhi_ps(a, b); /* a2 b2 a3 b3 */
    const __m128 cd_low = _mm_unpacklo_ps(c, d);
    const __m128 cd_high = _mm_unpackhi_ps(c, d);
    const __m128 ab = _mm_add_ps(ab_low, ab_high); /* a0+a2 b0+b2 a1+a3 b1+b3 */
    const __m128 cd = _mm_add_ps(cd_low, cd_high);
    _mm_storeu_ps(out, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
}

GROUP_KERNEL(sse2, , ) /* 16 registers hold no more than 2 groups */

#define TARGET_AVX2 __attribute__((target("avx2,fma")))
typedef __m256 avx2_vector;
#define avx2_SPLAT _mm256_set1_ps
#define avx2_LOAD_ALIGNED _mm256_load_ps
#define avx2_LOAD _mm256_loadu_ps
#define avx2_MULTIPLY_ADD _mm256_fmadd_ps
#define HALVES_256(v) _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1))

TARGET_AVX2 static inline void avx2_store_sums(float *out, __m256 a, __m256 b, __m256 c, __m256 d) {
    sse2_store_sums(out, HALVES_256(a), HALVES_256(b), HALVES_256(c), HALVES_256(d));
}

GROUP_KERNEL(avx2, TARGET_AVX2, )

#define TARGET_AVX512 __attribute__((target("avx2,fma,avx512f,avx512dq")))
typedef __m512 avx512_vector;
#define avx512_SPLAT _mm512_set1_ps
#define avx512_LOAD_ALIGNED _mm512_load_ps
#define avx512_LOAD _mm512_loadu_ps
#define avx512_MULTIPLY_ADD _mm512_fmadd_ps
#define HALVES_512(v) _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1))

TARGET_AVX512 static inline void avx512_store_sums(float *out, __m512 a, __m512 b, __m512 c, __m512 d) {
    avx2_store_sums(out, HALVES_512(a), HALVES_512(b), HALVES_512(c), HALVES_512(d));
}

GROUP_KERNEL(avx512, TARGET_AVX512, TILE(avx512, 4))

#elif defined(ASR_NEON)

typedef float32x4_t neon_vector;
#define neon_SPLAT vdupq_n_f32
#define neon_LOAD_ALIGNED vld1q_f32
#define neon_LOAD vld1q_f32
#define neon_MULTIPLY_ADD(c, v, a) vfmaq_f32(a, c, v)

static inline void neon_store_sums(float *out, float32x4_t a, float32x4_t b, float32x4_t c, float32x4_t d) {
    vst1q_f32(out, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
}

GROUP_KERNEL(neon, , TILE(neon, 4))

#endif

int asr_simd_available(asr_simd level) {
    switch (level) {
    case ASR_SIMD_AUTO:
    case ASR_SIMD_SCALAR: return 1;
#if defined(ASR_X86)
    case ASR_SIMD_SSE2: return 1;
    case ASR_SIMD_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case ASR_SIMD_AVX512:
        return asr_simd_available(ASR_SIMD_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
#elif defined(ASR_NEON)
    case ASR_SIMD_NEON: return 1;
#endif
    default: return 0;
    }
}

asr_simd asr_simd_best(void) {
    for (int level = ASR_SIMD_AVX512; level > ASR_SIMD_SCALAR; level--) {
        if (asr_simd_available((asr_simd)level)) {
            return (asr_simd)level;
        }
    }
    return ASR_SIMD_SCALAR;
}

asr_group_kernel *asr_group_kernel_for(asr_simd level) {
    switch (level == ASR_SIMD_AUTO ? asr_simd_best() : level) {
#if defined(ASR_X86)
    case ASR_SIMD_SSE2: return group_sse2;
    case ASR_SIMD_AVX2: return group_avx2;
    case ASR_SIMD_AVX512: return group_avx512;
#elif defined(ASR_NEON)
    case ASR_SIMD_NEON: return group_neon;
#endif
    default: return group_scalar;
    }
}
