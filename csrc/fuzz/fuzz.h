/* What the fuzz targets share. */
#ifndef ASR_DSP_FUZZ_H
#define ASR_DSP_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(int condition) {
    if (!condition) {
        abort();
    }
}

#endif
