#ifndef ASR_DSP_VAD_ENERGY_H
#define ASR_DSP_VAD_ENERGY_H

#include "asr_dsp.h"

#define ASR_VAD_ENERGY_BLOCKS 5
#define ASR_VAD_ENERGY_BLOCK_FRAMES 30

typedef struct asr_vad_energy {
    float x1, y1, z1; /* high-pass filter */
    float smoothed_db;
    float running_minimum_db;
    float block_minimum_db[ASR_VAD_ENERGY_BLOCKS];
    uint32_t block;
    uint32_t frames_in_block;
} asr_vad_energy;

void asr_vad_energy_reset(asr_vad_energy *vad);
float asr_vad_energy_process(asr_vad_energy *vad, const int16_t frame[ASR_FRAME_SAMPLES]);

#endif
