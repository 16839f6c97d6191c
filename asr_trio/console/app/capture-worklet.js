// @ts-check
/** Runs in the audio thread: mixes the microphone to mono, brings it to 16 kHz and posts packets of 16-bit samples. @module */

import { toPcm } from './pcm.js';
import { Resampler } from './resampler.js';

/** 40 ms: short against the pace of speech, long against the cost of a message. */
const PACKET_SAMPLES = 640;

class Capture extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, 16_000);
  #packet = new Float32Array(PACKET_SAMPLES);
  #filled = 0;

  /** @param {Float32Array[][]} inputs */
  process([input]) {
    const [first, ...others] = input ?? [];
    if (!first) return true;
    const mono = Float32Array.from(first, (value, index) =>
      others.reduce((sum, channel) => sum + (channel[index] ?? 0), value) / (others.length + 1));
    for (const value of this.#resampler.process(mono)) {
      this.#packet[this.#filled] = value;
      this.#filled += 1;
      if (this.#filled === PACKET_SAMPLES) {
        this.#filled = 0;
        const samples = toPcm(this.#packet);
        this.port.postMessage(samples, [samples.buffer]);
      }
    }
    return true;
  }
}

registerProcessor('capture', Capture);
