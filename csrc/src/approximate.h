/* Logarithm and exponential in loops that every compiler turns into vector code, with the same bits on every instruction
 * set. */
#ifndef ASR_DSP_APPROXIMATE_H
#define ASR_DSP_APPROXIMATE_H

#include <stdint.h>
#include <string.h>

#include "simd.h"

/* Limits are set on integers: compilers keep a branch for a float's, and the loop stays scalar. */
ASR_INLINE int32_t asr_limit(int32_t value, int32_t low, int32_t high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

/* The nearest whole number, ties to even, for |value| < 2^22: adding 1.5 * 2^23 leaves it in the low bits. */
ASR_INLINE int32_t asr_round(float value) {
    const float shifted = value + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4B400000;
}

/* e^-x within 2e-7 of itself (and between 2^-60 and 2^60): 2^whole through the exponent of a float, 2^rest by a
 * polynomial (Chebyshev fit on half a unit to either side). */
ASR_INLINE float asr_exp_negative(float x) {
    const float power = x * -1.44269504f;
    const int32_t whole = asr_round(power);
    const float rest = power - (float)whole;
    float p = 0.001340043f;
    p = p * rest + 0.009676037f;
    p = p * rest + 0.055503272f;
    p = p * rest + 0.240221074f;
    p = p * rest + 0.693147207f;
    p = p * rest + 1.000000075f;
    const int32_t bits = (asr_limit(whole, -60, 60) + 127) * (1 << 23);
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* log2, within 2e-6: the exponent, and a polynomial in the rest (Chebyshev fit of log2(1 + m) / m on [0, 1]). */
ASR_INLINE float asr_log2(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const float exponent = (float)((int32_t)(bits >> 23) - 127);
    bits = (bits & 0x007FFFFFu) | 0x3F800000u;
    float m;
    memcpy(&m, &bits, sizeof m);
    m -= 1.0f;
    float p = 0.020490348f;
    p = p * m - 0.096066256f;
    p = p * m + 0.215588541f;
    p = p * m - 0.339247778f;
    p = p * m + 0.477705932f;
    p = p * m - 0.721162734f;
    p = p * m + 1.442693257f;
    return exponent + p * m;
}

#endif
