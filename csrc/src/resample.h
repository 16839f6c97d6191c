/* The kernels of the resampler: one shape, compiled for each SIMD level. */
#ifndef ASR_DSP_RESAMPLE_H
#define ASR_DSP_RESAMPLE_H

#include <stddef.h>

#include "asr_dsp.h"

/* A group is 4 consecutive outputs, computed from one window of the input with 4 rows of coefficients. */
#define ASR_GROUP_ROWS 4
/* Rows are padded with zeros to whole vectors of the widest level, so that every level sums the same products. */
#define ASR_ROW_MULTIPLE 16

/* For each of `groups` windows x, x + stride, x + 2 stride, ...: the products of the window with the 4 rows.
 * out[i * out_stride + r] is the i-th window times row r. rows: 4 * taps, aligned; taps a multiple of ASR_ROW_MULTIPLE.
 * The sum of one output does not depend on how many groups are computed together. */
typedef void asr_group_kernel(const float *rows, size_t taps, const float *x, size_t stride, size_t groups, float *out,
                              size_t out_stride);

asr_group_kernel *asr_group_kernel_for(asr_simd level);

#endif
