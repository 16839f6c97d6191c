// @ts-check
/** Where audio comes from: the microphone, or a file at the pace of speech or as fast as the server takes it. @module */

import { SAMPLE_RATE_HZ, toPcm, wavHeader } from './pcm.js';

/** A file is sent in packets of this length. */
const FILE_PACKET_S = 0.04;
/** Microphone packets that may wait for a slow network; past them the recognition would be of the past. */
const WAITING_PACKETS = 1500; // 60 s

/**
 * @typedef {object} Source
 * @property {AsyncIterable<Uint8Array>} audio
 * @property {string} contentType
 * @property {boolean} live  the audio comes at the pace of speech, so latency means something
 * @property {() => void} stop  ends the audio; what was said is still recognised
 */

/** A microphone that cannot be used, in words for its owner. */
export class MicrophoneError extends Error {}

/**
 * Open the microphone.
 *
 * @param {{ processed: boolean, onSamples: (samples: Int16Array) => void }} options  `processed` lets the browser work
 *   on level, noise and echo; `onSamples` is shown every packet as it comes
 * @returns {Promise<Source>}
 * @throws {MicrophoneError}
 */
export async function openMicrophone({ processed, onSamples }) {
  if (!navigator.mediaDevices) {
    throw new MicrophoneError('Browsers give the microphone only to https:// pages and to localhost. Use one of these addresses, or open a file.');
  }
  /** @type {MediaStream} */
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: processed, noiseSuppression: processed, autoGainControl: processed },
    });
  } catch (error) {
    const { name, message } = /** @type {DOMException} */ (error);
    const words = {
      NotAllowedError: 'The browser was not allowed to use the microphone. Allow it in the address bar and try again.',
      NotFoundError: 'No microphone was found. Plug one in, or open a file.',
      NotReadableError: 'Another program holds the microphone.',
    };
    throw new MicrophoneError(words[/** @type {keyof typeof words} */ (name)] ?? message);
  }
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule(new URL('capture-worklet.js', import.meta.url));
    await context.resume(); // the click that allows sound may be seconds ago
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    throw error;
  }
  const node = new AudioWorkletNode(context, 'capture', { numberOfOutputs: 0 });
  context.createMediaStreamSource(stream).connect(node);

  /** @type {Uint8Array[]} */
  const waiting = [wavHeader()];
  let ended = false;
  let wake = () => {};
  const stop = () => {
    if (ended) return;
    ended = true;
    for (const track of stream.getTracks()) track.stop();
    context.close();
    wake();
  };
  stream.getAudioTracks()[0]?.addEventListener('ended', stop); // unplugged
  node.port.onmessage = ({ data }) => {
    if (ended) return;
    onSamples(data);
    waiting.push(new Uint8Array(data.buffer));
    if (waiting.length > WAITING_PACKETS) stop();
    wake();
  };
  async function* packets() {
    try {
      for (;;) {
        while (waiting.length) yield /** @type {Uint8Array} */ (waiting.shift());
        if (ended) return;
        await new Promise((resolve) => {
          wake = () => resolve(undefined);
        });
      }
    } finally {
      stop();
    }
  }
  return { audio: packets(), contentType: 'audio/wav', live: true, stop };
}

/**
 * Read an audio file. WAV goes to the server as it is, so that its telephone codecs are the server's to read; other
 * formats are decoded by the browser.
 *
 * @param {Blob} file
 * @param {{ fast: boolean, onSamples: (samples: Int16Array) => void }} options
 * @returns {Promise<Source>}
 */
export async function openFile(file, { fast, onSamples }) {
  const original = new Uint8Array(await file.arrayBuffer());
  const isWav = new TextDecoder('latin1').decode(original.subarray(0, 12)).match(/^RIFF....WAVE$/s) !== null;
  const samples = await decode(original).catch(() => null);
  if (!samples && !isWav) throw new Error('The browser cannot read this file as audio.');
  const pcm = toPcm(samples ?? new Float32Array());
  const bytes = isWav ? original : concatenate(wavHeader(pcm.byteLength), new Uint8Array(pcm.buffer));
  const packets = Math.max(1, Math.ceil(pcm.length / (FILE_PACKET_S * SAMPLE_RATE_HZ)));
  let stopped = false;

  async function* paced() {
    const startMs = performance.now();
    for (let index = 0; index < packets && !stopped; index += 1) {
      const dueMs = startMs + (index + 1) * FILE_PACKET_S * 1000; // a packet is there when its last sample was spoken
      if (!fast && dueMs > performance.now()) await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
      if (stopped) return;
      onSamples(pcm.subarray(share(pcm.length, index), share(pcm.length, index + 1)));
      yield bytes.subarray(share(bytes.length, index), share(bytes.length, index + 1));
    }
  }
  const share = (/** @type {number} */ whole, /** @type {number} */ part) => Math.floor((whole * part) / packets);
  return { audio: paced(), contentType: 'audio/wav', live: !fast, stop: () => { stopped = true; } };
}

/** @param {Uint8Array} bytes @returns {Promise<Float32Array>} mono at 16 kHz */
async function decode(bytes) {
  const context = new OfflineAudioContext(1, 1, SAMPLE_RATE_HZ);
  const buffer = await context.decodeAudioData(bytes.slice().buffer);
  const mono = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
    buffer.getChannelData(channel).forEach((value, index) => {
      mono[index] = mono[index] + value / buffer.numberOfChannels;
    });
  }
  return mono;
}

/** @param {Uint8Array} first @param {Uint8Array} second */
function concatenate(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
