/* Cuts a WAV file into segments of speech:  wav2segments FILE.wav [FOLDER]
 *
 * Prints the times of every segment; with a folder, writes each as FOLDER/NNN.wav (16 kHz, 16-bit). Shows the whole use of
 * the front end: one handle, packets in, events and audio out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asr_dsp.h"

static uint32_t read_u32(const unsigned char *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint16_t read_u16(const unsigned char *bytes) {
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* Reads the header up to the samples; returns 0 where it is not one that we know. */
static int read_header(FILE *file, asr_frontend_config *config) {
    unsigned char head[16];
    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVE", 4) != 0) {
        return 0;
    }
    while (fread(head, 1, 8, file) == 8) {
        const uint32_t size = read_u32(head + 4);
        if (memcmp(head, "data", 4) == 0) {
            return 1;
        }
        long skip = (long)size + (long)(size & 1u);
        if (memcmp(head, "fmt ", 4) == 0 && size >= 16) {
            if (fread(head, 1, 16, file) != 16) {
                return 0;
            }
            skip -= 16;
            const uint16_t tag = read_u16(head);
            const uint16_t bits = read_u16(head + 14);
            config->channels = read_u16(head + 2);
            config->sample_rate_hz = read_u32(head + 4);
            config->encoding = tag == 6    ? ASR_ALAW
                               : tag == 7  ? ASR_ULAW
                               : tag == 3  ? (bits == 64 ? ASR_PCM_F64 : ASR_PCM_F32)
                               : bits == 8 ? ASR_PCM_U8
                               : bits == 24 ? ASR_PCM_S24
                               : bits == 32 ? ASR_PCM_S32
                                            : ASR_PCM_S16;
        }
        if (fseek(file, skip, SEEK_CUR) != 0) {
            return 0;
        }
    }
    return 0;
}

static void put_u32(unsigned char *bytes, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(value >> (8 * i));
    }
}

static void write_header(FILE *file, uint32_t data_bytes) {
    unsigned char head[44] = "RIFF____WAVEfmt \x10\0\0\0\x01\0\x01\0________\x02\0\x10\0data";
    put_u32(head + 4, 36 + data_bytes);
    put_u32(head + 24, ASR_RATE_HZ);
    put_u32(head + 28, ASR_RATE_HZ * 2);
    put_u32(head + 40, data_bytes);
    rewind(file);
    fwrite(head, 1, sizeof head, file);
}

typedef struct writer {
    const char *folder; /* or null */
    FILE *file;
    unsigned number;
    uint32_t data_bytes;
} writer;

static void take_events(writer *out, const asr_event *events, size_t count, const int16_t *pcm) {
    for (size_t i = 0; i < count; i++) {
        const asr_event *event = &events[i];
        switch (event->type) {
        case ASR_EVENT_SPEECH_START:
            if (out->folder != NULL) {
                char path[4096];
                snprintf(path, sizeof path, "%s/%03u.wav", out->folder, out->number);
                out->file = fopen(path, "wb");
                if (out->file == NULL) {
                    perror(path);
                    exit(1);
                }
                out->data_bytes = 0;
                write_header(out->file, 0);
            }
            break;
        case ASR_EVENT_SPEECH_AUDIO:
            if (out->file != NULL) {
                const size_t samples = (size_t)(event->end - event->start);
                fwrite(pcm + event->pcm_offset, sizeof *pcm, samples, out->file); /* a little-endian machine */
                out->data_bytes += (uint32_t)(samples * sizeof *pcm);
            }
            break;
        case ASR_EVENT_SPEECH_END:
            printf("%u\t%.3f\t%.3f\n", out->number++, (double)event->start / ASR_RATE_HZ, (double)event->end / ASR_RATE_HZ);
            if (out->file != NULL) {
                write_header(out->file, out->data_bytes);
                fclose(out->file);
                out->file = NULL;
            }
            break;
        case ASR_EVENT_DTMF: printf("key %c\t%.3f\n", event->detail, (double)event->start / ASR_RATE_HZ); break;
        default: break;
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s FILE.wav [FOLDER]\n", argv[0]);
        return 2;
    }
    FILE *file = fopen(argv[1], "rb");
    if (file == NULL) {
        perror(argv[1]);
        return 1;
    }
    asr_frontend_config config;
    asr_frontend_defaults(&config);
    config.endpointer.continuous = 1;
    asr_frontend *frontend = read_header(file, &config) ? asr_frontend_create(&config) : NULL;
    if (frontend == NULL) {
        fprintf(stderr, "%s: not a WAV file that can be read\n", argv[1]);
        fclose(file);
        return 1;
    }
    const size_t room = asr_frontend_output_samples(frontend);
    int16_t *pcm = malloc(room * sizeof *pcm);
    if (pcm == NULL) {
        return 1;
    }
    writer out = {.folder = argc == 3 ? argv[2] : NULL};
    asr_event events[ASR_MIN_EVENTS];
    unsigned char packet[640];
    size_t size;
    while ((size = fread(packet, 1, sizeof packet, file)) > 0) {
        int status = ASR_MORE;
        for (size_t used = 0; status == ASR_MORE;) {
            size_t taken = size - used;
            size_t samples = room;
            size_t count = ASR_MIN_EVENTS;
            status = asr_frontend_process(frontend, packet + used, &taken, pcm, &samples, events, &count);
            if (status < ASR_OK) {
                fprintf(stderr, "%s\n", asr_strerror(status));
                return 1;
            }
            take_events(&out, events, count, pcm);
            used += taken;
        }
    }
    for (int status = ASR_MORE; status == ASR_MORE;) {
        size_t samples = room;
        size_t count = ASR_MIN_EVENTS;
        status = asr_frontend_flush(frontend, pcm, &samples, events, &count);
        take_events(&out, events, count, pcm);
    }
    free(pcm);
    asr_frontend_destroy(frontend);
    fclose(file);
    return 0;
}
