// @ts-check
/** The raw messages both ways. Audio packets in a row share one entry; old entries fall off the end. @module */

import { make } from './dom.js';

const MAX_ENTRIES = 400;
const decoder = new TextDecoder();

/** @typedef {import('../asr-client.js').LoggedMessage} LoggedMessage */

export class MessageLog {
  /** @type {{ entry: HTMLElement, text: string }[]} */
  #entries = [];
  /** @type {{ entry: HTMLElement, count: number, bytes: number } | null} */
  #audio = null;
  #firstMs = NaN;
  #list;

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
    this.clear();
  }

  get text() {
    return this.#entries.map(({ text }) => text).join('\n');
  }

  clear() {
    this.#entries = [];
    this.#audio = null;
    this.#firstMs = NaN;
    this.#list.replaceChildren(make('p', { class: 'nothing' }, 'Everything that is said on the wire appears here.'));
  }

  /** @param {LoggedMessage} logged */
  add({ direction, message, bytes, timeMs }) {
    if (!this.#entries.length) {
      this.#firstMs = timeMs;
      this.#list.replaceChildren();
    }
    if (message.name === 'SEND_AUDIO' && this.#audio && message.headers.get('lastpacket') !== 'true') {
      this.#audio.count += 1;
      this.#audio.bytes += bytes;
      const about = this.#audio.entry.querySelector('.info');
      if (about) about.textContent = `× ${this.#audio.count}`;
      const size = this.#audio.entry.querySelector('.size');
      if (size) size.textContent = formatBytes(this.#audio.bytes);
      return;
    }
    const raw = rawText(message);
    const time = `${((timeMs - this.#firstMs) / 1000).toFixed(3)}`;
    const summary = make('summary', {},
      make('span', { class: 'time' }, time),
      make('span', { class: 'arrow', 'aria-label': direction }, direction === 'sent' ? '↑' : '↓'),
      make('span', { class: 'name' }, message.name),
      make('span', { class: 'info' }, info(message)),
      make('span', { class: 'size' }, formatBytes(bytes)));
    const result = message.headers.get('result');
    const entry = make('details', { class: direction, 'data-result': result && result !== 'SUCCESS' ? 'refused' : 'fine' }, summary, make('pre', {}, raw));
    this.#audio = message.name === 'SEND_AUDIO' ? { entry, count: 1, bytes } : null;
    this.#entries.push({ entry, text: `${time} ${direction}\n${raw}\n` });
    const following = this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - 24;
    this.#list.append(entry);
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift()?.entry.remove();
    if (following) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

/** @param {import('../asr-client.js').Message} message */
function info({ headers, name }) {
  const interesting = name === 'RESPONSE' ? ['method', 'result', 'error-code', 'session-status'] : ['result-status', 'text', 'content-id', 'session-status'];
  const values = interesting.flatMap((header) => headers.get(header) ?? []).filter((value) => value !== 'SUCCESS');
  return [...values, ...(headers.get('lastpacket') === 'true' ? ['last packet'] : [])].join(' · ');
}

/** @param {import('../asr-client.js').Message} message */
function rawText({ name, version, headers, body }) {
  const lines = [`ASR ${version} ${name}`, ...[...headers].map(([key, value]) => `${canonical(key)}: ${value}`)];
  if (!body.length) return lines.join('\n');
  if (name === 'SEND_AUDIO') return [...lines, '', `(${formatBytes(body.length)} of audio)`].join('\n');
  const text = decoder.decode(body);
  const isJson = headers.get('content-type') === 'application/json';
  return [...lines, '', isJson ? JSON.stringify(JSON.parse(text), null, 2) : text].join('\n');
}

/** @param {string} name  headers are kept by lower-case name; recognition parameters are shown as they are */
const canonical = (name) => (name.includes('.') ? name : name.replace(/(^|-)\w/g, (letter) => letter.toUpperCase()));

/** @param {number} bytes */
const formatBytes = (bytes) => (bytes < 10_000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1000).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
