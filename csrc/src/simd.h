/* Which instruction sets a build can choose from when it runs. */
#ifndef ASR_DSP_SIMD_H
#define ASR_DSP_SIMD_H

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* as gcc does in strict C11: products are rounded before they are added, on every processor */
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define ASR_X86 1
#define ASR_AVX2_ONLY __attribute__((target("avx2")))
#define ASR_AVX512_ONLY __attribute__((target("avx512f,avx512dq")))
#elif defined(__aarch64__) && defined(__GNUC__)
#define ASR_NEON 1
#endif

/* A body that is compiled into one function for each instruction set. */
#if defined(__GNUC__)
#define ASR_INLINE static inline __attribute__((always_inline))
#else
#define ASR_INLINE static inline
#endif

#endif
