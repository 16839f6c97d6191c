// @ts-check
/** Samples as numbers and as bytes. @module */

export const SAMPLE_RATE_HZ = 16_000;

/** A WAV header whose sizes say "until the last packet". */
const UNKNOWN_SIZE = 0xffffffff;

/**
 * @param {Float32Array} samples  full scale is ±1
 * @returns {Int16Array<ArrayBuffer>} clipped, rounded to nearest
 */
export function toPcm(samples) {
  const pcm = new Int16Array(samples.length);
  for (let index = 0; index < samples.length; index += 1) {
    pcm[index] = Math.round(Math.max(-1, Math.min(1, samples[index])) * 32_767);
  }
  return pcm;
}

/**
 * @param {number} [dataBytes]
 * @returns {Uint8Array} the header of a mono 16-bit WAV stream
 */
export function wavHeader(dataBytes = UNKNOWN_SIZE) {
  const view = new DataView(new ArrayBuffer(44));
  const name = (/** @type {number} */ at, /** @type {string} */ text) => {
    for (let index = 0; index < 4; index += 1) view.setUint8(at + index, text.charCodeAt(index));
  };
  name(0, 'RIFF');
  view.setUint32(4, Math.min(UNKNOWN_SIZE, dataBytes + 36), true);
  name(8, 'WAVE');
  name(12, 'fmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true);
  view.setUint32(24, SAMPLE_RATE_HZ, true);
  view.setUint32(28, SAMPLE_RATE_HZ * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  name(36, 'data');
  view.setUint32(40, dataBytes, true);
  return new Uint8Array(view.buffer);
}

/**
 * @param {Int16Array} pcm
 * @returns {{ rmsDb: number, peakDb: number }} dB below full scale; −Infinity for digital silence
 */
export function level(pcm) {
  let energy = 0;
  let peak = 0;
  for (const sample of pcm) {
    energy += sample * sample;
    peak = Math.max(peak, Math.abs(sample));
  }
  const db = (/** @type {number} */ amplitude) => 20 * Math.log10(amplitude / 32_768);
  return { rmsDb: db(Math.sqrt(energy / Math.max(1, pcm.length))), peakDb: db(peak) };
}
