/* Power spectrum of 512 samples: a complex transform of half the length (even samples as real, odd as imaginary part)
 * in radix 4, written for the vectoriser: separate real and imaginary arrays, no branches, fixed bounds. Every build
 * computes the same bits. */
#ifndef ASR_DSP_SPECTRUM_H
#define ASR_DSP_SPECTRUM_H

#include "simd.h"
#include "vad_features.h"

#define ASR_SPECTRUM_HALF 256 /* length of the complex transform */

/* One radix-4 butterfly of the Stockham transform (self-sorting, decimation in frequency): element q of the four
 * quarters to elements to, to + run, ... of the output, turned by c - i s and its square and cube. */
#define ASR_BUTTERFLY(q, to, run, c1, s1)                                                                       \
    do {                                                                                                    \
        const float c2 = (c1) * (c1) - (s1) * (s1), s2 = 2.0f * (c1) * (s1);                                \
        const float c3 = (c1)*c2 - (s1)*s2, s3 = (c1)*s2 + (s1)*c2;                                         \
        const float r0 = re[q] + re[(q) + 2u * quarter], i0 = im[q] + im[(q) + 2u * quarter];               \
        const float r1 = re[q] - re[(q) + 2u * quarter], i1 = im[q] - im[(q) + 2u * quarter];               \
        const float r2 = re[(q) + quarter] + re[(q) + 3u * quarter];                                        \
        const float i2 = im[(q) + quarter] + im[(q) + 3u * quarter];                                        \
        const float r3 = im[(q) + quarter] - im[(q) + 3u * quarter];                                        \
        const float i3 = re[(q) + 3u * quarter] - re[(q) + quarter];                                        \
        const float ur = r1 + r3, ui = i1 + i3, vr = r0 - r2, vi = i0 - i2, wr = r1 - r3, wi = i1 - i3;     \
        out_re[to] = r0 + r2;                                                                               \
        out_im[to] = i0 + i2;                                                                               \
        out_re[(to) + (run)] = ur * (c1) + ui * (s1);                                                       \
        out_im[(to) + (run)] = ui * (c1) - ur * (s1);                                                       \
        out_re[(to) + 2u * (run)] = vr * c2 + vi * s2;                                                      \
        out_im[(to) + 2u * (run)] = vi * c2 - vr * s2;                                                      \
        out_re[(to) + 3u * (run)] = wr * c3 + wi * s3;                                                      \
        out_im[(to) + 3u * (run)] = wi * c3 - wr * s3;                                                      \
    } while (0)

/* The first step: every butterfly has its own root; `quarter` of them, vectorised across roots. */
ASR_INLINE void asr_radix4_first(const float *restrict re, const float *restrict im, float *restrict out_re,
                                float *restrict out_im, unsigned quarter, const float *restrict cosine,
                                const float *restrict sine) {
    for (unsigned p = 0; p < quarter; p++)
        ASR_BUTTERFLY(p, 4u * p, 1u, cosine[p], sine[p]);
}

/* A later step: `groups` roots, each for `run` consecutive elements; vectorised across those. */
ASR_INLINE void asr_radix4(const float *restrict re, const float *restrict im, float *restrict out_re,
                          float *restrict out_im, unsigned groups, unsigned run) {
    const unsigned quarter = groups * run;
    for (unsigned p = 0; p < groups; p++) {
        const float c1 = asr_feature_cosine[p * (128u / groups)], s1 = asr_feature_sine[p * (128u / groups)];
        for (unsigned q = 0; q < run; q++)
            ASR_BUTTERFLY(p * run + q, 4u * p * run + q, run, c1, s1);
    }
}

/* Power of bins 0..256 of 512 real values, given as even samples (re) and odd ones (im), which are overwritten.
 * X[k] = E[k] + W^k O[k], where E and O, the spectra of the even and odd samples, are the symmetric parts of Z. */
ASR_INLINE void asr_spectrum(float *restrict re, float *restrict im, float *restrict power) {
    float re2[ASR_SPECTRUM_HALF], im2[ASR_SPECTRUM_HALF];
    asr_radix4_first(re, im, re2, im2, 64, asr_feature_root256_cosine, asr_feature_root256_sine);
    asr_radix4(re2, im2, re, im, 16, 4);
    asr_radix4(re, im, re2, im2, 4, 16);
    asr_radix4(re2, im2, re, im, 1, 64);
    power[0] = (re[0] + im[0]) * (re[0] + im[0]);
    power[ASR_SPECTRUM_HALF] = (re[0] - im[0]) * (re[0] - im[0]);
    for (unsigned k = 1; k < ASR_SPECTRUM_HALF; k++) {
        const float even_re = re[k] + re[ASR_SPECTRUM_HALF - k], even_im = im[k] - im[ASR_SPECTRUM_HALF - k];
        const float odd_re = im[k] + im[ASR_SPECTRUM_HALF - k], odd_im = re[ASR_SPECTRUM_HALF - k] - re[k];
        const float c = asr_feature_cosine[k], s = asr_feature_sine[k];
        const float x_re = even_re + (odd_re * c + odd_im * s), x_im = even_im + (odd_im * c - odd_re * s);
        power[k] = 0.25f * (x_re * x_re + x_im * x_im);
    }
}

#endif
