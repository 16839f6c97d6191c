// @ts-check
/**
 * An editor for grammars: a text area, over a sheet that shows the same text in colour with the server's verdict
 * marked in its place. @module
 */

import { make } from './dom.js';

/** What the three grammar languages have in common is enough to read one by its colours. */
const TOKENS = new RegExp(
  [
    String.raw`(?<comment>//[^\n]*|/\*[^]*?(?:\*/|$)|<!--[^]*?(?:-->|$))`,
    String.raw`(?<keyword>^#\w+[^;\n]*|\b(?:language|mode|root|tag-format|lexicon|meta|public|private|grammar|import)\b)`,
    String.raw`(?<tag>\{!\{[^]*?\}!\}|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})`,
    String.raw`(?<rule>\$\$?[\w.-]+|\$<[^>]*>|</?[\w:.-]+[^>]*>)`,
    String.raw`(?<weight>/[\d.]+/|<\d+(?:-\d*)?>)`,
    String.raw`(?<string>"[^"\n]*")`,
  ].join('|'),
  'gm',
);

/**
 * @typedef {object} Fault
 * @property {string} message
 * @property {number | null} line  1-based
 * @property {number | null} column  1-based
 */

/**
 * Find the place that a refusal of the server names.
 *
 * @param {string} message
 * @returns {Fault}
 */
export function fault(message) {
  const place = message.match(/\bline (\d+)(?:\D{0,3}\bcol(?:umn)? (\d+))?/i);
  return { message, line: place ? Number(place[1]) : null, column: place?.[2] ? Number(place[2]) : null };
}

export class GrammarEditor {
  /** @type {Fault | null} */
  #fault = null;
  #root;
  #area;
  #sheet;
  #gutter;
  #verdict;

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement} verdict  says in words what the marks show
   * @param {() => void} onChange
   */
  constructor(root, verdict, onChange) {
    this.#root = root;
    this.#verdict = verdict;
    this.#area = /** @type {HTMLTextAreaElement} */ (root.querySelector('textarea'));
    this.#sheet = /** @type {HTMLElement} */ (root.querySelector('pre'));
    this.#gutter = /** @type {HTMLElement} */ (root.querySelector('.gutter'));
    this.#area.addEventListener('input', () => {
      this.judge(null, '');
      onChange();
    });
    this.#area.addEventListener('scroll', () => {
      this.#sheet.scrollTop = this.#gutter.scrollTop = this.#area.scrollTop;
      this.#sheet.scrollLeft = this.#area.scrollLeft;
    });
  }

  get text() {
    return this.#area.value;
  }

  /** `right`, `wrong` or `unknown` */
  get verdict() {
    return this.#verdict.dataset['state'];
  }

  set text(value) {
    this.#area.value = value;
    this.judge(null, '');
  }

  /**
   * Show what the server says about the text.
   *
   * @param {Fault | null} found  null where nothing is wrong
   * @param {string} words  what to say then
   * @param {'right' | 'unknown'} [state]  of a text without fault
   */
  judge(found, words, state = words ? 'right' : 'unknown') {
    this.#fault = found;
    this.#root.classList.toggle('wrong', found !== null);
    this.#area.setAttribute('aria-invalid', String(found !== null));
    this.#verdict.dataset['state'] = found ? 'wrong' : state;
    this.#verdict.replaceChildren(found?.message ?? words);
    if (found?.line) {
      const button = make('button', { type: 'button', class: 'quiet' }, 'Go there');
      button.addEventListener('click', () => this.#goTo(found));
      this.#verdict.append(' ', button);
    }
    this.#paint();
  }

  /** @param {Fault} found */
  #goTo({ line, column }) {
    const before = this.text.split('\n').slice(0, (line ?? 1) - 1).join('\n').length;
    const at = before + (line === 1 ? 0 : 1) + (column ?? 1) - 1;
    this.#area.focus();
    this.#area.setSelectionRange(at, at);
  }

  #paint() {
    const lines = this.text.split('\n');
    this.#gutter.replaceChildren(...lines.map((_, index) => {
      const wrong = this.#fault?.line === index + 1;
      return make('div', wrong ? { class: 'wrong' } : {}, String(index + 1));
    }));
    const shown = document.createDocumentFragment();
    let offset = 0;
    /** @type {[number, number] | null} */
    const marked = this.#markedRange(lines);
    const add = (/** @type {string} */ text, /** @type {string} */ kind) => {
      for (const [from, to, wrong] of cut(offset, offset + text.length, marked)) {
        const part = text.slice(from - offset, to - offset);
        const classes = [kind, wrong ? 'wrong' : ''].filter(Boolean).join(' ');
        shown.append(classes ? make('span', { class: classes }, part) : part);
      }
      offset += text.length;
    };
    let last = 0;
    for (const match of this.text.matchAll(TOKENS)) {
      const kind = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined)?.[0] ?? '';
      add(this.text.slice(last, match.index), '');
      add(match[0], kind);
      last = match.index + match[0].length;
    }
    add(this.text.slice(last), '');
    if (marked && marked[0] >= this.text.length) shown.append(make('span', { class: 'wrong' }, ' '));
    shown.append('\n');
    this.#sheet.replaceChildren(shown);
    this.#sheet.scrollTop = this.#gutter.scrollTop = this.#area.scrollTop;
    this.#sheet.scrollLeft = this.#area.scrollLeft;
  }

  /** @param {string[]} lines @returns {[number, number] | null} offsets of the text at fault: the word at the column, or the whole line */
  #markedRange(lines) {
    const { line = null, column = null } = this.#fault ?? {};
    if (!line || line > lines.length) return null;
    const text = lines[line - 1];
    const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    if (!column || column > text.length) return [start + text.trimEnd().length - (column ? 1 : text.trim().length), start + Math.max(1, text.trimEnd().length)];
    const word = text.slice(column - 1).match(/^[\w$<>.-]+/u)?.[0] ?? text[column - 1] ?? ' ';
    return [start + column - 1, start + column - 1 + word.length];
  }
}

/**
 * @param {number} from
 * @param {number} to
 * @param {[number, number] | null} marked
 * @returns {[number, number, boolean][]} the range in up to three parts
 */
function cut(from, to, marked) {
  if (!marked) return from < to ? [[from, to, false]] : [];
  const points = [from, Math.min(to, Math.max(from, marked[0])), Math.min(to, Math.max(from, marked[1])), to];
  return /** @type {[number, number, boolean][]} */ (
    [0, 1, 2].map((index) => [points[index], points[index + 1], index === 1])
  ).filter(([start, end]) => start < end);
}
