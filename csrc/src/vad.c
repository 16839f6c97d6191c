/* The voice detector: which kind, behind one interface. */
#include "internal.h"
#include "vad_energy.h"
#include "vad_learned.h"

struct asr_vad {
    atomic_flag busy;
    asr_vad_mode mode;
    union {
        asr_vad_energy energy;
        asr_vad_learned learned;
    } as;
};

size_t asr_vad_size(asr_vad_mode mode) {
    (void)mode;
    return sizeof(asr_vad);
}

int asr_vad_init(void *memory, size_t size, asr_vad_mode mode) {
    if ((int)mode < 0 || mode > ASR_VAD_ENERGY) {
        return ASR_E_ARGUMENT;
    }
    if (memory == NULL || size < asr_vad_size(mode)) {
        return ASR_E_MEMORY;
    }
    asr_vad *vad = memory;
    *vad = (asr_vad){.busy = ATOMIC_FLAG_INIT, .mode = mode};
    asr_vad_reset(vad);
    return ASR_OK;
}

void asr_vad_reset(asr_vad *vad) {
    if (vad->mode == ASR_VAD_LEARNED) {
        asr_vad_learned_reset(&vad->as.learned, ASR_SIMD_AUTO);
    } else {
        asr_vad_energy_reset(&vad->as.energy);
    }
}

int asr_vad_lookahead_frames(const asr_vad *vad) {
    return vad->mode == ASR_VAD_LEARNED ? ASR_VAD_LOOKAHEAD : 0;
}

int asr_vad_process(asr_vad *vad, const int16_t frame[ASR_FRAME_SAMPLES], float *speech_probability) {
    if (vad == NULL || frame == NULL || speech_probability == NULL) {
        return ASR_E_ARGUMENT;
    }
    if (asr_enter(&vad->busy) != ASR_OK) {
        return ASR_E_BUSY;
    }
    *speech_probability = vad->mode == ASR_VAD_LEARNED ? asr_vad_learned_process(&vad->as.learned, frame)
                                                       : asr_vad_energy_process(&vad->as.energy, frame);
    asr_leave(&vad->busy);
    return ASR_OK;
}
