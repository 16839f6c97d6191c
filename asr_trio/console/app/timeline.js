// @ts-check
/**
 * The time line: waveform, speech as the server marked it, and words under the sound that they were heard in.
 *
 * The canvas is as wide as what can be seen of it and sticks there while the track scrolls underneath, so that an hour
 * of dictation costs no more to draw than a second. @module
 */

import { formatSeconds, make } from './dom.js';
import { SAMPLE_RATE_HZ } from './pcm.js';

const COLUMN_SAMPLES = 80; // 5 ms: one entry of the peaks
const COLUMNS_PER_S = SAMPLE_RATE_HZ / COLUMN_SAMPLES;
const ZOOM_PX_PER_S = [10, 20, 40, 70, 110, 170, 260, 400];
const DEFAULT_ZOOM = 5;
/** Room for what comes next while audio is running, seconds. */
const LEAD_S = 1;

/**
 * @typedef {object} Segment
 * @property {number} startS
 * @property {number | null} endS  null while speech goes on
 * @property {boolean} exact  the times are the server's, not those of the messages' arrival
 * @property {boolean} matched
 */

export class Timeline {
  /** @type {number[]} */
  #peaks = [];
  #columnPeak = 0;
  #columnFilled = 0;
  #samples = 0;
  /** @type {Map<number, Segment>} */
  #segments = new Map();
  /** @type {Map<number, HTMLElement[]>} */
  #words = new Map();
  #selected = 0;
  #running = false;
  /** @type {number | null} */
  #playheadS = null;
  #pxPerS = ZOOM_PX_PER_S[DEFAULT_ZOOM];
  #drawn = true;
  #root;
  #zoomButtons;
  #scroller;
  #track;
  #canvas;
  #list;

  /**
   * @param {HTMLElement} root  the element that holds the parts
   * @param {HTMLElement} zoom  the buttons
   */
  constructor(root, zoom) {
    this.#root = root;
    this.#zoomButtons = zoom;
    this.#scroller = /** @type {HTMLElement} */ (root.querySelector('.scroller'));
    this.#track = /** @type {HTMLElement} */ (root.querySelector('.track'));
    this.#canvas = /** @type {HTMLCanvasElement} */ (root.querySelector('canvas'));
    this.#list = /** @type {HTMLElement} */ (root.querySelector('.words'));
    this.#scroller.addEventListener('scroll', () => this.#invalidate(), { passive: true });
    new ResizeObserver(() => this.#invalidate()).observe(this.#scroller);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#invalidate());
    zoom.addEventListener('click', (event) => {
      const how = event.target instanceof HTMLElement ? event.target.dataset['zoom'] : undefined;
      if (how) this.#zoom(how);
    });
    this.#invalidate();
  }

  get lengthS() {
    return this.#samples / SAMPLE_RATE_HZ;
  }

  clear() {
    this.#peaks = [];
    this.#columnPeak = this.#columnFilled = this.#samples = 0;
    this.#segments.clear();
    this.#words.clear();
    this.#list.replaceChildren();
    this.#playheadS = null;
    this.#scroller.scrollLeft = 0;
    if (!ZOOM_PX_PER_S.includes(this.#pxPerS)) this.#pxPerS = ZOOM_PX_PER_S[DEFAULT_ZOOM];
    this.running = true;
  }

  /** While audio runs the view follows it. */
  set running(/** @type {boolean} */ value) {
    this.#running = value;
    this.#root.classList.toggle('filled', value || this.#samples > 0);
    this.#zoomButtons.hidden = value || this.#samples === 0;
    if (!value && this.#samples) {
      this.#canvas.setAttribute('aria-label', `Waveform of ${formatSeconds(this.lengthS)}; ${this.#describe()}`);
      requestAnimationFrame(() => this.select(this.#selected)); // once the track has its final width
    }
    this.#invalidate();
  }

  /** @param {number | null} seconds */
  set playheadS(seconds) {
    this.#playheadS = seconds;
    this.#invalidate();
  }

  /** @param {Int16Array} samples */
  append(samples) {
    for (const sample of samples) {
      this.#columnPeak = Math.max(this.#columnPeak, Math.abs(sample));
      this.#columnFilled += 1;
      if (this.#columnFilled === COLUMN_SAMPLES) {
        this.#peaks.push(this.#columnPeak / 32_768);
        this.#columnPeak = this.#columnFilled = 0;
      }
    }
    this.#samples += samples.length;
    this.#invalidate();
  }

  /**
   * @param {number} index
   * @param {Partial<Segment>} what
   */
  mark(index, what) {
    const known = this.#segments.get(index) ?? { startS: 0, endS: null, exact: false, matched: true };
    this.#segments.set(index, { ...known, ...what });
    this.#invalidate();
  }

  /**
   * @param {number} index  segment
   * @param {import('../asr-client.js').Word[]} words
   */
  place(index, words) {
    for (const old of this.#words.get(index) ?? []) old.remove();
    const items = words.map((word) => {
      const label = `${word.text}, ${formatSeconds(word.start_time)} to ${formatSeconds(word.end_time)}, confidence ${word.score}`;
      const item = make('li', { title: label, 'data-confidence': confidence(word.score) },
        make('span', { 'aria-hidden': 'true' }, word.text), make('span', { class: 'hidden' }, label));
      item.dataset['start'] = String(word.start_time);
      item.dataset['end'] = String(word.end_time);
      return item;
    });
    this.#words.set(index, items);
    this.#list.append(...items);
    this.#layOut();
  }

  /** @param {number} index  the segment that the cards show */
  select(index) {
    this.#selected = index;
    const segment = this.#segments.get(index);
    if (segment && !this.#running) this.#scroller.scrollTo({ left: Math.max(0, segment.startS - 0.3) * this.#pxPerS });
    this.#invalidate();
  }

  /** @param {string} how */
  #zoom(how) {
    const centreS = (this.#scroller.scrollLeft + this.#scroller.clientWidth / 2) / this.#pxPerS;
    if (how === 'fit') this.#pxPerS = this.#scroller.clientWidth / Math.max(1, this.lengthS);
    else if (how === 'in') this.#pxPerS = ZOOM_PX_PER_S.find((zoom) => zoom > this.#pxPerS) ?? this.#pxPerS;
    else this.#pxPerS = ZOOM_PX_PER_S.findLast((zoom) => zoom < this.#pxPerS) ?? this.#pxPerS;
    this.#layOut();
    this.#draw();
    this.#scroller.scrollLeft = centreS * this.#pxPerS - this.#scroller.clientWidth / 2;
  }

  #describe() {
    const spans = [...this.#segments.values()].map(({ startS, endS }) => `speech from ${formatSeconds(startS)} to ${formatSeconds(endS ?? this.lengthS)}`);
    return spans.join(', ') || 'no speech found';
  }

  #layOut() {
    for (const item of /** @type {HTMLCollectionOf<HTMLElement>} */ (this.#list.children)) {
      const startPx = Number(item.dataset['start']) * this.#pxPerS;
      const widthPx = Math.max(3, Number(item.dataset['end']) * this.#pxPerS - startPx - 2);
      item.style.left = `${startPx}px`;
      item.style.width = `${widthPx}px`;
      item.classList.toggle('tight', widthPx < 16);
    }
    this.#invalidate();
  }

  #invalidate() {
    if (!this.#drawn) return;
    this.#drawn = false;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#drawn = true;
    const widthPx = this.#scroller.clientWidth;
    const wholePx = Math.max(widthPx, (this.lengthS + (this.#running ? LEAD_S : 0)) * this.#pxPerS);
    this.#track.style.width = `${Math.floor(wholePx)}px`;
    if (this.#running) this.#scroller.scrollLeft = wholePx - widthPx;

    const heightPx = this.#canvas.clientHeight;
    const scale = devicePixelRatio || 1;
    this.#canvas.style.width = `${widthPx}px`;
    if (this.#canvas.width !== Math.round(widthPx * scale) || this.#canvas.height !== Math.round(heightPx * scale)) {
      this.#canvas.width = Math.round(widthPx * scale);
      this.#canvas.height = Math.round(heightPx * scale);
    }
    const context = this.#canvas.getContext('2d');
    if (!context || !widthPx || !heightPx) return;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, widthPx, heightPx);
    const style = getComputedStyle(this.#root);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name);
    const place = (/** @type {number} */ seconds) => seconds * this.#pxPerS - this.#scroller.scrollLeft;
    const rulerPx = 18;
    const waveHeightPx = heightPx - rulerPx;

    this.#drawSegments(context, { place, widthPx, waveHeightPx, colour });
    this.#drawRuler(context, { place, widthPx, waveHeightPx, colour });
    this.#drawWave(context, { place, widthPx, waveHeightPx, colour });
    for (const [seconds, shown] of /** @type {[number | null, boolean][]} */ ([[this.lengthS, this.#running], [this.#playheadS, true]])) {
      if (seconds === null || !shown) continue;
      context.fillStyle = colour('--record-line');
      context.fillRect(Math.round(place(seconds)) - 1, 0, 2, waveHeightPx);
    }
  }

  /**
   * @typedef {{ place: (seconds: number) => number, widthPx: number, waveHeightPx: number, colour: (name: string) => string }} Paint
   * @param {CanvasRenderingContext2D} context
   * @param {Paint} paint
   */
  #drawSegments(context, { place, widthPx, waveHeightPx, colour }) {
    context.font = `11px ${getComputedStyle(this.#root).fontFamily}`;
    for (const [index, { startS, endS, exact, matched }] of this.#segments) {
      const from = place(startS);
      const to = place(endS ?? this.lengthS);
      if (to < 0 || from > widthPx) continue;
      context.fillStyle = colour(matched ? '--speech-band' : '--miss-band');
      context.fillRect(from, 0, Math.max(1, to - from), waveHeightPx);
      context.fillStyle = colour(matched ? '--speech-line' : '--muted');
      context.globalAlpha = exact ? 1 : 0.5;
      context.fillRect(Math.round(from), 0, index === this.#selected ? 2 : 1, waveHeightPx);
      if (endS !== null) context.fillRect(Math.round(to), 0, index === this.#selected ? 2 : 1, waveHeightPx);
      context.globalAlpha = 1;
      if (to - from > 110 || endS === null) {
        context.textAlign = 'left';
        context.fillText(formatSeconds(startS), from + 5, 12);
        context.textAlign = 'right';
        if (endS !== null) context.fillText(formatSeconds(endS), to - 5, 12);
      }
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {Paint} paint */
  #drawRuler(context, { place, widthPx, waveHeightPx, colour }) {
    const stepS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600].find((step) => step * this.#pxPerS >= 56) ?? 600;
    const firstS = Math.floor(this.#scroller.scrollLeft / this.#pxPerS / stepS) * stepS;
    context.fillStyle = colour('--line');
    context.fillRect(0, waveHeightPx, widthPx, 1);
    context.textAlign = 'left';
    for (let seconds = firstS; place(seconds) < widthPx; seconds += stepS) {
      const x = Math.round(place(seconds));
      context.fillStyle = colour('--line');
      context.fillRect(x, waveHeightPx, 1, 6);
      context.fillStyle = colour('--muted');
      const minutes = Math.floor(seconds / 60);
      const rest = (seconds - minutes * 60).toFixed(stepS < 1 ? 1 : 0);
      context.fillText(minutes ? `${minutes}:${rest.padStart(stepS < 1 ? 4 : 2, '0')}` : `${rest} s`, x + 4, waveHeightPx + 14);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {Paint} paint */
  #drawWave(context, { place, widthPx, waveHeightPx, colour }) {
    const middle = waveHeightPx / 2;
    const spans = [...this.#segments.values()];
    const inSpeech = (/** @type {number} */ s) => spans.some(({ startS, endS }) => s >= startS && s <= (endS ?? Infinity));
    const stepPx = 3;
    for (let x = -(this.#scroller.scrollLeft % stepPx); x < widthPx; x += stepPx) {
      const startS = (x - place(0)) / this.#pxPerS;
      const from = Math.max(0, Math.floor(startS * COLUMNS_PER_S));
      const to = Math.min(this.#peaks.length, Math.ceil((startS + stepPx / this.#pxPerS) * COLUMNS_PER_S));
      let peak = 0;
      for (let column = from; column < to; column += 1) peak = Math.max(peak, this.#peaks[column]);
      if (to <= from) continue;
      // A power below one lets quiet speech be seen beside loud speech.
      const half = Math.max(0.75, peak ** 0.7 * (middle - 4));
      context.fillStyle = colour(inSpeech(startS) ? '--wave-speech' : '--wave');
      context.beginPath();
      context.roundRect(x, middle - half, 2, half * 2, 1);
      context.fill();
    }
  }
}

/** @param {number} score */
export const confidence = (score) => (score >= 75 ? 'high' : score >= 45 ? 'middle' : 'low');
