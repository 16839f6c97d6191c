/* Runs a fuzz target without a fuzzer: over the files given (the standing corpus), and over random changes of them. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

#define MAX_BYTES (1u << 20)
#ifndef CHANGED_RUNS
#define CHANGED_RUNS 200
#endif

static uint32_t state = 1;
static uint32_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

int main(int argc, char **argv) {
    uint8_t *original = malloc(MAX_BYTES);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        const size_t size = fread(original, 1, MAX_BYTES, file);
        fclose(file);
        LLVMFuzzerTestOneInput(original, size);
        for (int run = 0; run < CHANGED_RUNS && size > 0; run++) {
            const size_t length = next_random() % 4 == 0 ? next_random() % size + 1 : size;
            uint8_t *changed = malloc(length); /* of its own length, so that a sanitizer sees the end */
            memcpy(changed, original, length);
            for (uint32_t change = next_random() % 16; change > 0; change--) {
                /* every second change is among the choices at the front */
                const size_t range = change % 2 == 0 || length < 16 ? length : 16;
                changed[next_random() % range] = (uint8_t)next_random();
            }
            LLVMFuzzerTestOneInput(changed, length);
            free(changed);
        }
    }
    free(original);
    printf("%d files\n", argc - 1);
    return 0;
}
