/** A WebSocket without a network: answers what a script says, in the manner of the server. */

import { decodeMessage } from '../../asr_trio/console/asr-client.js';

const encoder = new TextEncoder();

export const HANDLE = '202501011200000001';

/** The bytes of a server message; `headers` in the order of the wire. */
export function frame(name, headers = {}, body = '') {
  const size = encoder.encode(body).length;
  const all = { Handle: HANDLE, ...headers, ...(body && { 'Content-Length': size, 'Content-Type': 'application/json' }) };
  const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}\r\n`);
  return encoder.encode(`ASR 2.3 ${name}\r\n${lines.join('')}\r\n${body}`);
}

export const success = (method, status = 'IDLE', more = {}) =>
  frame('RESPONSE', { Method: method, Result: 'SUCCESS', 'Session-Status': status, ...more });

export const failure = (method, code, message, result = 'FAILURE') =>
  frame('RESPONSE', { Method: method, Result: result, 'Session-Status': 'IDLE', 'Error-Code': code, Message: message });

export function resultFrame(fields, status = 'IDLE') {
  const body = {
    alternatives: [], segment_index: 0, last_segment: true, final_result: true, start_time: 0.1, end_time: 0.9,
    result_status: 'RECOGNIZED', ...fields,
  };
  const headers = { 'Result-Status': body.result_status, 'Session-Status': status };
  return frame('RECOGNITION_RESULT', headers, JSON.stringify(body));
}

export const spoken = (text, fields = {}, status) =>
  resultFrame({ alternatives: [{ text, score: 90, lm: 'builtin:slm/general' }], ...fields }, status);

/** `script[NAME](message, socket)` returns the frames that answer a message; the default is a plain success. */
export class ScriptedSocket extends EventTarget {
  constructor(script = {}) {
    super();
    this.script = script;
    this.sent = [];
    this.bufferedAmount = 0;
    this.closed = false;
    if (!script.silent) queueMicrotask(() => this.dispatchEvent(new Event(script.refuse ? 'error' : 'open')));
  }

  send(bytes) {
    const message = decodeMessage(bytes);
    this.sent.push(message);
    const fallback = { SEND_AUDIO: [], START_RECOGNITION: [success('START_RECOGNITION', 'LISTENING')] };
    const answer = this.script[message.name]?.(message, this) ?? fallback[message.name] ?? [success(message.name)];
    for (const data of answer) setTimeout(() => this.say(data), 0);
    if (message.name === 'RELEASE_SESSION') setTimeout(() => this.hangUp(1000, ''), 0);
  }

  say(data) {
    const { buffer, byteOffset, byteLength } = data;
    if (!this.closed) this.dispatchEvent(Object.assign(new Event('message'), { data: buffer.slice(byteOffset, byteOffset + byteLength) }));
  }

  hangUp(code, reason) {
    if (this.closed) return;
    this.closed = true;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  }

  close() {
    setTimeout(() => this.hangUp(1000, ''), 0);
  }

  names() {
    return this.sent.map((message) => message.name);
  }
}
