/* The inner product of the resampler for each SIMD level, and the choice between them at run time.
 *
 * A plain polyphase filter computes one output at a time and loads two vectors for each multiplication. Here 4
 * neighbouring outputs share one window of the input (their rows are shifted against each other by leading zeros), and
 * up to 4 groups that have the same rows share the loads of the coefficients: 8 loads for 16 multiplications, so that
 * the multipliers and not the loads are the limit. */
#include "resample.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define ASR_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__GNUC__)
#define ASR_ARM 1
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

#if defined(ASR_X86) || defined(ASR_ARM)

/* Computes GROUPS windows (a constant, so that the accumulators live in registers), then the next ones. */
#define TILE(GROUPS)                                                                                                   \
    while (groups >= (GROUPS)) {                                                                                       \
        VEC acc[GROUPS][ASR_GROUP_ROWS];                                                                               \
        for (size_t g = 0; g < (GROUPS); g++) {                                                                        \
            for (size_t r = 0; r < ASR_GROUP_ROWS; r++) {                                                              \
                acc[g][r] = V_ZERO();                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
        for (size_t k = 0; k < taps; k += V_WIDTH) {                                                                   \
            const VEC c0 = V_LOAD(rows + k);                                                                           \
            const VEC c1 = V_LOAD(rows + taps + k);                                                                    \
            const VEC c2 = V_LOAD(rows + 2 * taps + k);                                                                \
            const VEC c3 = V_LOAD(rows + 3 * taps + k);                                                                \
            for (size_t g = 0; g < (GROUPS); g++) {                                                                    \
                const VEC v = V_LOADU(x + g * stride + k);                                                             \
                acc[g][0] = V_FMA(c0, v, acc[g][0]);                                                                   \
                acc[g][1] = V_FMA(c1, v, acc[g][1]);                                                                   \
                acc[g][2] = V_FMA(c2, v, acc[g][2]);                                                                   \
                acc[g][3] = V_FMA(c3, v, acc[g][3]);                                                                   \
            }                                                                                                          \
        }                                                                                                              \
        for (size_t g = 0; g < (GROUPS); g++) {                                                                        \
            V_STORE_SUMS(out + g * out_stride, acc[g][0], acc[g][1], acc[g][2], acc[g][3]);                            \
        }                                                                                                              \
        x += (GROUPS) * stride;                                                                                        \
        out += (GROUPS) * out_stride;                                                                                  \
        groups -= (GROUPS);                                                                                            \
    }

#define GROUP_KERNEL(NAME, TARGET)                                                                                     \
    TARGET static void NAME(const float *rows, size_t taps, const float *x, size_t stride, size_t groups, float *out,  \
                            size_t out_stride) {                                                                       \
        V_WIDE_TILE                                                                                                    \
        TILE(2)                                                                                                        \
        TILE(1)                                                                                                        \
    }

#endif

#if defined(ASR_X86)

static inline void store_sums_sse(float *out, __m128 a, __m128 b, __m128 c, __m128 d) {
    const __m128 ab_low = _mm_unpacklo_ps(a, b);  /* a0 b0 a1 b1 */
    const __m128 ab_high = _mm_unpackhi_ps(a, b); /* a2 b2 a3 b3 */
    const __m128 cd_low = _mm_unpacklo_ps(c, d);
    const __m128 cd_high = _mm_unpackhi_ps(c, d);
    const __m128 ab = _mm_add_ps(ab_low, ab_high); /* a0+a2 b0+b2 a1+a3 b1+b3 */
    const __m128 cd = _mm_add_ps(cd_low, cd_high);
    _mm_storeu_ps(out, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
}

#define VEC __m128
#define V_WIDTH 4
#define V_ZERO _mm_setzero_ps
#define V_LOAD _mm_load_ps
#define V_LOADU _mm_loadu_ps
#define V_FMA(c, v, a) _mm_add_ps(_mm_mul_ps(c, v), a)
#define V_STORE_SUMS store_sums_sse
#define V_WIDE_TILE /* 16 registers hold no more than 2 groups */
GROUP_KERNEL(group_sse2, )
#undef VEC
#undef V_WIDTH
#undef V_ZERO
#undef V_LOAD
#undef V_LOADU
#undef V_FMA
#undef V_STORE_SUMS
#undef V_WIDE_TILE

#define ASR_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define ASR_TARGET_AVX512 __attribute__((target("avx2,fma,avx512f,avx512dq")))

#define HALVES_256(v) _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1))
ASR_TARGET_AVX2 static inline void store_sums_avx2(float *out, __m256 a, __m256 b, __m256 c, __m256 d) {
    store_sums_sse(out, HALVES_256(a), HALVES_256(b), HALVES_256(c), HALVES_256(d));
}

#define VEC __m256
#define V_WIDTH 8
#define V_ZERO _mm256_setzero_ps
#define V_LOAD _mm256_load_ps
#define V_LOADU _mm256_loadu_ps
#define V_FMA _mm256_fmadd_ps
#define V_STORE_SUMS store_sums_avx2
#define V_WIDE_TILE
GROUP_KERNEL(group_avx2, ASR_TARGET_AVX2)
#undef VEC
#undef V_WIDTH
#undef V_ZERO
#undef V_LOAD
#undef V_LOADU
#undef V_FMA
#undef V_STORE_SUMS
#undef V_WIDE_TILE

#define HALVES_512(v) _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1))
ASR_TARGET_AVX512 static inline void store_sums_avx512(float *out, __m512 a, __m512 b, __m512 c, __m512 d) {
    const __m256 a8 = HALVES_512(a);
    const __m256 b8 = HALVES_512(b);
    const __m256 c8 = HALVES_512(c);
    const __m256 d8 = HALVES_512(d);
    store_sums_sse(out, HALVES_256(a8), HALVES_256(b8), HALVES_256(c8), HALVES_256(d8));
}

#define VEC __m512
#define V_WIDTH 16
#define V_ZERO _mm512_setzero_ps
#define V_LOAD _mm512_load_ps
#define V_LOADU _mm512_loadu_ps
#define V_FMA _mm512_fmadd_ps
#define V_STORE_SUMS store_sums_avx512
#define V_WIDE_TILE TILE(4)
GROUP_KERNEL(group_avx512, ASR_TARGET_AVX512)
#undef VEC
#undef V_WIDTH
#undef V_ZERO
#undef V_LOAD
#undef V_LOADU
#undef V_FMA
#undef V_STORE_SUMS
#undef V_WIDE_TILE

#elif defined(ASR_ARM)

#define VEC float32x4_t
#define V_WIDTH 4
#define V_ZERO() vdupq_n_f32(0.0f)
#define V_LOAD vld1q_f32
#define V_LOADU vld1q_f32
#define V_FMA(c, v, a) vfmaq_f32(a, c, v)
#define V_STORE_SUMS(out, a, b, c, d) vst1q_f32(out, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)))
#define V_WIDE_TILE TILE(4)
GROUP_KERNEL(group_neon, )

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
#elif defined(ASR_ARM)
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
#elif defined(ASR_ARM)
    case ASR_SIMD_NEON: return group_neon;
#endif
    default: return group_scalar;
    }
}
