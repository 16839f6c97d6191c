/* Any configuration and any bytes, split anywhere: nothing may be out of bounds, and what comes out must add up. The first
 * 16 bytes choose the configuration and the sizes of the packets. */
#include "asr_dsp.h"
#include "fuzz.h"

#define CHOICES 16
static const uint32_t RATES[] = {8000, 11025, 16000, 22050, 44100, 48000, 7999, 192000};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < CHOICES) {
        return 0;
    }
    asr_frontend_config config;
    asr_frontend_defaults(&config);
    config.encoding = (asr_encoding)(data[0] % 10);
    config.sample_rate_hz = RATES[data[1] % (sizeof RATES / sizeof *RATES)];
    config.channels = data[2] % 34;
    config.quality = (asr_quality)(data[3] % 4);
    config.endpointer.enabled = (data[4] & 7u) != 0;
    config.endpointer.continuous = data[4] >> 7;
    config.endpointer.vad_mode = (asr_vad_mode)((data[4] >> 6) & 1u);
    config.endpointer.use_tone_detectors = (data[4] >> 5) & 1u;
    config.endpointer.head_margin_ms = data[5] * 4u;
    config.endpointer.tail_margin_ms = data[6] * 4u;
    config.endpointer.wait_end_ms = data[7] * 4u;
    config.endpointer.level_mode = (asr_level_mode)(data[8] % 4);
    config.endpointer.level_threshold_percent = (float)data[9] * 0.1f;
    config.endpointer.auto_level_len_ms = data[10] * 4u;
    config.endpointer.max_segment_duration_ms = data[11] * 16u;
    config.endpointer.segment_overlap_ms = data[12] * 4u;
    const size_t packet = (size_t)data[13] * 17u + 1u;
    asr_frontend *frontend = asr_frontend_create(&config);
    if (frontend == NULL) {
        return 0;
    }
    const size_t room = asr_frontend_output_samples(frontend);
    int16_t *pcm = malloc(room * sizeof *pcm);
    asr_event events[ASR_MIN_EVENTS];
    int speaking = 0;
    int paused = 0;
    int flushed = 0;
    size_t used = CHOICES;
    int64_t expected = 0;
    while (!flushed) {
        size_t samples = room;
        size_t count = ASR_MIN_EVENTS;
        if (used < size) {
            size_t taken = size - used < packet ? size - used : packet;
            const int status = asr_frontend_process(frontend, data + used, &taken, pcm, &samples, events, &count);
            require(status == ASR_OK || (status == ASR_MORE && (taken > 0 || count > 0)));
            used += taken;
        } else {
            const int status = asr_frontend_flush(frontend, pcm, &samples, events, &count);
            require(status == ASR_OK || (status == ASR_MORE && count > 0));
            flushed = status == ASR_OK;
        }
        size_t given = 0;
        for (size_t i = 0; i < count; i++) {
            switch (events[i].type) {
            case ASR_EVENT_SPEECH_START:
                require(!speaking && events[i].start >= 0);
                speaking = 1;
                paused = 0;
                expected = events[i].start;
                break;
            case ASR_EVENT_SPEECH_AUDIO:
                require(speaking && events[i].start == expected && events[i].end > expected && events[i].pcm_offset == given);
                given += (size_t)(events[i].end - events[i].start);
                expected = events[i].end;
                break;
            case ASR_EVENT_SPEECH_END:
                require(speaking && events[i].end == expected);
                speaking = 0;
                paused = 0;
                break;
            case ASR_EVENT_SPEECH_PAUSE:
                require(speaking && !paused && events[i].end == expected);
                paused = 1;
                break;
            case ASR_EVENT_SPEECH_RESUME:
                require(speaking && paused);
                paused = 0;
                break;
            default: require(events[i].type == ASR_EVENT_DTMF && events[i].end > events[i].start);
            }
            require(events[i].decided >= events[i].end || events[i].type == ASR_EVENT_SPEECH_START);
        }
        require(given == samples);
    }
    require(!speaking);
    free(pcm);
    asr_frontend_destroy(frontend);
    return 0;
}
