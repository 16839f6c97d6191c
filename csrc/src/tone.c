/* Telephone tones: dialling keys, ring-back, busy, congestion, special information, fax and modem answer.
 *
 * All of them are one or two steady sinusoids. A sum of two sinusoids obeys
 *
 *     u = a v + b w    with  u = x[n] + x[n-4d],  v = x[n-d] + x[n-3d],  w = x[n-2d]
 *
 * (a line-symmetric predictor; its roots lie on the unit circle, so nothing that decays can pretend to be a tone). White
 * noise adds 2, 2 and 1 times its power to the squares of u, v and w and nothing to their products. So the smallest
 * eigenvalue of their correlations, in these units, is the power of the noise, and its eigenvector gives a and b without
 * bias (Pisarenko, "The retrieval of harmonics from a covariance function", Geophys. J. R. astr. Soc. 33, 1973, with the
 * symmetry put in); the frequencies are the roots of a quadratic equation. Speech leaves much as noise: it has more
 * harmonics than two, and none stands still. So every country's tones are found without a list of them, at any level, with
 * frequencies exact enough for DTMF in 20 ms.
 *
 * d is 2 samples, which is the 8 kHz of the telephone. DTMF: ITU-T Q.23, Q.24. */
#include <math.h>

#include "internal.h"
#include "tone.h"

#define PI 3.14159265358979323846
#define LAG 2
#define C 0.96f
#define LANES 8 /* sums side by side: the compiler makes vectors of them; 160 is a multiple */
#define TELEPHONE_HZ 8000.0
#define FAR_LAG (ASR_TONE_HISTORY / 4)
#define FAR_NOISE 3.0f /* frequencies are not exact, and two near ones were taken for one */
#define DTMF_WINDOW 2
#define DTMF_HITS 2u
#define TONE_HITS 3u
#define QUIETEST 40.0f       /* mean square; -64 dBFS */
#define LOWEST_HZ 300.0f     /* the telephone band; below hums a voice */
#define HIGHEST_HZ 3100.0f
#define STEADY_HZ 0.02f     /* relative change of a frequency between windows */
#define STEADY_POWER 1.5f
#define TONE_NOISE 0.030f    /* -15 dB */
#define DTMF_NOISE 0.020f    /* -17 dB: Q.24 asks for digits in noise, and keys are more than two steady tones */
#define DTMF_TOLERANCE 0.022f /* Q.24: 1.8 % must be accepted, 3 % must not */
#define TWIST 10.0f           /* 10 dB either way */
#define SECOND_GAIN 0.5
#define MINOR 0.02f           /* a second sinusoid with less of the power is no second tone */

static const float ROWS_HZ[4] = {697.0f, 770.0f, 852.0f, 941.0f};
static const float COLUMNS_HZ[4] = {1209.0f, 1336.0f, 1477.0f, 1633.0f};
static const char KEYS[4][4] = {{'1', '2', '3', 'A'}, {'4', '5', '6', 'B'}, {'7', '8', '9', 'C'}, {'*', '0', '#', 'D'}};

void asr_tone_reset(asr_tone *tone) {
    *tone = (asr_tone){0};
}

static void correlate(asr_tone *tone, const int16_t frame[ASR_FRAME_SAMPLES]) {
    memmove(tone->samples, tone->samples + ASR_FRAME_SAMPLES, ASR_TONE_HISTORY * sizeof(float));
    float *newest = tone->samples + ASR_TONE_HISTORY;
    /* high-pass at 100 Hz (an offset would be a third sinusoid): y[n] = c y[n-1] + x[n] - x[n-1], written over four steps
     * at a time, for each step would wait for the one before */
    float steps[3 + ASR_FRAME_SAMPLES];
    memcpy(steps, tone->steps, sizeof tone->steps);
    steps[3] = (float)frame[0] - tone->last;
    for (size_t i = 1; i < ASR_FRAME_SAMPLES; i++) {
        steps[3 + i] = (float)(frame[i] - frame[i - 1]);
    }
    float sum[ASR_FRAME_SAMPLES];
    for (size_t i = 0; i < ASR_FRAME_SAMPLES; i++) {
        sum[i] = steps[i + 3] + C * steps[i + 2] + C * C * steps[i + 1] + C * C * C * steps[i];
    }
    for (size_t i = 0; i < ASR_FRAME_SAMPLES; i += 4) {
        for (size_t j = 0; j < 4; j++) {
            newest[i + j] = C * C * C * C * newest[(ptrdiff_t)(i + j) - 4] + sum[i + j];
        }
    }
    tone->last = frame[ASR_FRAME_SAMPLES - 1];
    memcpy(tone->steps, steps + ASR_FRAME_SAMPLES, sizeof tone->steps);
    const float *x = newest - 4 * LAG;
    float sums[6][LANES] = {{0.0f}};
    for (size_t i = 0; i < ASR_FRAME_SAMPLES; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            const float *at = x + i + j;
            const float u = at[0] + at[4 * LAG];
            const float v = at[LAG] + at[3 * LAG];
            const float w = at[2 * LAG];
            sums[0][j] += u * u;
            sums[1][j] += u * v;
            sums[2][j] += u * w;
            sums[3][j] += v * v;
            sums[4][j] += v * w;
            sums[5][j] += w * w;
        }
    }
    double totals[6] = {0.0};
    for (size_t k = 0; k < 6; k++) {
        for (size_t j = 0; j < LANES; j++) {
            totals[k] += (double)sums[k][j];
        }
    }
    tone->sums[tone->frames % ASR_TONE_WINDOW] = (asr_tone_sums){
        .uu = totals[0], .uv = totals[1], .uw = totals[2], .vv = totals[3], .vw = totals[4], .ww = totals[5]};
    tone->frames++;
}

static float hz_of(double two_cosines) {
    return (float)(acos(0.5 * two_cosines) * TELEPHONE_HZ / (2.0 * PI));
}

/* The smallest eigenvalue of the correlations of u / sqrt 2, v / sqrt 2 and w, and the predictor in its eigenvector
 * (Smith, "Eigenvalues of a symmetric 3 x 3 matrix", CACM 4(4), 1961). Infinity where there is no predictor. */
static double smallest_eigenvalue(const asr_tone_sums *s, double *a, double *b) {
    const double m00 = 0.5 * s->uu, m01 = 0.5 * s->uv, m02 = s->uw * sqrt(0.5);
    const double m11 = 0.5 * s->vv, m12 = s->vw * sqrt(0.5), m22 = s->ww;
    const double mean = (m00 + m11 + m22) / 3.0;
    const double d0 = m00 - mean, d1 = m11 - mean, d2 = m22 - mean;
    const double spread = sqrt((d0 * d0 + d1 * d1 + d2 * d2 + 2.0 * (m01 * m01 + m02 * m02 + m12 * m12)) / 6.0);
    if (!(spread > 1e-12 * mean)) {
        return HUGE_VAL;
    }
    const double determinant = d0 * (d1 * d2 - m12 * m12) - m01 * (m01 * d2 - m12 * m02) + m02 * (m01 * m12 - d1 * m02);
    const double cosine = fmin(1.0, fmax(-1.0, determinant / (2.0 * spread * spread * spread)));
    const double value = mean + 2.0 * spread * cos(acos(cosine) / 3.0 + 2.0 * PI / 3.0);
    /* the eigenvector is orthogonal to the rows of the matrix less the value: the longest of their products */
    const double e0 = m00 - value, e1 = m11 - value, e2 = m22 - value;
    const double products[3][3] = {
        {m01 * m12 - m02 * e1, m02 * m01 - e0 * m12, e0 * e1 - m01 * m01},
        {m01 * e2 - m02 * m12, m02 * m02 - e0 * e2, e0 * m12 - m01 * m02},
        {e1 * e2 - m12 * m12, m12 * m02 - m01 * e2, m01 * m12 - e1 * m02},
    };
    const double *vector = products[0];
    double longest = 0.0;
    for (size_t i = 0; i < 3; i++) {
        const double *p = products[i];
        const double length = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
        if (length > longest) {
            longest = length;
            vector = p;
        }
    }
    if (!(vector[0] * vector[0] > 1e-12 * longest)) {
        return HUGE_VAL;
    }
    *a = -vector[1] / vector[0];
    *b = -vector[2] / vector[0] * sqrt(2.0);
    return value;
}

/* The two sinusoids of a predictor: s^2 - a s - (b + 2) = 0 for s = twice the cosine. */
static int split(const asr_tone_sums *s, double a, double b, double count, asr_tone_pair *pair) {
    const double root = a * a + 4.0 * (2.0 + b);
    if (!(root > 0.0)) {
        return 0;
    }
    const double low = 0.5 * (a + sqrt(root)); /* the larger cosine belongs to the lower frequency */
    const double high = 0.5 * (a - sqrt(root));
    if (low >= 2.0 || high <= -2.0) {
        return 0;
    }
    /* v - high w is free of the higher one, and the lower one is in it (low - high) times */
    const double apart = (low - high) * (low - high) * count;
    *pair = (asr_tone_pair){
        .low_hz = hz_of(low),
        .high_hz = hz_of(high),
        .low_power = (float)((s->vv - 2.0 * high * s->vw + high * high * s->ww) / apart),
        .high_power = (float)((s->vv - 2.0 * low * s->vw + low * low * s->ww) / apart),
    };
    const float total = pair->low_power + pair->high_power;
    return pair->low_hz >= LOWEST_HZ && pair->high_hz <= HIGHEST_HZ && pair->low_power > MINOR * total &&
           pair->high_power > MINOR * total;
}

/* A vowel whose power lies in one narrow formant is predicted well over 1 ms, but not over 3.5 ms: only a sinusoid goes on
 * as its frequency says. The same relations between samples far apart, with a and b from the frequencies. */
static int goes_on(const asr_tone *tone, const asr_tone_pair *pair, float most_noise) {
    const double low = 2.0 * cos(2.0 * PI * (double)pair->low_hz * FAR_LAG / ASR_RATE_HZ);
    const double high = pair->high_hz > 0.0f ? 2.0 * cos(2.0 * PI * (double)pair->high_hz * FAR_LAG / ASR_RATE_HZ) : 0.0;
    const int single = !(pair->high_hz > 0.0f);
    const float a = (float)(low + high);
    const float b = (float)(-2.0 - low * high);
    const float *x = tone->samples;
    double left = 0.0;
    for (size_t i = 0; i < ASR_FRAME_SAMPLES; i++) {
        const float v = x[i + FAR_LAG] + x[i + 3 * FAR_LAG];
        const float rest = single ? v - a * x[i + 2 * FAR_LAG] : x[i] + x[i + 4 * FAR_LAG] - a * v - b * x[i + 2 * FAR_LAG];
        left += (double)(rest * rest);
    }
    const float gain = single ? 2.0f + a * a : 2.0f + 2.0f * a * a + b * b;
    const double power = (double)pair->low_power + (double)pair->high_power;
    return left < (double)(FAR_NOISE * most_noise * gain) * power * ASR_FRAME_SAMPLES;
}

/* What the newest `window` frames hold, if it is a tone with less than `most_noise` beside it. */
static int find_tone(const asr_tone *tone, uint32_t window, float most_noise, asr_tone_pair *pair) {
    if (tone->frames < window) {
        return 0;
    }
    asr_tone_sums s = {0};
    for (uint32_t i = 1; i <= window; i++) {
        const asr_tone_sums *frame = &tone->sums[(tone->frames - i) % ASR_TONE_WINDOW];
        s.uu += frame->uu;
        s.uv += frame->uv;
        s.uw += frame->uw;
        s.vv += frame->vv;
        s.vw += frame->vw;
        s.ww += frame->ww;
    }
    const double count = (double)window * ASR_FRAME_SAMPLES;
    if (s.ww < QUIETEST * count) {
        return 0;
    }
    /* one sinusoid: v = c w, and the noise in v is twice that in w */
    const double half_sum = 0.5 * (0.5 * s.vv + s.ww);
    const double half_difference = 0.5 * (0.5 * s.vv - s.ww);
    const double one_left = half_sum - sqrt(half_difference * half_difference + 0.5 * s.vw * s.vw);
    double a = 0.0;
    double b = 0.0;
    const double two_left = smallest_eigenvalue(&s, &a, &b);
    /* two near ones look much like one; what is really one leaves as much to two */
    if (two_left < SECOND_GAIN * one_left && two_left < most_noise * s.ww && split(&s, a, b, count, pair)) {
        return goes_on(tone, pair, most_noise);
    }
    if (one_left < most_noise * s.ww) {
        const double c = s.vw / (s.ww - one_left);
        *pair = (asr_tone_pair){.low_hz = hz_of(c), .low_power = (float)(s.ww / count)};
        return fabs(c) < 2.0 && pair->low_hz >= LOWEST_HZ && pair->low_hz <= HIGHEST_HZ && goes_on(tone, pair, most_noise);
    }
    return 0;
}

static int index_of(const float frequencies_hz[4], float hz) {
    for (int i = 0; i < 4; i++) {
        if (fabsf(hz - frequencies_hz[i]) < DTMF_TOLERANCE * frequencies_hz[i]) {
            return i;
        }
    }
    return -1;
}

static char key_of(const asr_tone_pair *pair) {
    const int row = index_of(ROWS_HZ, pair->low_hz);
    const int column = index_of(COLUMNS_HZ, pair->high_hz);
    const int balanced = pair->low_power < TWIST * pair->high_power && pair->high_power < TWIST * pair->low_power;
    return row >= 0 && column >= 0 && balanced ? KEYS[row][column] : 0;
}

/* The mean frequency, which does not care whether two near tones were told apart. */
static float centre_hz(const asr_tone_pair *pair) {
    return (pair->low_hz * pair->low_power + pair->high_hz * pair->high_power) / (pair->low_power + pair->high_power);
}

static int is_same(const asr_tone_pair *now, const asr_tone_pair *before) {
    const float power = now->low_power + now->high_power;
    const float power_before = before->low_power + before->high_power;
    return fabsf(centre_hz(now) - centre_hz(before)) <= STEADY_HZ * centre_hz(before) &&
           power < STEADY_POWER * power_before && power_before < STEADY_POWER * power;
}

/* A key is down from its first window on; it is let go when two windows did not hold it. */
static void follow_key(asr_tone *tone, int steady, asr_tone_result *result) {
    const int64_t now = (int64_t)tone->frames;
    if (tone->pressed != 0 && tone->key != tone->pressed) {
        tone->missed++;
        if (tone->missed == DTMF_HITS || tone->key == tone->key_before) {
            result->key = tone->pressed;
            result->key_start = tone->pressed_frame;
            result->key_end = now - tone->missed;
            tone->pressed = 0;
        }
    } else {
        tone->missed = 0;
    }
    if (tone->pressed == 0 && steady && tone->key == tone->key_before) {
        tone->pressed = tone->key;
        tone->pressed_frame = now - DTMF_WINDOW - 1;
        tone->missed = 0;
    }
}

asr_tone_result asr_tone_process(asr_tone *tone, const int16_t frame[ASR_FRAME_SAMPLES]) {
    asr_tone_result result = {0};
    correlate(tone, frame);

    asr_tone_pair pair;
    tone->key_before = tone->key;
    tone->key = find_tone(tone, DTMF_WINDOW, DTMF_NOISE, &pair) ? key_of(&pair) : 0;
    follow_key(tone, tone->key != 0 && is_same(&pair, &tone->key_pair), &result);
    if (tone->key != 0) {
        tone->key_pair = pair;
    }
    if (tone->pressed != 0) {
        result.tone_frames = DTMF_WINDOW + DTMF_HITS; /* and the one in which it began */
    }

    if (find_tone(tone, ASR_TONE_WINDOW, TONE_NOISE, &pair)) {
        tone->run = tone->run > 0 && is_same(&pair, &tone->before) ? tone->run + 1 : 1;
        tone->before = pair;
    } else {
        tone->run = 0;
    }
    if (tone->run >= TONE_HITS) {
        result.tone_frames = ASR_TONE_WINDOW + TONE_HITS;
    }
    return result;
}

asr_tone_result asr_tone_finish(asr_tone *tone) {
    asr_tone_result result = {0};
    if (tone->pressed != 0) {
        result = (asr_tone_result){
            .key = tone->pressed, .key_start = tone->pressed_frame, .key_end = (int64_t)tone->frames - tone->missed};
        tone->pressed = 0;
    }
    return result;
}
