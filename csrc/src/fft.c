/* Fourier transform of real samples: a complex transform of half the length over pairs of samples (radix 2, decimation in
 * time, in place), and one pass that takes the two interleaved spectra apart. Sorensen, Jones, Heideman, Burrus,
 * "Real-valued fast Fourier transform algorithms", IEEE TASSP 35(6), 1987. */
#include "fft.h"

#include <math.h>

#define PI 3.14159265358979323846

void asr_fft_init(asr_fft *fft, uint32_t size, float *twiddles) {
    fft->size = size;
    fft->twiddles = twiddles;
    for (uint32_t k = 0; k < size / 2; k++) {
        twiddles[2 * k] = (float)cos(2.0 * PI * k / size);
        twiddles[2 * k + 1] = (float)sin(2.0 * PI * k / size);
    }
}

static void reverse_bits(float *data, uint32_t count) {
    for (uint32_t i = 1, j = 0; i < count; i++) {
        uint32_t bit = count >> 1;
        for (; (j & bit) != 0; bit >>= 1) {
            j ^= bit;
        }
        j ^= bit;
        if (i < j) {
            const float re = data[2 * i];
            const float im = data[2 * i + 1];
            data[2 * i] = data[2 * j];
            data[2 * i + 1] = data[2 * j + 1];
            data[2 * j] = re;
            data[2 * j + 1] = im;
        }
    }
}

static void transform(const asr_fft *fft, float *data, uint32_t count) {
    reverse_bits(data, count);
    for (uint32_t half = 1; half < count; half *= 2) {
        const uint32_t stride = fft->size / (2 * half); /* the table is of the real size, twice `count` */
        for (uint32_t k = 0; k < half; k++) {
            const float c = fft->twiddles[2 * (size_t)k * stride];
            const float s = fft->twiddles[2 * (size_t)k * stride + 1];
            for (uint32_t i = k; i < count; i += 2 * half) {
                float *a = data + 2 * (size_t)i;
                float *b = data + 2 * ((size_t)i + half);
                const float re = c * b[0] + s * b[1];
                const float im = c * b[1] - s * b[0];
                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] += re;
                a[1] += im;
            }
        }
    }
}

void asr_fft_forward(const asr_fft *fft, float *data) {
    const uint32_t count = fft->size / 2;
    transform(fft, data, count);
    const float first = data[0];
    data[0] = first + data[1];
    data[1] = first - data[1];
    for (uint32_t k = 1; k <= count / 2; k++) {
        float *a = data + 2 * (size_t)k;
        float *b = data + 2 * ((size_t)count - k);
        const float c = fft->twiddles[2 * k];
        const float s = fft->twiddles[2 * k + 1];
        /* spectra of the even and of the odd samples */
        const float even_re = 0.5f * (a[0] + b[0]);
        const float even_im = 0.5f * (a[1] - b[1]);
        const float odd_re = 0.5f * (a[1] + b[1]);
        const float odd_im = 0.5f * (b[0] - a[0]);
        const float re = c * odd_re + s * odd_im;
        const float im = c * odd_im - s * odd_re;
        a[0] = even_re + re;
        a[1] = even_im + im;
        b[0] = even_re - re;
        b[1] = im - even_im;
    }
}
