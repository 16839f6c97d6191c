// @ts-check
/**
 * Streaming conversion of the sample rate by a polyphase windowed sinc (Kaiser window; Oppenheim & Schafer, 7.6).
 * The output is the same however the input is cut into blocks. @module
 */

/** Zero crossings on each side; with BETA this puts aliases 80 dB down. */
const ZERO_CROSSINGS = 24;
const BETA = 8;
/** Part of the narrower band that is kept; the rest is the filter's slope. */
const PASS_BAND = 0.92;

/** @param {number} x  modified Bessel function of order 0 */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** @param {number} a @param {number} b @returns {number} */
const gcd = (a, b) => (b ? gcd(b, a % b) : a);

export class Resampler {
  #step; // input samples from one output sample to the next, times #phases
  #phases;
  #half; // taps on each side of the output's place
  /** @type {Float32Array[]} */
  #table = [];
  #history;
  #at = 0; // place of the next output in #history, times #phases

  /**
   * @param {number} inputRateHz
   * @param {number} outputRateHz
   */
  constructor(inputRateHz, outputRateHz) {
    const common = gcd(inputRateHz, outputRateHz);
    this.#step = inputRateHz / common;
    this.#phases = outputRateHz / common;
    const cutoff = Math.min(1, outputRateHz / inputRateHz) * PASS_BAND; // 1 is half the input rate
    this.#half = Math.ceil(ZERO_CROSSINGS / cutoff);
    for (let phase = 0; phase < this.#phases; phase += 1) {
      const taps = Float32Array.from({ length: 2 * this.#half }, (_, tap) => {
        const x = tap - this.#half + 1 - phase / this.#phases;
        const sinc = x === 0 ? cutoff : Math.sin(Math.PI * cutoff * x) / (Math.PI * x);
        const window = bessel(BETA * Math.sqrt(Math.max(0, 1 - (x / this.#half) ** 2))) / bessel(BETA);
        return sinc * window;
      });
      this.#table.push(taps);
    }
    this.#history = new Float32Array(this.#half - 1); // silence before the first sample: output 0 is input 0
  }

  /**
   * @param {Float32Array} input
   * @returns {Float32Array} what is ready; the last half filter length waits for the next block
   */
  process(input) {
    const samples = new Float32Array(this.#history.length + input.length);
    samples.set(this.#history);
    samples.set(input, this.#history.length);
    const width = 2 * this.#half;
    const ready = Math.max(0, Math.ceil(((samples.length - width + 1) * this.#phases - this.#at) / this.#step));
    const output = new Float32Array(ready);
    for (let index = 0; index < ready; index += 1, this.#at += this.#step) {
      const from = Math.floor(this.#at / this.#phases);
      const taps = this.#table[this.#at % this.#phases];
      let sum = 0;
      for (let tap = 0; tap < width; tap += 1) sum += samples[from + tap] * taps[tap];
      output[index] = sum;
    }
    const used = Math.min(samples.length, Math.floor(this.#at / this.#phases));
    this.#at -= used * this.#phases;
    this.#history = samples.slice(used);
    return output;
  }

  /** @returns {Float32Array} the end of the signal, as if silence followed */
  flush() {
    return this.process(new Float32Array(this.#half));
  }
}
