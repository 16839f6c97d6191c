/* ITU-T G.711: A-law (table 1/G.711, even bits inverted) and mu-law (table 2/G.711), 13 and 14 bits wide, here
 * left-aligned in 16 bits as everybody does. Decoding reproduces the tables; encoding takes the decision thresholds of
 * the tables, which for 16-bit input is truncation to 13 (A) or 14 (mu) bits in sign and magnitude. */
#include "asr_dsp.h"

static int16_t ulaw_value(uint8_t code) {
    code = (uint8_t)~code;
    int magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
    return (int16_t)((code & 0x80) ? -magnitude : magnitude);
}

static int16_t alaw_value(uint8_t code) {
    code ^= 0x55;
    int exponent = (code >> 4) & 7;
    int magnitude = ((code & 0x0F) << 4) + 8;
    if (exponent > 0) {
        magnitude = (magnitude + 0x100) << (exponent - 1);
    }
    return (int16_t)((code & 0x80) ? magnitude : -magnitude);
}

void asr_ulaw_decode(const uint8_t *in, size_t count, int16_t *out) {
    for (size_t i = 0; i < count; i++) {
        out[i] = ulaw_value(in[i]);
    }
}

void asr_alaw_decode(const uint8_t *in, size_t count, int16_t *out) {
    for (size_t i = 0; i < count; i++) {
        out[i] = alaw_value(in[i]);
    }
}

/* Position of the highest set bit of value >> 7: the segment of a 15-bit magnitude, 0..7. */
static int segment(int magnitude) {
    int exponent = 0;
    for (int rest = magnitude >> 8; rest > 0 && exponent < 7; rest >>= 1) {
        exponent++;
    }
    return exponent;
}

void asr_ulaw_encode(const int16_t *in, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        int sign = in[i] < 0 ? 0x80 : 0;
        /* 14 bits in sign and magnitude; -1 >> 2 in two's complement is the magnitude ones' complement G.191 uses */
        int magnitude = (in[i] < 0 ? (~in[i]) >> 2 : in[i] >> 2) + 33;
        if (magnitude > 0x1FFF) {
            magnitude = 0x1FFF;
        }
        int exponent = segment(magnitude << 2);
        int mantissa = (magnitude >> (exponent + 1)) & 0x0F;
        out[i] = (uint8_t)~(sign | (exponent << 4) | mantissa);
    }
}

void asr_alaw_encode(const int16_t *in, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        int sign = in[i] < 0 ? 0 : 0x80;
        int magnitude = in[i] < 0 ? (~in[i]) >> 4 : in[i] >> 4;
        int code = magnitude;
        if (magnitude > 15) {
            int exponent = segment(magnitude << 4);
            code = (exponent << 4) | ((magnitude >> (exponent - 1)) & 0x0F);
        }
        out[i] = (uint8_t)((sign | code) ^ 0x55);
    }
}
