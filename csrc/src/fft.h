#ifndef ASR_DSP_FFT_H
#define ASR_DSP_FFT_H

#include <stddef.h>
#include <stdint.h>

#define ASR_FFT_MIN 8u
#define ASR_FFT_MAX 8192u

/* A transform of `size` real samples, a power of two. twiddles: size floats of the caller's. */
typedef struct asr_fft {
    uint32_t size;
    float *twiddles; /* cos and sin of 2 pi k / size for k < size / 2 */
} asr_fft;

void asr_fft_init(asr_fft *fft, uint32_t size, float *twiddles);
/* In place: size samples become size / 2 complex numbers, real and imaginary part in turn; the real parts at 0 and at half
 * the sample rate share the first place. */
void asr_fft_forward(const asr_fft *fft, float *data);

#endif
