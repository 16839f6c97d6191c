/* Listens to raw audio on standard input and shows a level meter and when somebody speaks:
 *
 *   arecord -q -f S16_LE -r 48000 -t raw | microphone 48000          (Linux)
 *   sox -q -d -t raw -e signed -b 16 -c 1 -r 48000 - | microphone 48000   (macOS)
 */
#include <stdio.h>
#include <stdlib.h>

#include "asr_dsp.h"

#define METER_DB 60

static void show_level(float level_dbfs, int speaking) {
    char bar[METER_DB / 2 + 1];
    for (int i = 0; i < METER_DB / 2; i++) {
        bar[i] = level_dbfs > (float)(2 * i - METER_DB) ? '#' : ' ';
    }
    bar[METER_DB / 2] = '\0';
    fprintf(stderr, "\r[%s] %6.1f dBFS %s", bar, (double)level_dbfs, speaking ? "speech" : "      ");
}

int main(int argc, char **argv) {
    asr_frontend_config config;
    asr_frontend_defaults(&config);
    config.sample_rate_hz = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : ASR_RATE_HZ;
    config.endpointer.continuous = 1;
    asr_frontend *frontend = asr_frontend_create(&config);
    if (frontend == NULL) {
        fprintf(stderr, "usage: %s [RATE]   with 16-bit mono audio on standard input\n", argv[0]);
        return 2;
    }
    const size_t room = asr_frontend_output_samples(frontend);
    int16_t *pcm = malloc(room * sizeof *pcm);
    if (pcm == NULL) {
        return 1;
    }
    asr_event events[ASR_MIN_EVENTS];
    unsigned char packet[1920];
    int speaking = 0;
    size_t size;
    while ((size = fread(packet, 1, sizeof packet, stdin)) > 0) {
        int status = ASR_MORE;
        for (size_t used = 0; status == ASR_MORE;) {
            size_t taken = size - used;
            size_t samples = room;
            size_t count = ASR_MIN_EVENTS;
            status = asr_frontend_process(frontend, packet + used, &taken, pcm, &samples, events, &count);
            if (status < ASR_OK) {
                return 1;
            }
            used += taken;
            for (size_t i = 0; i < count; i++) {
                if (events[i].type == ASR_EVENT_SPEECH_START) {
                    speaking = 1;
                } else if (events[i].type == ASR_EVENT_SPEECH_END) {
                    speaking = 0;
                    fprintf(stderr, "\n");
                    printf("%.2f %.2f\n", (double)events[i].start / ASR_RATE_HZ, (double)events[i].end / ASR_RATE_HZ);
                    fflush(stdout);
                }
            }
        }
        show_level(asr_frontend_level_dbfs(frontend), speaking);
    }
    free(pcm);
    asr_frontend_destroy(frontend);
    return 0;
}
