/* Voice detection by loudness over a tracked background: cheap, and the fallback of the learned detector.
 *
 * The background is the minimum of the smoothed level over the last 1.5 s (Martin, "Noise power spectral density
 * estimation based on optimal smoothing and minimum statistics", IEEE TSAP 9(5), 2001, in one band): speech pauses
 * within any such span, so the minimum is the background even while somebody speaks. */
#include <math.h>

#include "vad_energy.h"

#define FLOOR_START_DB 45.0f   /* -45 dBFS: speech may begin with the first sample, so the first level is no background */
#define START_BLOCKS 2         /* how long that counts: 0.6 s */
#define SPEECH_ABOVE_DB 8.0f   /* over the background the probability is one half */
#define SLOPE_DB 1.5f
#define INAUDIBLE_DB 22.0f     /* -68 dBFS: nothing below it is speech that anybody could recognise */

void asr_vad_energy_reset(asr_vad_energy *vad) {
    *vad = (asr_vad_energy){.smoothed_db = FLOOR_START_DB};
    for (size_t i = 0; i < ASR_VAD_ENERGY_BLOCKS; i++) {
        vad->block_minimum_db[i] = i < START_BLOCKS ? FLOOR_START_DB : HUGE_VALF;
    }
    vad->running_minimum_db = FLOOR_START_DB;
}

float asr_vad_energy_process(asr_vad_energy *vad, const int16_t frame[ASR_FRAME_SAMPLES]) {
    float energy = 0.0f;
    for (size_t i = 0; i < ASR_FRAME_SAMPLES; i++) {
        /* two zeros at 0 Hz, two poles at 0.95: below 130 Hz is hum */
        const float x = frame[i];
        const float first = x - vad->x1 + 0.95f * vad->y1;
        const float second = first - vad->y1 + 0.95f * vad->z1;
        vad->x1 = x;
        vad->y1 = first;
        vad->z1 = second;
        energy += second * second;
    }
    const float level_db = 10.0f * log10f(energy / ASR_FRAME_SAMPLES + 1.0f);
    vad->smoothed_db += 0.3f * (level_db - vad->smoothed_db);

    if (vad->smoothed_db < vad->running_minimum_db) {
        vad->running_minimum_db = vad->smoothed_db;
    }
    float background_db = vad->running_minimum_db;
    for (size_t i = 0; i < ASR_VAD_ENERGY_BLOCKS; i++) {
        background_db = vad->block_minimum_db[i] < background_db ? vad->block_minimum_db[i] : background_db;
    }
    if (++vad->frames_in_block == ASR_VAD_ENERGY_BLOCK_FRAMES) {
        vad->block_minimum_db[vad->block] = vad->running_minimum_db;
        vad->block = (vad->block + 1) % ASR_VAD_ENERGY_BLOCKS;
        vad->running_minimum_db = vad->smoothed_db;
        vad->frames_in_block = 0;
    }
    if (level_db < INAUDIBLE_DB) {
        return 0.0f;
    }
    return 1.0f / (1.0f + expf((background_db + SPEECH_ABOVE_DB - level_db) / SLOPE_DB));
}
