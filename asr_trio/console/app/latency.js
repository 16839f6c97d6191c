// @ts-check
/**
 * Latency as a caller feels it: from the moment a sound was sent to the moment the server had said something about it.
 *
 * Only audio at the pace of speech has such moments. For a file that is sent faster there is a rate instead. @module
 */

import { make } from './dom.js';

/** @typedef {import('../asr-client.js').RecognitionEvent} RecognitionEvent */

/** What is measured, in the order of the list. */
const FIGURES = {
  connect: ['Session ready', 'from the call of connect'],
  listening: ['Listening', 'from START_RECOGNITION to its answer'],
  speechStart: ['Start of speech told', 'after the first word began'],
  firstPartial: ['First words shown', 'after the first word began'],
  speechEnd: ['End of speech told', 'after the last word ended; the silence that ends speech is part of it'],
  result: ['Result', 'after the last word ended'],
  decode: ['Result after the end of speech', 'what the server still had to do'],
};

/** @typedef {keyof typeof FIGURES} Figure */

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** The wall-clock time at which each position of the audio was sent. */
export class AudioClock {
  /** @type {{ positionS: number, timeMs: number }[]} */
  #points = [];

  /** @param {number} positionS @param {number} timeMs */
  sent(positionS, timeMs) {
    this.#points.push({ positionS, timeMs });
  }

  /** @param {number} positionS @returns {number | null} when the audio up to there had been sent */
  at(positionS) {
    return this.#points.find((point) => point.positionS >= positionS)?.timeMs ?? null;
  }
}

export class Latency {
  /** @type {Map<Figure, number[]>} */
  #history = new Map();
  /** @type {Partial<Record<Figure, number>>} */
  #latest = {};
  #rate = '';
  #list;

  /** @param {HTMLElement} list  a `dl` */
  constructor(list) {
    this.#list = list;
    this.#show();
  }

  begin() {
    const connect = this.#latest.connect;
    this.#latest = connect === undefined ? {} : { connect };
    this.#rate = '';
  }

  /** @param {Figure} figure @param {number} ms */
  add(figure, ms) {
    this.#latest[figure] = ms;
    const values = this.#history.get(figure) ?? [];
    values.push(ms);
    this.#history.set(figure, values);
    this.#show();
  }

  /**
   * Work out the figures of one segment.
   *
   * @param {{ clock: AudioClock, speechStartMs: number, firstPartialMs: number, speechEndMs: number, resultMs: number }} moments  NaN where there was none
   * @param {import('../asr-client.js').RecognitionResult} result
   */
  segment({ clock, speechStartMs, firstPartialMs, speechEndMs, resultMs }, result) {
    const words = result.alternatives[0]?.words;
    const beganMs = words?.[0] ? clock.at(words[0].start_time) : null;
    const last = words?.at(-1);
    const endedMs = last ? clock.at(last.end_time) : null;
    /** @type {[Figure, number][]} */
    const figures = [
      ['speechStart', speechStartMs - (beganMs ?? NaN)],
      ['firstPartial', firstPartialMs - (beganMs ?? NaN)],
      ['speechEnd', speechEndMs - (endedMs ?? NaN)],
      ['result', resultMs - (endedMs ?? NaN)],
      ['decode', resultMs - speechEndMs],
    ];
    for (const [figure, ms] of figures) if (Number.isFinite(ms)) this.add(figure, ms);
  }

  /** @param {number} audioS @param {number} tookMs */
  rate(audioS, tookMs) {
    this.#rate = `${((audioS * 1000) / tookMs).toFixed(1)} × as fast as speech: ${audioS.toFixed(1)} s in ${(tookMs / 1000).toFixed(2)} s`;
    this.#show();
  }

  #show() {
    const rows = Object.entries(FIGURES).map(([figure, [name, meaning]]) => {
      const latest = this.#latest[/** @type {Figure} */ (figure)];
      const history = this.#history.get(/** @type {Figure} */ (figure)) ?? [];
      const value = latest === undefined ? '–' : `${Math.round(latest)} ms`.replace('-', '−');
      const past = history.length > 1 ? make('span', { class: 'about' }, `median ${Math.round(median(history))} of ${history.length}`) : '';
      return make('div', { class: latest === undefined ? 'missing' : '' },
        make('dt', {}, /** @type {string} */ (name), make('span', { class: 'about' }, /** @type {string} */ (meaning))), make('dd', {}, value, past));
    });
    if (this.#rate) rows.push(make('div', { class: 'rate' }, make('dt', {}, 'Rate'), make('dd', {}, this.#rate)));
    this.#list.replaceChildren(...rows);
  }
}
