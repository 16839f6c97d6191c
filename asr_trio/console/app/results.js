// @ts-check
/** What was recognised: the running text, the alternatives of one segment and what they mean. @module */

import { formatSeconds, make } from './dom.js';
import { confidence } from './timeline.js';

/** @typedef {import('../asr-client.js').RecognitionResult} RecognitionResult */

/** What a result without words means to somebody who has just spoken. */
const STATUS_WORDS = {
  NO_MATCH: 'Speech was heard, but nothing that fits was said.',
  NO_SPEECH: 'The audio ended without speech.',
  NO_INPUT_TIMEOUT: 'No speech came in time.',
  RECOGNITION_TIMEOUT: 'Recognition took longer than it may.',
  MAX_SPEECH: 'Speech went on longer than it may.',
  EARLY_SPEECH: 'Speech began before listening did.',
  FAILURE: 'The recogniser failed.',
};

export class Results {
  /** @type {Map<number, RecognitionResult>} */
  #results = new Map();
  /** @type {Map<number, HTMLElement>} */
  #lines = new Map();
  #transcript;
  #alternatives;
  #interpretation;
  #onSelect;

  /**
   * @param {{ transcript: HTMLElement, alternatives: HTMLElement, interpretation: HTMLElement }} places
   * @param {(segment: number) => void} onSelect
   */
  constructor({ transcript, alternatives, interpretation }, onSelect) {
    this.#transcript = transcript;
    this.#alternatives = alternatives;
    this.#interpretation = interpretation;
    this.#onSelect = onSelect;
    this.clear();
  }

  clear() {
    this.#results.clear();
    this.#lines.clear();
    this.#transcript.replaceChildren();
    this.#alternatives.replaceChildren(make('li', { class: 'nothing' }, 'Hypotheses with their confidence appear here.'));
    this.#interpretation.replaceChildren(make('p', { class: 'nothing' }, 'What a grammar makes of the words appears here.'));
  }

  /** @param {RecognitionResult} result  partial or final */
  show(result) {
    const index = result.segment_index;
    const text = result.alternatives[0]?.text;
    const closing = !text && ['NO_SPEECH', 'NO_INPUT_TIMEOUT'].includes(result.result_status) && this.#results.size > 0;
    if (closing) return; // ends continuous mode; every segment has had its own result
    let line = this.#lines.get(index);
    if (!line) {
      line = make('button', { type: 'button', class: 'line' });
      line.addEventListener('click', () => this.select(index));
      this.#lines.set(index, line);
      this.#transcript.append(line);
    }
    const final = result.final_result;
    line.className = `line ${final ? 'final' : 'partial'}${text ? '' : ' miss'}`;
    // Partial results change many times a second: a screen reader hears the final one only.
    line.toggleAttribute('aria-hidden', !final);
    const known = STATUS_WORDS[/** @type {keyof typeof STATUS_WORDS} */ (result.result_status)] ?? result.result_status;
    const words = text ?? (result.message ? `${known} (${result.message})` : known);
    line.replaceChildren(make('span', { class: 'text' }, words));
    if (final) {
      const score = result.alternatives[0]?.score;
      const details = [formatSeconds(result.start_time), text ? `${score} %` : result.result_status];
      line.append(make('span', { class: 'about' }, details.join(' · ')));
      this.#results.set(index, result);
      this.select(index);
    }
  }

  /** @param {number} index */
  select(index) {
    const result = this.#results.get(index);
    if (!result) return;
    for (const [segment, line] of this.#lines) line.toggleAttribute('aria-current', segment === index && this.#lines.size > 1);
    this.detail(result);
    this.#onSelect(index);
  }

  /** @param {RecognitionResult} result */
  detail(result) {
    const best = result.alternatives[0];
    this.#alternatives.replaceChildren(...result.alternatives.map((alternative) => {
      const bar = make('i', { 'data-confidence': confidence(alternative.score) });
      bar.style.width = `${Math.max(2, alternative.score)}%`;
      const text = make('span', { class: 'text' }, ...difference(alternative.text, best?.text ?? ''));
      const lm = alternative === best || alternative.lm !== best?.lm ? alternative.lm : '';
      const about = make('span', { class: 'about' }, lm ?? '');
      return make('li', {}, text, make('span', { class: 'score' }, String(alternative.score)), make('span', { class: 'bar', 'aria-hidden': 'true' }, bar), about);
    }));
    if (!result.alternatives.length) {
      this.#alternatives.append(make('li', { class: 'nothing' }, `${result.result_status}: none.`));
    }
    const meanings = result.alternatives.flatMap(({ interpretations = [], interpretation_scores: scores = [] }) =>
      interpretations.map((value, index) => ({ value, score: scores[index] })));
    this.#interpretation.replaceChildren(...meanings.map(({ value, score }) =>
      make('div', { class: 'meaning' }, make('span', { class: 'score' }, String(score ?? '')), jsonView(value))));
    if (!meanings.length) {
      this.#interpretation.append(make('p', { class: 'nothing' }, 'Free speech has no interpretation; a grammar gives one.'));
    }
  }
}

/**
 * Mark the words that differ from the best hypothesis (longest common subsequence).
 *
 * @param {string} text
 * @param {string} best
 * @returns {(Node | string)[]}
 */
function difference(text, best) {
  if (text === best) return [text];
  const mine = text.split(' ');
  const theirs = best.split(' ');
  const lengths = Array.from({ length: mine.length + 1 }, () => new Array(theirs.length + 1).fill(0));
  for (let i = mine.length - 1; i >= 0; i -= 1) {
    for (let j = theirs.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = mine[i] === theirs[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  /** @type {(Node | string)[]} */
  const shown = [];
  for (let i = 0, j = 0; i < mine.length; i += 1) {
    while (mine[i] !== theirs[j] && j < theirs.length && lengths[i][j + 1] > lengths[i + 1][j]) j += 1;
    const same = mine[i] === theirs[j];
    if (same) j += 1;
    const word = mine[i];
    shown.push(...(i ? [' '] : []), same ? word : make('mark', {}, word));
  }
  return shown;
}

/** @param {unknown} value */
function jsonView(value) {
  const view = make('pre', { class: 'json' });
  const text = JSON.stringify(value, null, 2) ?? String(value);
  const tokens = /(?<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?<string>"(?:[^"\\]|\\.)*")|(?<number>-?\d[\d.eE+-]*)|(?<word>true|false|null)/g;
  let last = 0;
  for (const match of text.matchAll(tokens)) {
    const kind = Object.entries(match.groups ?? {}).find(([, found]) => found !== undefined)?.[0] ?? '';
    view.append(text.slice(last, match.index), make('span', { class: kind }, match[0]));
    last = match.index + match[0].length;
  }
  view.append(text.slice(last));
  return view;
}
