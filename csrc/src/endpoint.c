/* Finding segments of speech: a state machine over 10 ms frames and a ring of the newest audio.
 *
 * A frame is speech when the detector says so (two thresholds: a high one to begin, a low one to go on), when it is loud
 * enough (level mode) and when it is no telephone tone. What is 45 dB softer than the speech before it carries none on.
 *
 *   IDLE    7 speech frames of the last 15 begin a segment: clicks and breaths are shorter. The segment begins head_margin
 *           before the first of them, or before the weak frames that led to it, or where a line opened on a voice: the ring
 *           still has that audio.
 *   SPEECH  audio is given out up to tail_margin after the newest speech frame; what follows waits in the ring. Speech
 *           goes on: all of it is given out, so a pause inside a segment is never shortened. wait_end without speech: the
 *           segment ends at tail_margin, so that the wait costs the recogniser nothing. A pause is told early, for
 *           whoever wants to get its answer ready while wait_end runs.
 *   DONE    after the first segment, unless continuous.
 *
 * Long speech is cut: from some time before the limit on, audio is given out only up to the quietest 100 ms found so far,
 * and at the limit the cut falls there. The frames behind the cut are then stepped through again as those of the next
 * segment, so that no word is lost or doubled whatever happens near the cut. */
#include <math.h>

#include "internal.h"
#include "tone.h"

#define FRAME_MS 10
#define SAMPLES_PER_MS (ASR_RATE_HZ / 1000)
#define MAX_MARGIN_MS 60000u

#define SPEECH_HIGH 0.5f  /* begins a segment */
#define SPEECH_SURE 0.9f  /* is no tone: the learned detector knows them, and of vowels a few stand as still */
#define SPEECH_LOW 0.4f   /* continues one */
#define START_WINDOW 15   /* frames that are asked at the start, */
#define START_VOTES 7     /* and how many must be speech */
#define START_VOTES_CUT 3 /* right behind a cut speech is known to go on */
#define START_VOTES_END 5 /* where the audio ends, half a word is all there will be */
#define ONSET_FRAMES 20   /* weak frames before the window that may still belong to the word */
#define ONSET_GAP 3       /* and the pause among them: the closure of a plosive */
#define OPENING_FRAMES 60    /* a noisy voice in a line that opens: so long the detector may take it for noise; */
#define OPENING_SHARE 0.03f  /* what is so loud beside the word that was found may have been spoken too */
#define LINE_SILENCE 64.0f   /* mean square: 72 dB below full scale */
#define PAUSE_FRAMES 10   /* after so long a pause, */
#define RESUME_WINDOW 6   /* so many frames are asked */
#define RESUME_VOTES 4    /* and so many must be speech, or it was a noise */
#define FADED_SHARE 3e-5f /* 45 dB below the loudest speech: the detector's window still holds a word that has ended */
#define LOUD_FALL 0.998f  /* and of that, in a frame: 9 dB in a second, for voices that sink */
#define CUT_FRAMES 10     /* length of the quiet place that is looked for */
#define CUT_SEARCH_MS 2000u
#define CUT_NEAR_FRAMES 10 /* speech so near behind a cut was cut in two, and gets the overlap */
#define LOUD_FRAMES 10     /* a frame counts as loud as the loudest of so many: consonants lean on their vowels */
#define LEVEL_SMOOTHING 0.2f
#define TONE_TAIL_FRAMES 25 /* the voice detector has a memory: so long behind a tone no word begins on its word alone */
#define BACKGROUND_FRAMES 5
#define PAUSE_MS 250u      /* a pause that is worth telling: long enough to be no plosive, short against wait_end */
#define EVENTS_PER_FRAME 6 /* a key, start, audio, resume, end or pause, and one to spare */

typedef enum state { IDLE, SPEECH, DONE } state;

typedef struct record {
    float energy;      /* mean square */
    float amplitude;   /* mean magnitude in percent of full scale */
    float probability; /* of speech */
    uint8_t tone;
    uint8_t after_tone;
    uint8_t high;
    uint8_t low;
} record;

struct asr_endpointer {
    atomic_flag busy;
    asr_endpointer_config config;
    asr_vad *vad;
    int16_t *ring;
    record *records;
    size_t ring_samples;
    size_t record_count;
    int64_t lookahead; /* frames */

    int64_t received; /* samples */
    int64_t total;    /* length of the input, once known; else INT64_MAX */
    int64_t frames;   /* whole frames received */
    int64_t stepped;  /* frames decided */

    state state;
    int paused; /* a pause was told, and no resume yet */
    int after_cut;
    int64_t cut;             /* position of the last cut */
    int64_t not_before;      /* the next segment cannot begin earlier */
    int64_t window_from;     /* frames before it belong to an earlier segment */
    int64_t segment_start;
    int64_t speech_end;      /* end of the newest speech frame */
    float loudest_energy;    /* of the segment so far */
    int64_t delivered;       /* audio of the segment given out so far ends here */
    int64_t quiet_cut;       /* the best place to cut so far, or -1 */
    float quiet_energy;

    asr_tone tone;
    asr_tone_result key; /* not told yet */
    int64_t tone_until; /* frames before this one lie in a tone or in its tail, */
    int64_t tone_run;   /* which is no longer than the tone was: a vowel that stands still for 40 ms is no tone */
    int finished;
    float level; /* smoothed mean square */
    float background_percent;
};

typedef struct output {
    int16_t *pcm;
    size_t pcm_room;
    size_t pcm_used;
    asr_event *events;
    size_t event_room;
    size_t event_count;
} output;

/* --- memory --------------------------------------------------------------------------------------------------- */

void asr_endpointer_defaults(asr_endpointer_config *config) {
    *config = (asr_endpointer_config){
        .struct_size = sizeof *config,
        .enabled = 1,
        .continuous = 0,
        .head_margin_ms = 200,
        .tail_margin_ms = 400,
        .wait_end_ms = 1000,
        .level_mode = ASR_LEVEL_OFF,
        .level_threshold_percent = 0.0f,
        .auto_level_len_ms = 350,
        .use_tone_detectors = 1,
        .max_segment_duration_ms = 0,
        .segment_overlap_ms = 0,
        .vad_mode = ASR_VAD_LEARNED,
    };
}

static int is_valid(const asr_endpointer_config *config) {
    return config != NULL && config->struct_size == sizeof *config && config->head_margin_ms <= MAX_MARGIN_MS &&
           config->tail_margin_ms <= MAX_MARGIN_MS && config->wait_end_ms <= MAX_MARGIN_MS &&
           config->auto_level_len_ms <= MAX_MARGIN_MS && config->segment_overlap_ms <= MAX_MARGIN_MS &&
           (int)config->level_mode >= 0 && config->level_mode <= ASR_LEVEL_FIXED && (int)config->vad_mode >= 0 &&
           config->vad_mode <= ASR_VAD_ENERGY && config->level_threshold_percent >= 0.0f &&
           config->level_threshold_percent <= 100.0f &&
           (config->max_segment_duration_ms == 0 || config->max_segment_duration_ms >= 1000);
}

/* How long before the limit the search for a quiet place begins. */
static uint32_t cut_search_ms(const asr_endpointer_config *config) {
    const uint32_t half = config->max_segment_duration_ms / 2;
    return half < CUT_SEARCH_MS ? half : CUT_SEARCH_MS;
}

/* A cut must leave more than it repeats. */
static uint32_t overlap_ms(const asr_endpointer_config *config) {
    const uint32_t quarter = config->enabled ? config->max_segment_duration_ms / 4 : 0;
    return config->segment_overlap_ms < quarter ? config->segment_overlap_ms : quarter;
}

static size_t ring_frames(const asr_endpointer_config *config) {
    if (!config->enabled) {
        return 2;
    }
    const uint32_t before = config->head_margin_ms + (START_WINDOW + ONSET_FRAMES) * FRAME_MS;
    const uint32_t after = config->wait_end_ms > config->tail_margin_ms ? config->wait_end_ms - config->tail_margin_ms : 0;
    const uint32_t cut = config->max_segment_duration_ms > 0 ? cut_search_ms(config) + overlap_ms(config) : 0;
    uint32_t longest = before > after ? before : after;
    longest = cut > longest ? cut : longest;
    return longest / FRAME_MS + START_WINDOW + 5; /* votes, look-ahead and the frame being received */
}

static size_t records_needed(const asr_endpointer_config *config) {
    return ring_frames(config) + START_WINDOW + ONSET_FRAMES;
}

static size_t fixed_bytes(const asr_endpointer_config *config) {
    return ASR_ALIGN + asr_align_up(sizeof(asr_endpointer)) + asr_align_up(asr_vad_size(config->vad_mode)) +
           asr_align_up(records_needed(config) * sizeof(record));
}

size_t asr_endpointer_size(const asr_endpointer_config *config) {
    if (!is_valid(config)) {
        return 0;
    }
    return fixed_bytes(config) + asr_align_up(ring_frames(config) * ASR_FRAME_SAMPLES * sizeof(int16_t));
}

int asr_endpointer_init(void *memory, size_t size, const asr_endpointer_config *config) {
    if (!is_valid(config)) {
        return ASR_E_ARGUMENT;
    }
    if (memory == NULL || size < asr_endpointer_size(config)) {
        return ASR_E_MEMORY;
    }
    asr_endpointer *endpointer = memory;
    unsigned char *place = asr_align_pointer((unsigned char *)memory + sizeof *endpointer);
    *endpointer = (asr_endpointer){
        .busy = ATOMIC_FLAG_INIT,
        .config = *config,
        .vad = (asr_vad *)(void *)place,
        .ring_samples = ring_frames(config) * ASR_FRAME_SAMPLES,
        .record_count = records_needed(config),
        .total = INT64_MAX,
        .quiet_cut = -1,
    };
    const int status = asr_vad_init(place, asr_vad_size(config->vad_mode), config->vad_mode);
    if (status != ASR_OK) {
        return status;
    }
    place += asr_align_up(asr_vad_size(config->vad_mode));
    endpointer->records = (record *)(void *)place;
    memset(endpointer->records, 0, endpointer->record_count * sizeof(record));
    place += asr_align_up(endpointer->record_count * sizeof(record));
    endpointer->ring = (int16_t *)(void *)place;
    memset(endpointer->ring, 0, endpointer->ring_samples * sizeof(int16_t));
    endpointer->lookahead = config->enabled ? asr_vad_lookahead_frames(endpointer->vad) : 0;
    return ASR_OK;
}

ASR_DEFINE_HEAP(asr_endpointer)

size_t asr_endpointer_output_samples(const asr_endpointer *endpointer) {
    return 2 * endpointer->ring_samples; /* everything that waits, and once more what a cut repeats */
}

/* --- output --------------------------------------------------------------------------------------------------- */

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t samples_of_ms(uint32_t ms) {
    return (int64_t)ms * SAMPLES_PER_MS;
}

static record *record_at(const asr_endpointer *endpointer, int64_t frame) {
    return &endpointer->records[(size_t)frame % endpointer->record_count];
}

static void emit(const asr_endpointer *endpointer, output *out, asr_event_type type, int detail, int64_t start, int64_t end) {
    out->events[out->event_count++] = (asr_event){
        .type = (int32_t)type,
        .detail = detail,
        .start = start,
        .end = end,
        .decided = smaller(endpointer->frames * ASR_FRAME_SAMPLES, endpointer->total),
        .pcm_offset = out->pcm_used,
    };
}

/* Gives out the audio of the segment up to `end`. */
static void deliver(asr_endpointer *endpointer, output *out, int64_t end) {
    if (end <= endpointer->delivered) {
        return;
    }
    asr_event *last = out->event_count > 0 ? &out->events[out->event_count - 1] : NULL;
    if (last == NULL || last->type != ASR_EVENT_SPEECH_AUDIO) {
        emit(endpointer, out, ASR_EVENT_SPEECH_AUDIO, 0, endpointer->delivered, end);
    } else {
        last->end = end;
        last->decided = smaller(endpointer->frames * ASR_FRAME_SAMPLES, endpointer->total);
    }
    while (endpointer->delivered < end) {
        const size_t from = (size_t)endpointer->delivered % endpointer->ring_samples;
        const size_t wanted = (size_t)(end - endpointer->delivered);
        const size_t contiguous = endpointer->ring_samples - from;
        const size_t count = wanted < contiguous ? wanted : contiguous;
        memcpy(out->pcm + out->pcm_used, endpointer->ring + from, count * sizeof(int16_t));
        out->pcm_used += count;
        endpointer->delivered += (int64_t)count;
    }
}

static void start_segment(asr_endpointer *endpointer, output *out, int64_t start) {
    emit(endpointer, out, ASR_EVENT_SPEECH_START, 0, start, start);
    endpointer->state = SPEECH;
    endpointer->paused = 0;
    endpointer->after_cut = 0;
    endpointer->segment_start = start;
    endpointer->delivered = start;
    endpointer->quiet_cut = -1;
    endpointer->loudest_energy = 0.0f;
}

static void end_segment(asr_endpointer *endpointer, output *out, int64_t end, asr_end_reason reason) {
    deliver(endpointer, out, end);
    emit(endpointer, out, ASR_EVENT_SPEECH_END, (int)reason, endpointer->segment_start, end);
    endpointer->state = endpointer->config.continuous ? IDLE : DONE;
    endpointer->not_before = end;
    endpointer->window_from = endpointer->stepped + 1;
}

/* --- decisions ------------------------------------------------------------------------------------------------ */

static float loudest(const asr_endpointer *endpointer, int64_t frame) {
    float amplitude = 0.0f;
    for (int64_t i = larger(0, frame - LOUD_FRAMES + 1); i <= frame; i++) {
        const float other = record_at(endpointer, i)->amplitude;
        amplitude = other > amplitude ? other : amplitude;
    }
    return amplitude;
}

/* The background of ASR_LEVEL_AUTO: the smallest mean of neighbouring frames, for the first word may be early. Until
 * auto_level_len has passed nothing is known, and the background counts as silence. */
static float background(asr_endpointer *endpointer, int64_t frame) {
    if (frame + 1 < BACKGROUND_FRAMES) {
        return 0.0f;
    }
    float mean = 0.0f;
    for (int64_t i = frame - BACKGROUND_FRAMES + 1; i <= frame; i++) {
        mean += record_at(endpointer, i)->amplitude / BACKGROUND_FRAMES;
    }
    if (frame + 1 == BACKGROUND_FRAMES || mean < endpointer->background_percent) {
        endpointer->background_percent = mean;
    }
    return (frame + 1) * FRAME_MS < (int64_t)endpointer->config.auto_level_len_ms ? 0.0f : endpointer->background_percent;
}

/* Decides whether the frame is speech to begin with, and speech to go on with. */
static void classify(asr_endpointer *endpointer, int64_t frame) {
    const asr_endpointer_config *config = &endpointer->config;
    record *this = record_at(endpointer, frame);
    float threshold = config->level_mode == ASR_LEVEL_OFF ? 0.0f : config->level_threshold_percent;
    if (config->level_mode == ASR_LEVEL_AUTO) {
        threshold += background(endpointer, frame);
    }
    if (config->vad_mode == ASR_VAD_LEARNED && this->probability >= SPEECH_SURE) {
        this->tone = this->after_tone = 0;
    }
    const float level = loudest(endpointer, frame);
    this->high = !this->tone && !this->after_tone && this->probability >= SPEECH_HIGH && level >= threshold;
    this->low = !this->tone && this->probability >= SPEECH_LOW && level >= 0.5f * threshold &&
                this->energy >= FADED_SHARE * endpointer->loudest_energy;
    const float loudest_energy = LOUD_FALL * endpointer->loudest_energy;
    endpointer->loudest_energy = this->energy > loudest_energy ? this->energy : loudest_energy;
}

static int votes(const asr_endpointer *endpointer, int64_t frame, int64_t window, int high) {
    int count = 0;
    for (int64_t i = larger(endpointer->window_from, frame - window + 1); i <= frame; i++) {
        const record *this = record_at(endpointer, i);
        count += !this->tone && (high ? this->high : this->low);
    }
    return count;
}

/* The first frame of the word whose votes are in the window that ends with `frame`. */
static int64_t find_onset(const asr_endpointer *endpointer, int64_t frame) {
    int64_t onset = larger(endpointer->window_from, frame - START_WINDOW + 1);
    while (!record_at(endpointer, onset)->high || record_at(endpointer, onset)->tone) {
        onset++;
    }
    const int64_t earliest = larger(endpointer->window_from, frame - START_WINDOW - ONSET_FRAMES + 1);
    for (int64_t i = onset - 1; i >= earliest && onset - i <= ONSET_GAP; i--) {
        const record *this = record_at(endpointer, i);
        if (!this->tone && this->probability >= SPEECH_LOW) {
            onset = i;
        }
    }
    return onset;
}

static float energy_between(const asr_endpointer *endpointer, int64_t from, int64_t to) {
    float energy = 0.0f;
    for (int64_t i = from; i < to; i++) {
        energy += record_at(endpointer, i)->energy;
    }
    return energy;
}

static float mean_energy(const asr_endpointer *endpointer, int64_t from, int64_t to) {
    return energy_between(endpointer, from, to) / (float)larger(1, to - from);
}

/* The frame in which the line opened, if it did shortly before a word whose beginning was taken for noise; else `onset`. */
static int64_t find_opening(const asr_endpointer *endpointer, int64_t onset, int64_t frame) {
    const int64_t kept = endpointer->frames + 1 - (int64_t)(endpointer->ring_samples / ASR_FRAME_SAMPLES);
    const int64_t earliest = larger(larger(endpointer->window_from, kept), onset - OPENING_FRAMES);
    int64_t opening = onset;
    while (opening > earliest && record_at(endpointer, opening - 1)->energy >= LINE_SILENCE) {
        opening--;
    }
    const float spoken = OPENING_SHARE * mean_energy(endpointer, onset, frame + 1);
    return opening > earliest && mean_energy(endpointer, opening, onset) >= spoken ? opening : onset;
}

static void begin_speech(asr_endpointer *endpointer, output *out, int64_t frame) {
    const int64_t onset_frame = find_onset(endpointer, frame);
    const int64_t onset = onset_frame * ASR_FRAME_SAMPLES;
    const int64_t opening = find_opening(endpointer, onset_frame, frame) * ASR_FRAME_SAMPLES;
    int64_t start = smaller(opening, onset - samples_of_ms(endpointer->config.head_margin_ms));
    start = larger(endpointer->not_before, start);
    if (endpointer->after_cut && onset - endpointer->cut <= CUT_NEAR_FRAMES * ASR_FRAME_SAMPLES) {
        start = endpointer->not_before;
    }
    start_segment(endpointer, out, start);
    endpointer->speech_end = smaller((frame + 1) * ASR_FRAME_SAMPLES, endpointer->total);
}

/* The segment has become so long that a place for a cut is looked for, or made. */
static int64_t cut_limit(asr_endpointer *endpointer, int64_t frame) {
    const asr_endpointer_config *config = &endpointer->config;
    if (config->max_segment_duration_ms == 0) {
        return INT64_MAX;
    }
    const int64_t search_start =
        endpointer->segment_start + samples_of_ms(config->max_segment_duration_ms - cut_search_ms(config));
    if ((frame + 1) * ASR_FRAME_SAMPLES < search_start + CUT_FRAMES * ASR_FRAME_SAMPLES) {
        return search_start;
    }
    const float energy = energy_between(endpointer, frame - CUT_FRAMES + 1, frame + 1);
    if (endpointer->quiet_cut < 0 || energy <= endpointer->quiet_energy) {
        endpointer->quiet_energy = energy;
        endpointer->quiet_cut = (frame - CUT_FRAMES / 2 + 1) * ASR_FRAME_SAMPLES;
    }
    return endpointer->quiet_cut;
}

static void cut_segment(asr_endpointer *endpointer, output *out, int64_t tail) {
    const int64_t cut = endpointer->quiet_cut;
    end_segment(endpointer, out, smaller(cut, tail), ASR_END_MAX_SEGMENT);
    if (endpointer->state == DONE) {
        return;
    }
    endpointer->after_cut = 1;
    endpointer->cut = cut;
    endpointer->not_before = larger(endpointer->segment_start, cut - samples_of_ms(overlap_ms(&endpointer->config)));
    endpointer->window_from = cut / ASR_FRAME_SAMPLES;
    endpointer->stepped = endpointer->window_from - 1; /* the caller goes on with the frame after it */
}

static void step_idle(asr_endpointer *endpointer, output *out, int64_t frame) {
    if (endpointer->after_cut && frame - endpointer->window_from > 2 * START_WINDOW) {
        endpointer->after_cut = 0;
    }
    if (record_at(endpointer, frame)->high &&
        votes(endpointer, frame, START_WINDOW, 1) >= (endpointer->after_cut ? START_VOTES_CUT : START_VOTES)) {
        begin_speech(endpointer, out, frame);
    }
}

static void step_speech(asr_endpointer *endpointer, output *out, int64_t frame) {
    const int64_t now = smaller((frame + 1) * ASR_FRAME_SAMPLES, endpointer->total);
    if (record_at(endpointer, frame)->low) {
        const int64_t pause = frame - endpointer->speech_end / ASR_FRAME_SAMPLES;
        /* short pauses: two frames of three; long ones: more, or any noise would keep the segment open */
        const int resumed = pause <= 1 || (pause < PAUSE_FRAMES ? votes(endpointer, frame, 3, 0) >= 2
                                                                : votes(endpointer, frame, RESUME_WINDOW, 0) >= RESUME_VOTES);
        if (resumed) {
            endpointer->speech_end = now;
        }
        if (resumed && endpointer->paused) {
            emit(endpointer, out, ASR_EVENT_SPEECH_RESUME, 0, endpointer->segment_start, now);
            endpointer->paused = 0;
        }
    }
    const int64_t tail = smaller(now, endpointer->speech_end + samples_of_ms(endpointer->config.tail_margin_ms));
    /* The detector has heard its look-ahead before it judged this frame: that silence has been waited for as well. */
    const int64_t heard = smaller((frame + 1 + endpointer->lookahead) * ASR_FRAME_SAMPLES, endpointer->total);
    const int64_t silence = now > endpointer->speech_end ? heard - endpointer->speech_end : 0;
    const int64_t wait_end = samples_of_ms(endpointer->config.wait_end_ms);
    if (silence >= wait_end && silence > 0) {
        end_segment(endpointer, out, tail, ASR_END_SILENCE);
        return;
    }
    const int64_t limit = cut_limit(endpointer, frame);
    if (limit != INT64_MAX && now - endpointer->segment_start >= samples_of_ms(endpointer->config.max_segment_duration_ms)) {
        cut_segment(endpointer, out, tail);
        return;
    }
    deliver(endpointer, out, smaller(tail, limit));
    if (!endpointer->paused && silence > 0 && silence >= smaller(samples_of_ms(PAUSE_MS), wait_end / 2)) {
        emit(endpointer, out, ASR_EVENT_SPEECH_PAUSE, 0, endpointer->segment_start, endpointer->delivered);
        endpointer->paused = 1;
    }
}

/* What the next step can give out must fit: what waits, and what a cut repeats. */
static int has_room(const asr_endpointer *endpointer, const output *out) {
    const int64_t next = (endpointer->stepped + 1) * ASR_FRAME_SAMPLES;
    int64_t most = (int64_t)endpointer->ring_samples;
    if (endpointer->state == IDLE) {
        most = smaller(most, next - endpointer->not_before);
    } else if (endpointer->state == SPEECH) {
        most = next - endpointer->delivered;
    }
    return out->pcm_room - out->pcm_used >= (size_t)larger(most, 0) && out->event_room - out->event_count >= EVENTS_PER_FRAME;
}

/* Where there is no room: more output once this one was taken, or a caller that offers too little. */
static int no_room(const output *out) {
    return out->event_count > 0 ? ASR_MORE : ASR_E_SPACE;
}

static void step_frame(asr_endpointer *endpointer, output *out, int64_t frame) {
    if (!endpointer->config.enabled) {
        if (frame == 0) {
            start_segment(endpointer, out, 0);
        }
        deliver(endpointer, out, smaller((frame + 1) * ASR_FRAME_SAMPLES, endpointer->total));
        return;
    }
    classify(endpointer, frame);
    if (endpointer->state == IDLE) {
        step_idle(endpointer, out, frame);
    }
    if (endpointer->state == SPEECH) {
        step_speech(endpointer, out, frame);
    }
}

/* Steps through all frames that have their probability, as far as there is room. */
static int step(asr_endpointer *endpointer, output *out) {
    for (; endpointer->stepped < endpointer->frames - endpointer->lookahead; endpointer->stepped++) {
        if (!has_room(endpointer, out)) {
            return no_room(out);
        }
        if (endpointer->key.key != 0) {
            emit(endpointer, out, ASR_EVENT_DTMF, endpointer->key.key, endpointer->key.key_start * ASR_FRAME_SAMPLES,
                 smaller(endpointer->key.key_end * ASR_FRAME_SAMPLES, endpointer->total));
            endpointer->key.key = 0;
        }
        step_frame(endpointer, out, endpointer->stepped);
    }
    return ASR_OK;
}

/* --- frames --------------------------------------------------------------------------------------------------- */

static void measure(asr_endpointer *endpointer, const int16_t frame[ASR_FRAME_SAMPLES], record *this) {
    int32_t sum = 0;
    int64_t energy = 0;
    for (size_t i = 0; i < ASR_FRAME_SAMPLES; i++) {
        const int32_t value = frame[i];
        sum += value < 0 ? -value : value;
        energy += value * value;
    }
    this->energy = (float)energy / ASR_FRAME_SAMPLES;
    this->amplitude = (float)sum * (100.0f / 32768.0f / ASR_FRAME_SAMPLES);
    endpointer->level += LEVEL_SMOOTHING * (this->energy - endpointer->level);
}

/* A frame is complete in the ring. */
static int frame_complete(asr_endpointer *endpointer, output *out) {
    const int64_t frame = endpointer->frames++;
    const int16_t *samples = endpointer->ring + (size_t)(frame * ASR_FRAME_SAMPLES) % endpointer->ring_samples;
    record *this = record_at(endpointer, frame);
    *this = (record){0};
    measure(endpointer, samples, this);
    if (endpointer->config.enabled && endpointer->state != DONE) {
        float probability = 0.0f;
        (void)asr_vad_process(endpointer->vad, samples, &probability); /* its arguments are ours, and nobody else has it */
        if (frame >= endpointer->lookahead) {
            record_at(endpointer, frame - endpointer->lookahead)->probability = probability;
        }
    }
    if (endpointer->config.use_tone_detectors && endpointer->total == INT64_MAX) {
        endpointer->key = asr_tone_process(&endpointer->tone, samples);
        const int64_t tones = (int64_t)endpointer->key.tone_frames;
        for (int64_t i = larger(0, frame + 1 - tones); i <= frame && tones > 0; i++) {
            record_at(endpointer, i)->tone = 1;
        }
        if (tones > 0) {
            endpointer->tone_run = frame < endpointer->tone_until ? endpointer->tone_run + 1 : 1;
            endpointer->tone_until = frame + 1 + smaller(endpointer->tone_run, TONE_TAIL_FRAMES);
        }
        this->after_tone = frame < endpointer->tone_until;
    }
    return step(endpointer, out);
}

int asr_endpointer_process(asr_endpointer *endpointer, const int16_t *in, size_t *in_count, int16_t *pcm, size_t *pcm_count,
                           asr_event *events, size_t *event_count) {
    if (endpointer == NULL || in_count == NULL || pcm_count == NULL || event_count == NULL || (in == NULL && *in_count > 0) ||
        pcm == NULL || events == NULL) {
        return ASR_E_ARGUMENT;
    }
    if (asr_enter(&endpointer->busy) != ASR_OK) {
        return ASR_E_BUSY;
    }
    output out = {.pcm = pcm, .pcm_room = *pcm_count, .events = events, .event_room = *event_count};
    int status = endpointer->total == INT64_MAX ? step(endpointer, &out) : ASR_E_STATE;
    size_t used = 0;
    while (status == ASR_OK && used < *in_count) {
        const size_t place = (size_t)endpointer->received % endpointer->ring_samples;
        const size_t missing = ASR_FRAME_SAMPLES - place % ASR_FRAME_SAMPLES;
        const size_t left = *in_count - used;
        const size_t count = left < missing ? left : missing;
        memcpy(endpointer->ring + place, in + used, count * sizeof(int16_t));
        endpointer->received += (int64_t)count;
        used += count;
        if (count == missing) {
            status = frame_complete(endpointer, &out);
        }
    }
    if (status == ASR_E_SPACE && used > 0) {
        status = ASR_MORE; /* it was taken */
    }
    *in_count = used;
    *pcm_count = out.pcm_used;
    *event_count = out.event_count;
    asr_leave(&endpointer->busy);
    return status;
}

/* The audio has ended inside or outside of speech. */
static void finish(asr_endpointer *endpointer, output *out) {
    const int64_t last = endpointer->stepped - 1;
    if (endpointer->config.enabled && endpointer->state == IDLE && last >= endpointer->window_from &&
        votes(endpointer, last, START_WINDOW, 1) >= (endpointer->after_cut ? 1 : START_VOTES_END)) {
        begin_speech(endpointer, out, last);
    }
    if (endpointer->state == SPEECH) {
        int64_t end = endpointer->total;
        if (endpointer->config.enabled) {
            end = smaller(end, endpointer->speech_end + samples_of_ms(endpointer->config.tail_margin_ms));
        }
        end_segment(endpointer, out, end, ASR_END_AUDIO);
    }
    const asr_tone_result key = asr_tone_finish(&endpointer->tone);
    if (key.key != 0) {
        emit(endpointer, out, ASR_EVENT_DTMF, key.key, key.key_start * ASR_FRAME_SAMPLES,
             smaller(key.key_end * ASR_FRAME_SAMPLES, endpointer->total));
    }
    endpointer->state = DONE;
    endpointer->finished = 1;
}

/* Silence completes the last frame and drives the detector's look-ahead out; positions stay below `total`. */
static int drive_out(asr_endpointer *endpointer, output *out) {
    const int64_t whole = (endpointer->total + ASR_FRAME_SAMPLES - 1) / ASR_FRAME_SAMPLES;
    int status = step(endpointer, out);
    while (status == ASR_OK && endpointer->total > 0 && endpointer->frames < whole + endpointer->lookahead) {
        const size_t place = (size_t)endpointer->received % endpointer->ring_samples;
        const size_t missing = ASR_FRAME_SAMPLES - place % ASR_FRAME_SAMPLES;
        memset(endpointer->ring + place, 0, missing * sizeof(int16_t));
        endpointer->received += (int64_t)missing;
        status = frame_complete(endpointer, out);
    }
    return status == ASR_OK && !has_room(endpointer, out) ? no_room(out) : status;
}

int asr_endpointer_flush(asr_endpointer *endpointer, int16_t *pcm, size_t *pcm_count, asr_event *events, size_t *event_count) {
    if (endpointer == NULL || pcm_count == NULL || event_count == NULL || pcm == NULL || events == NULL) {
        return ASR_E_ARGUMENT;
    }
    if (asr_enter(&endpointer->busy) != ASR_OK) {
        return ASR_E_BUSY;
    }
    output out = {.pcm = pcm, .pcm_room = *pcm_count, .events = events, .event_room = *event_count};
    if (endpointer->total == INT64_MAX) {
        endpointer->total = endpointer->received;
    }
    const int status = endpointer->finished ? ASR_E_STATE : drive_out(endpointer, &out);
    if (status == ASR_OK) {
        finish(endpointer, &out);
    }
    *pcm_count = out.pcm_used;
    *event_count = out.event_count;
    asr_leave(&endpointer->busy);
    return status;
}

int64_t asr_endpointer_position(const asr_endpointer *endpointer) {
    return smaller(endpointer->stepped * ASR_FRAME_SAMPLES, endpointer->total);
}

float asr_endpointer_level_dbfs(const asr_endpointer *endpointer) {
    const float full_scale_sine = 32768.0f * 32768.0f / 2.0f;
    return 10.0f * log10f(endpointer->level / full_scale_sine + 1e-10f);
}
