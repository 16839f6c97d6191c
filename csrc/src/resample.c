/* Polyphase resampling by a rational ratio L/M with a linear-phase Kaiser-windowed sinc.
 *
 * Output n lies at input time n M / L: its integer part says where the window begins, its fraction which row of
 * coefficients is used. Both follow from integers, so no error accumulates however long the stream. Outputs are
 * computed in groups of 4 (simd.c); every lcm(L, 4) outputs the groups use the same rows again. Ratios with too many
 * phases for that (7999 Hz) have 64 phases instead, and each output is interpolated between the 4 nearest: at 64 phases a
 * cubic is exact to 2 (pi / 64)^4 / 128 = -141 dB.
 *
 * Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974, gives window and length.
 */
#include <math.h>

#include "internal.h"
#include "resample.h"

#define PI 3.14159265358979323846
/* Input taken in one step, and output made in one: bounds of the state, large enough that steps cost nothing. */
#define STEP_INPUT 1024u
#define STEP_OUTPUT 1024u
#define MAX_RATE_HZ 768000u
/* The 640 phases of 11.025 kHz take 0.36 MiB, the most of all rates in use; larger tables would leave the cache. */
#define MAX_DIRECT_FLOATS (1u << 18)
#define INTERPOLATED_PHASES 64u
#define MAX_TAPS 8192u

struct asr_resampler_table {
    uint32_t in_rate_hz, out_rate_hz;
    asr_quality quality;
    uint32_t up, down;      /* L and M, without common factor */
    uint32_t distinct;      /* groups with rows of their own; 0 where outputs are interpolated */
    uint32_t period;        /* outputs until the rows repeat, */
    uint32_t advance;       /* and input samples in that time */
    uint32_t half;          /* an output needs this many samples after its position, and half - 1 before */
    uint32_t taps;          /* length of a row, a multiple of ASR_ROW_MULTIPLE */
    uint32_t row_count;
    const float *rows;      /* row_count x taps: 4 for each group, or phases -1 ... INTERPOLATED_PHASES + 1 */
    const uint32_t *starts; /* distinct: input position of a group's first output, within its cycle */
};

struct asr_resampler {
    atomic_flag busy;
    const asr_resampler_table *table;
    asr_group_kernel *kernel;
    float *buffer;     /* input from position `origin` on; cells past `fill` are finite */
    size_t capacity;   /* of buffer */
    size_t fill;
    uint32_t position; /* of the next output in its period */
    int64_t origin;    /* input position of buffer[0], relative to the start of the cycle */
    uint64_t taken;    /* input samples so far */
    uint64_t made;     /* output samples so far */
    int flushing;
};

typedef struct design {
    double stop_db;
    double pass; /* edges in parts of the lower Nyquist frequency */
    double stop;
} design;

static const design DESIGNS[] = {
    [ASR_QUALITY_DEFAULT] = {98.0, 0.90, 1.00},
    [ASR_QUALITY_FAST] = {60.0, 0.85, 1.15},
    [ASR_QUALITY_BEST] = {110.0, 0.93, 1.00},
};

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b) {
    while (b != 0) {
        const uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void asr_resampler_defaults(asr_resampler_config *config) {
    *config = (asr_resampler_config){.struct_size = sizeof *config, .in_rate_hz = 8000, .out_rate_hz = ASR_RATE_HZ};
}

static int is_passthrough(const asr_resampler_table *table) {
    return table->up == 1 && table->down == 1;
}

/* Everything about the table but its coefficients. */
static int plan(const asr_resampler_config *config, asr_resampler_table *table) {
    if (config == NULL || config->struct_size != sizeof *config || (int)config->quality < 0 ||
        config->quality > ASR_QUALITY_BEST) {
        return ASR_E_ARGUMENT;
    }
    const uint32_t in = config->in_rate_hz;
    const uint32_t out = config->out_rate_hz;
    if (in == 0 || out == 0 || in > MAX_RATE_HZ || out > MAX_RATE_HZ) {
        return ASR_E_RATE;
    }
    const uint32_t divisor = greatest_common_divisor(in, out);
    const uint32_t up = out / divisor;
    const uint32_t down = in / divisor;
    const design *wanted = &DESIGNS[config->quality];
    const double transition = (wanted->stop - wanted->pass) * 0.5 * (in < out ? in : out) / in; /* cycles per sample */
    const double length = (wanted->stop_db - 7.95) / (14.36 * transition) + 1.0;
    /* the fourth output of a group begins at most this many samples after the first */
    uint64_t shift = ((uint64_t)(ASR_GROUP_ROWS - 1) * down + up - 1) / up;
    if (length + (double)shift > MAX_TAPS) {
        return ASR_E_RATE;
    }
    uint32_t period = up / greatest_common_divisor(up, ASR_GROUP_ROWS) * ASR_GROUP_ROWS;
    const int direct = (double)period * (length + (double)shift) < MAX_DIRECT_FLOATS;
    if (!direct) {
        period = up;
        shift = 0;
    }
    /* The nearest whole number of vectors, and then the longest filter that fits: padding would be work for nothing. */
    uint32_t taps = ((uint32_t)length + (uint32_t)shift + ASR_ROW_MULTIPLE / 2) / ASR_ROW_MULTIPLE * ASR_ROW_MULTIPLE;
    if (taps < shift + 2) {
        taps += ASR_ROW_MULTIPLE;
    }
    *table = (asr_resampler_table){
        .in_rate_hz = in,
        .out_rate_hz = out,
        .quality = config->quality,
        .up = up,
        .down = down,
        .distinct = direct ? period / ASR_GROUP_ROWS : 0,
        .period = period,
        .advance = (uint32_t)((uint64_t)period * down / up),
        .half = (taps - (uint32_t)shift) / 2,
        .taps = taps,
        .row_count = direct ? period : INTERPOLATED_PHASES + 3,
    };
    if (is_passthrough(table)) {
        table->half = 0;
        table->taps = 0;
        table->row_count = 0;
    }
    return ASR_OK;
}

static size_t table_bytes(const asr_resampler_table *table) {
    return ASR_ALIGN + asr_align_up(sizeof *table) +
           asr_align_up((size_t)table->row_count * table->taps * sizeof(float)) +
           asr_align_up(table->distinct * sizeof(uint32_t));
}

size_t asr_resampler_table_size(const asr_resampler_config *config) {
    asr_resampler_table table;
    return plan(config, &table) == ASR_OK ? table_bytes(&table) : 0;
}

/* Modified Bessel function of order zero, by its power series. */
static double bessel_i0(double x) {
    double sum = 1.0;
    double term = 1.0;
    for (int k = 1; term > sum * 1e-17; k++) {
        term *= (x * x) / (4.0 * k * k);
        sum += term;
    }
    return sum;
}

/* One row: the filter for an output `fraction` of a sample after the row's sample number shift + half - 1. */
static void design_row(const asr_resampler_table *table, double fraction, uint32_t shift, float *row) {
    const design *wanted = &DESIGNS[table->quality];
    const double nyquist = 0.5 * (table->in_rate_hz < table->out_rate_hz ? table->in_rate_hz : table->out_rate_hz) /
                           table->in_rate_hz;
    const double cutoff = 0.5 * (wanted->pass + wanted->stop) * nyquist;
    const double stop_db = 7.95 + 14.36 * (wanted->stop - wanted->pass) * nyquist * (2.0 * table->half - 1.0);
    const double beta = stop_db > 50.0 ? 0.1102 * (stop_db - 8.7) : 0.5842 * pow(stop_db - 21.0, 0.4) + 0.07886 * (stop_db - 21.0);
    const double scale = bessel_i0(beta);
    double sum = 0.0;
    float *tap = row + shift;
    for (uint32_t k = 0; k < 2 * table->half; k++) {
        const double t = (double)k - (table->half - 1.0) - fraction;
        const double place = t / table->half;
        const double x = 2.0 * PI * cutoff * t;
        const double inside = 1.0 - place * place;
        const double value = (fabs(x) < 1e-9 ? 1.0 : sin(x) / x) * bessel_i0(beta * sqrt(inside > 0.0 ? inside : 0.0)) / scale;
        tap[k] = (float)value;
        sum += value;
    }
    for (uint32_t k = 0; k < 2 * table->half; k++) {
        tap[k] = (float)(tap[k] / sum); /* every phase passes a constant unchanged */
    }
}

int asr_resampler_table_init(void *memory, size_t size, const asr_resampler_config *config) {
    asr_resampler_table planned;
    const int status = plan(config, &planned);
    if (status != ASR_OK) {
        return status;
    }
    if (memory == NULL || size < table_bytes(&planned)) {
        return ASR_E_MEMORY;
    }
    /* the table stands at `memory` itself; what must be aligned follows */
    unsigned char *place = asr_align_pointer((unsigned char *)memory + sizeof planned);
    float *rows = (float *)(void *)place;
    const size_t row_floats = (size_t)planned.row_count * planned.taps;
    uint32_t *starts = (uint32_t *)(void *)(place + asr_align_up(row_floats * sizeof(float)));
    memset(rows, 0, row_floats * sizeof(float));
    if (planned.distinct == 0) {
        for (uint32_t row = 0; row < planned.row_count; row++) {
            design_row(&planned, ((double)row - 1.0) / INTERPOLATED_PHASES, 0, rows + (size_t)row * planned.taps);
        }
    }
    for (uint32_t group = 0; group < planned.distinct && planned.row_count > 0; group++) {
        const uint64_t first = (uint64_t)group * ASR_GROUP_ROWS * planned.down / planned.up;
        starts[group] = (uint32_t)first;
        for (uint32_t r = 0; r < ASR_GROUP_ROWS; r++) {
            const uint64_t time = ((uint64_t)group * ASR_GROUP_ROWS + r) * planned.down; /* in 1/up samples */
            design_row(&planned, (double)(time % planned.up) / planned.up, (uint32_t)(time / planned.up - first),
                       rows + ((size_t)group * ASR_GROUP_ROWS + r) * planned.taps);
        }
    }
    planned.rows = rows;
    planned.starts = starts;
    memcpy(memory, &planned, sizeof planned);
    return ASR_OK;
}

static size_t buffer_floats(const asr_resampler_table *table) {
    /* what an output still needs, a step, and cells that zero coefficients reach into */
    return 2 * ((size_t)table->taps + ASR_ROW_MULTIPLE) + STEP_INPUT;
}

static size_t resampler_bytes(const asr_resampler_table *table, int with_table) {
    return ASR_ALIGN + asr_align_up(sizeof(asr_resampler)) + asr_align_up(buffer_floats(table) * sizeof(float)) +
           (with_table ? asr_align_up(table_bytes(table)) : 0);
}

size_t asr_resampler_size(const asr_resampler_config *config) {
    asr_resampler_table table;
    return plan(config, &table) == ASR_OK ? resampler_bytes(&table, config->table == NULL) : 0;
}

void asr_resampler_reset(asr_resampler *resampler) {
    const asr_resampler_table *table = resampler->table;
    /* before the first sample lies silence */
    resampler->fill = table->half > 0 ? table->half - 1 : 0;
    resampler->origin = -(int64_t)resampler->fill;
    memset(resampler->buffer, 0, resampler->capacity * sizeof(float));
    resampler->position = 0;
    resampler->taken = 0;
    resampler->made = 0;
    resampler->flushing = 0;
}

int asr_resampler_init(void *memory, size_t size, const asr_resampler_config *config) {
    asr_resampler_table planned;
    const int status = plan(config, &planned);
    if (status != ASR_OK) {
        return status;
    }
    if (memory == NULL || size < resampler_bytes(&planned, config->table == NULL)) {
        return ASR_E_MEMORY;
    }
    if (!asr_simd_available(config->simd)) {
        return ASR_E_ARGUMENT;
    }
    const asr_resampler_table *table = config->table;
    if (table != NULL && (table->up != planned.up || table->down != planned.down || table->quality != planned.quality)) {
        return ASR_E_ARGUMENT;
    }
    asr_resampler *resampler = memory;
    unsigned char *place = asr_align_pointer((unsigned char *)memory + sizeof *resampler);
    if (table == NULL) {
        unsigned char *own = place + asr_align_up(buffer_floats(&planned) * sizeof(float));
        const int made = asr_resampler_table_init(own, table_bytes(&planned), config);
        if (made != ASR_OK) {
            return made;
        }
        table = (const asr_resampler_table *)(void *)own;
    }
    *resampler = (asr_resampler){
        .busy = ATOMIC_FLAG_INIT,
        .table = table,
        .kernel = asr_group_kernel_for(config->simd),
        .buffer = (float *)(void *)place,
        .capacity = buffer_floats(&planned),
    };
    asr_resampler_reset(resampler);
    return ASR_OK;
}

ASR_DEFINE_HEAP(asr_resampler)

double asr_resampler_delay_s(const asr_resampler *resampler) {
    return (double)resampler->table->half / resampler->table->in_rate_hz;
}

/* --- one step ------------------------------------------------------------------------------------------------- */

/* How many outputs have all their input in the buffer, up to `room`. */
static size_t outputs_ready(const asr_resampler *resampler, size_t room) {
    const asr_resampler_table *table = resampler->table;
    /* output q of this cycle lies at q M / L and needs samples up to floor(q M / L) + half: q M / L < end - half */
    const int64_t end = resampler->origin + (int64_t)resampler->fill - (int64_t)table->half;
    if (end <= 0) {
        return 0;
    }
    const uint64_t bound = ((uint64_t)end * table->up + table->down - 1) / table->down; /* the first q that is not ready */
    if (bound <= resampler->position) {
        return 0;
    }
    const uint64_t ready = bound - resampler->position;
    return ready < room ? (size_t)ready : room;
}

/* Makes `count` outputs that are ready: they stand in `groups_out` behind the returned number of others, which belong to
 * the same group as the first and were made before. */
static size_t make(asr_resampler *resampler, float groups_out[STEP_OUTPUT + 2 * ASR_GROUP_ROWS], size_t count) {
    const asr_resampler_table *table = resampler->table;
    const size_t first = resampler->position / ASR_GROUP_ROWS;
    const size_t skip = resampler->position % ASR_GROUP_ROWS;
    const size_t groups = (skip + count + ASR_GROUP_ROWS - 1) / ASR_GROUP_ROWS;
    const size_t columns = groups < table->distinct ? groups : table->distinct;
    for (size_t column = 0; column < columns; column++) {
        const size_t group = first + column;
        const size_t distinct = group % table->distinct;
        const size_t start = group / table->distinct * table->advance + table->starts[distinct];
        const size_t same = (groups - column + table->distinct - 1) / table->distinct; /* groups with these rows */
        const int64_t window = (int64_t)start - ((int64_t)table->half - 1) - resampler->origin;
        const float *rows = table->rows + distinct * ASR_GROUP_ROWS * table->taps;
        resampler->kernel(rows, table->taps, resampler->buffer + window, table->advance, same,
                          groups_out + column * ASR_GROUP_ROWS, table->period);
    }
    return skip;
}

/* Makes `count` outputs, each from the 4 phases round its time: the cubic through them (Lagrange). */
static void make_interpolated(const asr_resampler *resampler, float *out, size_t count) {
    const asr_resampler_table *table = resampler->table;
    for (size_t i = 0; i < count; i++) {
        const uint64_t time = (resampler->position + i) * table->down; /* in 1/up samples */
        const int64_t window = (int64_t)(time / table->up) - ((int64_t)table->half - 1) - resampler->origin;
        const uint64_t phase = time % table->up * INTERPOLATED_PHASES;
        const float x = (float)(phase % table->up) / (float)table->up;
        float sums[ASR_GROUP_ROWS]; /* at -1, 0, 1, 2 */
        resampler->kernel(table->rows + phase / table->up * table->taps, table->taps, resampler->buffer + window, 0, 1, sums,
                          ASR_GROUP_ROWS);
        const float before = x + 1.0f;
        const float after = x - 1.0f;
        const float last = x - 2.0f;
        out[i] = sums[1] * before * after * last * 0.5f - sums[2] * before * x * last * 0.5f +
                 (sums[3] * before * x * after - sums[0] * x * after * last) * (1.0f / 6.0f);
    }
}

static void advance(asr_resampler *resampler, size_t count) {
    const asr_resampler_table *table = resampler->table;
    const uint64_t next = resampler->position + count;
    const uint64_t cycles = next / table->period;
    resampler->position = (uint32_t)(next % table->period);
    resampler->origin -= (int64_t)(cycles * table->advance);
    resampler->made += count;
}

/* Forgets input that no later output needs; its group may have begun up to three outputs earlier. */
static void forget(asr_resampler *resampler) {
    const asr_resampler_table *table = resampler->table;
    const uint64_t group_first = resampler->position / ASR_GROUP_ROWS * ASR_GROUP_ROWS; /* also where there are none */
    const int64_t needed = (int64_t)(group_first * table->down / table->up) - ((int64_t)table->half - 1);
    const int64_t unused = needed - resampler->origin;
    if (unused <= 0) {
        return;
    }
    const size_t drop = (uint64_t)unused < resampler->fill ? (size_t)unused : resampler->fill;
    memmove(resampler->buffer, resampler->buffer + drop, (resampler->fill - drop) * sizeof(float));
    resampler->fill -= drop;
    resampler->origin += (int64_t)drop;
}

/* Not-a-number would not go away again in what comes after. */
static float finite_or_zero(float value) { return value - value == 0.0f ? value : 0.0f; }

/* Takes input of either type; returns how many samples. */
static size_t take(asr_resampler *resampler, const int16_t *in_i16, const float *in_f32, size_t count) {
    const size_t limit = resampler->capacity - resampler->table->taps - ASR_ROW_MULTIPLE - resampler->fill;
    const size_t taken = count < limit ? count : limit;
    float *restrict cells = resampler->buffer + resampler->fill;
    if (in_i16 != NULL) {
        for (size_t i = 0; i < taken; i++) {
            cells[i] = in_i16[i];
        }
    } else if (in_f32 != NULL) {
        for (size_t i = 0; i < taken; i++) {
            cells[i] = finite_or_zero(in_f32[i]);
        }
    } else {
        memset(cells, 0, taken * sizeof(float));
    }
    resampler->fill += taken;
    return taken;
}

static void give(const float *from, size_t count, int16_t *out_i16, float *out_f32) {
    if (out_i16 != NULL) {
        for (size_t i = 0; i < count; i++) {
            out_i16[i] = asr_round_i16(from[i]);
        }
    } else {
        memcpy(out_f32, from, count * sizeof(float));
    }
}

/* Steps until the input is used up or the output is full. `made_limit` bounds the outputs of the whole stream. */
static void run(asr_resampler *resampler, const int16_t *in_i16, const float *in_f32, size_t *in_count, int16_t *out_i16,
                float *out_f32, size_t *out_count, uint64_t made_limit) {
    size_t used = 0;
    size_t made = 0;
    for (;;) {
        const size_t taken = take(resampler, in_i16 == NULL ? NULL : in_i16 + used, in_f32 == NULL ? NULL : in_f32 + used,
                                  *in_count - used);
        used += taken;
        size_t room = *out_count - made;
        if (made_limit - resampler->made < room) {
            room = (size_t)(made_limit - resampler->made);
        }
        const size_t ready = outputs_ready(resampler, room < STEP_OUTPUT ? room : STEP_OUTPUT);
        if (ready > 0) {
            float step[STEP_OUTPUT + 2 * ASR_GROUP_ROWS];
            size_t skip = 0;
            if (resampler->table->distinct > 0) {
                skip = make(resampler, step, ready);
            } else {
                make_interpolated(resampler, step, ready);
            }
            advance(resampler, ready);
            give(step + skip, ready, out_i16 == NULL ? NULL : out_i16 + made, out_f32 == NULL ? NULL : out_f32 + made);
            made += ready;
        }
        forget(resampler);
        if (taken == 0 && ready == 0) {
            break;
        }
    }
    *in_count = used;
    *out_count = made;
}

static int process(asr_resampler *resampler, const int16_t *in_i16, const float *in_f32, size_t *in_count, int16_t *out_i16,
                   float *out_f32, size_t *out_count) {
    if (resampler == NULL || in_count == NULL || out_count == NULL || (in_i16 == NULL && in_f32 == NULL && *in_count > 0) ||
        (out_i16 == NULL && out_f32 == NULL && *out_count > 0)) {
        return ASR_E_ARGUMENT;
    }
    if (asr_enter(&resampler->busy) != ASR_OK) {
        return ASR_E_BUSY;
    }
    int status = ASR_OK;
    if (resampler->flushing) {
        status = ASR_E_STATE;
    } else if (is_passthrough(resampler->table)) {
        const size_t count = *in_count < *out_count ? *in_count : *out_count;
        if (in_i16 != NULL && count > 0) {
            memmove(out_i16, in_i16, count * sizeof *in_i16);
        } else if (count > 0) {
            memmove(out_f32, in_f32, count * sizeof *in_f32);
            for (size_t i = 0; i < count; i++) {
                out_f32[i] = finite_or_zero(out_f32[i]);
            }
        }
        *in_count = count;
        *out_count = count;
    } else {
        run(resampler, in_i16, in_f32, in_count, out_i16, out_f32, out_count, UINT64_MAX);
        resampler->taken += *in_count;
    }
    if (status != ASR_OK) {
        *in_count = 0;
        *out_count = 0;
    }
    asr_leave(&resampler->busy);
    return status;
}

static int flush(asr_resampler *resampler, int16_t *out_i16, float *out_f32, size_t *out_count) {
    if (resampler == NULL || out_count == NULL || (out_i16 == NULL && out_f32 == NULL && *out_count > 0)) {
        return ASR_E_ARGUMENT;
    }
    if (asr_enter(&resampler->busy) != ASR_OK) {
        return ASR_E_BUSY;
    }
    const asr_resampler_table *table = resampler->table;
    resampler->flushing = 1;
    if (is_passthrough(table)) {
        *out_count = 0;
    } else {
        /* ceil(taken L / M), in parts that cannot overflow */
        const uint64_t whole = resampler->taken / table->down * table->up;
        const uint64_t rest = (resampler->taken % table->down * table->up + table->down - 1) / table->down;
        size_t silence = SIZE_MAX; /* as much as it takes */
        run(resampler, NULL, NULL, &silence, out_i16, out_f32, out_count, whole + rest);
    }
    asr_leave(&resampler->busy);
    return ASR_OK;
}

int asr_resampler_process_i16(asr_resampler *resampler, const int16_t *in, size_t *in_count, int16_t *out, size_t *out_count) {
    return process(resampler, in, NULL, in_count, out, NULL, out_count);
}

int asr_resampler_process_f32(asr_resampler *resampler, const float *in, size_t *in_count, float *out, size_t *out_count) {
    return process(resampler, NULL, in, in_count, NULL, out, out_count);
}

int asr_resampler_flush_i16(asr_resampler *resampler, int16_t *out, size_t *out_count) {
    return flush(resampler, out, NULL, out_count);
}

int asr_resampler_flush_f32(asr_resampler *resampler, float *out, size_t *out_count) {
    return flush(resampler, NULL, out, out_count);
}
