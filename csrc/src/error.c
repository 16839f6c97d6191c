#include "asr_dsp.h"

const char *asr_strerror(int status) {
    switch (status) {
    case ASR_MORE: return "there is more output";
    case ASR_OK: return "no error";
    case ASR_E_ARGUMENT: return "an argument is null or out of range";
    case ASR_E_MEMORY: return "not enough memory";
    case ASR_E_RATE: return "this pair of sample rates is not supported";
    case ASR_E_SPACE: return "the output has no room for one step";
    case ASR_E_BUSY: return "the object is in use by another thread";
    case ASR_E_STATE: return "the call does not fit the state of the object";
    default: return "unknown status";
    }
}

const char *asr_version(void) {
    return ASR_DSP_VERSION;
}
