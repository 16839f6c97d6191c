// @ts-check
/**
 * A client of the CPqD ASR WebSocket API 2.3, in one file and without dependencies.
 *
 * Runs in browsers, in workers and in Node (20 and later; where Node has no `WebSocket` of its own, hand one in by
 * `options.socket`). One connection holds one session, one session runs one recognition at a time:
 *
 *     const session = await connect('ws://localhost:8025/asr-server/asr');
 *     for await (const event of session.recognize(audio, { lm: 'builtin:grammar/digits' })) {
 *       if (event.type === 'result') console.log(event.result.alternatives[0]?.text);
 *     }
 *     await session.close();
 *
 * @module
 */

/** The version on the first line of every message that this module sends. */
export const PROTOCOL_VERSION = '2.3';

/** Audio that may wait in the socket before the source is asked for more: two seconds of 16 kHz PCM. */
const SEND_BUFFER_BYTES = 64_000;
const SEND_BUFFER_POLL_MS = 20;
/** Whole buffers are cut into messages of this size, a tenth of the protocol's limit. */
const AUDIO_MESSAGE_BYTES = 200_000;
const REQUEST_TIMEOUT_MS = 10_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * @typedef {'IDLE' | 'LISTENING' | 'RECOGNIZING'} SessionStatus
 *
 * @typedef {object} Message
 * @property {string} name  `RESPONSE`, `RECOGNITION_RESULT`, …
 * @property {string} version
 * @property {Headers} headers  by lower-case name
 * @property {Uint8Array} body
 *
 * @typedef {Map<string, string>} Headers
 *
 * @typedef {object} Word
 * @property {string} text
 * @property {number} score  0–100
 * @property {number} start_time  seconds from the start of the audio
 * @property {number} end_time
 *
 * @typedef {object} Alternative
 * @property {string} text
 * @property {number} score  0–100
 * @property {string} [lm]  the language model that matched
 * @property {Word[]} [words]
 * @property {unknown[]} [interpretations]
 * @property {number[]} [interpretation_scores]
 *
 * @typedef {object} RecognitionResult
 * @property {Alternative[]} alternatives  best first
 * @property {number} segment_index
 * @property {boolean} last_segment
 * @property {boolean} final_result  false for partial results
 * @property {number} start_time
 * @property {number} end_time
 * @property {string} result_status  `RECOGNIZED`, `NO_MATCH`, `NO_SPEECH`, `NO_INPUT_TIMEOUT`, …
 * @property {string} [error_code]  of a FAILURE
 * @property {string} [message]  of a FAILURE, for people
 *
 * @typedef {{ type: 'listening' }
 *         | { type: 'speech-start' }
 *         | { type: 'speech-end' }
 *         | { type: 'partial', result: RecognitionResult }
 *         | { type: 'result', result: RecognitionResult }} RecognitionEvent
 *
 * @typedef {Uint8Array | ArrayBuffer | Iterable<Uint8Array> | AsyncIterable<Uint8Array>} AudioSource
 *
 * @typedef {object} Grammar
 * @property {string} text
 * @property {string} [contentType]  `application/srgs` (the default; ABNF, XML and JSGF are told apart by their text)
 * @property {string} [id]  the name that results carry
 *
 * @typedef {object} RecognizeOptions
 * @property {string | string[] | Grammar} lm  URIs of language models, or a grammar
 * @property {Record<string, string | number | boolean>} [parameters]  for this recognition only
 * @property {string} [contentType]  `application/octet-stream` (the default: found out from the first bytes),
 *   `audio/wav` or `audio/raw;rate=16000` (without the rate: 8 kHz)
 * @property {AbortSignal} [signal]  cancels the recognition
 *
 * @typedef {object} LoggedMessage
 * @property {'sent' | 'received'} direction
 * @property {Message} message
 * @property {number} bytes  size on the wire
 * @property {number} timeMs  `performance.now()`
 *
 * @typedef {object} ConnectOptions
 * @property {(url: string) => WebSocket} [socket]  makes the socket; where a server wants HTTP Basic and the runtime
 *   can set headers, this is the place
 * @property {string} [user]  for a server that asks; goes into the URL, from where browsers send it as HTTP Basic
 * @property {string} [password]
 * @property {string} [userAgent]
 * @property {Record<string, string | number | boolean>} [parameters]  for the whole session
 * @property {(logged: LoggedMessage) => void} [onMessage]  is shown every message both ways
 * @property {(reason: string) => void} [onClose]
 * @property {number} [requestTimeoutMs]
 *
 * @typedef {object} Pending
 * @property {string} method
 * @property {(message: Message) => void} resolve
 * @property {(error: Error) => void} reject
 */

/** What the server refused, or what went wrong on the way to it. */
export class AsrError extends Error {
  /**
   * @param {string} message
   * @param {{ method?: string, result?: string, code?: string }} [details]
   */
  constructor(message, { method = '', result = '', code = '' } = {}) {
    super(message);
    this.name = 'AsrError';
    /** The request that was refused. */
    this.method = method;
    /** `FAILURE`, `INVALID_ACTION`, `INVALID_MESSAGE`, or empty where the server said nothing. */
    this.result = result;
    /** The server's `Error-Code`, or empty. */
    this.code = code;
  }
}

/** The connection ended while something was still wanted from it. */
export class ConnectionClosedError extends AsrError {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'ConnectionClosedError';
  }
}

/**
 * Put one message into its bytes.
 *
 * @param {string} name
 * @param {Iterable<[string, string | number | boolean]>} [headers]  in this order; `Content-Length` is added
 * @param {Uint8Array} [body]
 * @returns {Uint8Array}
 * @throws {TypeError} where a header would break out of its line
 */
export function encodeMessage(name, headers = [], body) {
  let head = `ASR ${PROTOCOL_VERSION} ${name}\r\n`;
  for (const [key, value] of headers) {
    if (/[\r\n]/.test(`${key}${value}`)) throw new TypeError(`the header ${key} holds a line break`);
    head += `${key}: ${value}\r\n`;
  }
  if (body) head += `Content-Length: ${body.length}\r\n`;
  const start = encoder.encode(`${head}\r\n`);
  if (!body?.length) return start;
  const bytes = new Uint8Array(start.length + body.length);
  bytes.set(start);
  bytes.set(body, start.length);
  return bytes;
}

/**
 * Read one message from its bytes.
 *
 * @param {ArrayBuffer | Uint8Array} data
 * @returns {Message}
 * @throws {AsrError} where the bytes are no message
 */
export function decodeMessage(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  /** @type {string[]} */
  const lines = [];
  let position = 0;
  for (;;) {
    const newline = bytes.indexOf(10, position);
    const end = newline < 0 ? bytes.length : newline;
    const line = decoder.decode(bytes.subarray(position, bytes[end - 1] === 13 ? end - 1 : end));
    position = newline < 0 ? bytes.length : newline + 1;
    if (line === '') break;
    lines.push(line);
  }
  const [protocol, version, name] = (lines[0] ?? '').split(' ');
  if (protocol !== 'ASR' || !version || !name) throw new AsrError('the server sent something that is no message');
  /** @type {Headers} */
  const headers = new Map();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const length = Number(headers.get('content-length') ?? bytes.length - position);
  return { name, version, headers, body: bytes.subarray(position, position + length) };
}

/** Values that one side pushes and the other awaits, until `end` or `fail`. @template T */
class Queue {
  constructor() {
    /** @type {T[]} */
    this.values = [];
    this.ended = false;
    /** @type {Error | null} */
    this.error = null;
    this.wake = () => {};
  }

  /** @param {T} value */
  push(value) {
    this.values.push(value);
    this.wake();
  }

  end() {
    this.ended = true;
    this.wake();
  }

  /** @param {Error} error */
  fail(error) {
    this.error ??= error;
    this.end();
  }

  /** @returns {AsyncGenerator<T, void, void>} */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.values.length) yield /** @type {T} */ (this.values.shift());
      if (this.error) throw this.error;
      if (this.ended) return;
      await new Promise((resolve) => {
        this.wake = () => resolve(undefined);
      });
    }
  }
}

/**
 * @param {AudioSource} audio
 * @returns {AsyncIterator<Uint8Array> | Iterator<Uint8Array>}
 */
function packets(audio) {
  if (audio instanceof ArrayBuffer) return packets(new Uint8Array(audio));
  if (audio instanceof Uint8Array) {
    return (function* cut() {
      for (let from = 0; from < audio.length; from += AUDIO_MESSAGE_BYTES) {
        yield audio.subarray(from, from + AUDIO_MESSAGE_BYTES);
      }
    })();
  }
  return Symbol.asyncIterator in audio ? audio[Symbol.asyncIterator]() : audio[Symbol.iterator]();
}

/** @param {Record<string, string | number | boolean>} [parameters] */
const entries = (parameters = {}) => Object.entries(parameters);

/**
 * A session on a connection of its own. `connect` makes it.
 */
export class Session {
  /** @type {SessionStatus} */
  status = 'IDLE';
  /** The server's number for this session. */
  handle = '';
  /** The server ends a session that says nothing for so long. */
  expiresMs = 0;
  /** @type {Pending[]} */
  #pending = [];
  /** @type {Queue<RecognitionEvent> | null} */
  #events = null;
  /** @type {Pending | null} */
  #interpretation = null;
  /** @type {Promise<Message> | null} */
  #cancelling = null;
  #closed = false;
  #closing = false;
  #socket;
  #options;

  /**
   * @param {WebSocket} socket
   * @param {ConnectOptions} options
   */
  constructor(socket, options) {
    this.#socket = socket;
    this.#options = options;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', (event) => this.#receive(event.data));
    socket.addEventListener('close', (event) => this.#end(event.reason || `code ${event.code}`));
  }

  get closed() {
    return this.#closed;
  }

  /** Create the session on the server; `connect` has done so already. */
  async create() {
    const headers = this.#options.userAgent ? [['User-Agent', this.#options.userAgent]] : [];
    const response = await this.#request('CREATE_SESSION', /** @type {[string, string][]} */ (headers));
    this.handle = response.headers.get('handle') ?? '';
    this.expiresMs = Number(response.headers.get('expires') ?? 0);
    if (this.#options.parameters) await this.setParameters(this.#options.parameters);
  }

  /**
   * Set recognition parameters for the whole session.
   *
   * @param {Record<string, string | number | boolean>} parameters  by wire name
   * @returns {Promise<Record<string, string>>} the parameters that the server did not take, with its error word
   */
  async setParameters(parameters) {
    const response = await this.#request('SET_PARAMETERS', entries(parameters));
    const refused = [...response.headers].filter(([, value]) => value.startsWith('ERR'));
    return Object.fromEntries(refused.filter(([name]) => name !== 'error-code'));
  }

  /**
   * Ask for recognition parameters.
   *
   * @param {...string} names  none means all
   * @returns {Promise<Record<string, string>>} by lower-case wire name
   */
  async getParameters(...names) {
    const response = await this.#request('GET_PARAMETERS', names.map((name) => [name, '']));
    const others = ['handle', 'method', 'result', 'session-status'];
    return Object.fromEntries([...response.headers].filter(([name]) => !others.includes(name)));
  }

  /**
   * Define a grammar for this session.
   *
   * @param {string} id
   * @param {string} text
   * @param {string} [contentType]
   * @returns {Promise<string>} its URI, `session:<id>`
   * @throws {AsrError} where the grammar is wrong
   */
  async defineGrammar(id, text, contentType = 'application/srgs') {
    const headers = /** @type {[string, string][]} */ ([['Content-ID', id], ['Content-Type', contentType]]);
    await this.#request('DEFINE_GRAMMAR', headers, encoder.encode(text));
    return `session:${id}`;
  }

  /**
   * Recognise speech.
   *
   * The audio is sent while the events are read. In simple mode the first speech is recognised and the audio source is
   * given up when it has ended; with `decoder.continuousMode` every segment of the whole audio has its result. To leave
   * the loop early cancels the recognition.
   *
   * @param {AudioSource} audio
   * @param {RecognizeOptions} options
   * @returns {AsyncGenerator<RecognitionEvent, void, void>}
   */
  async *recognize(audio, { lm, parameters, contentType = 'application/octet-stream', signal }) {
    signal?.throwIfAborted();
    if (this.#events) throw new AsrError('a recognition is running in this session');
    /** @type {Queue<RecognitionEvent>} */
    const events = new Queue();
    this.#events = events;
    const source = packets(audio);
    const abort = () => events.fail(signal?.reason);
    signal?.addEventListener('abort', abort);
    try {
      const { headers, body } = languageModel(lm);
      const start = /** @type {[string, string][]} */ ([['Accept', 'application/json'], ...entries(parameters), ...headers]);
      await this.#request('START_RECOGNITION', start, body);
      events.values.unshift({ type: 'listening' });
      this.#pump(source, contentType, events).catch((error) => events.fail(error));
      yield* events;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#events = null;
      events.end();
      Promise.resolve(source.return?.()).catch(() => {});
      if (this.status !== 'IDLE' && !this.#closed) await this.cancel();
    }
  }

  /**
   * Interpret a text by grammars as if it had been spoken.
   *
   * @param {string} text
   * @param {{ lm: string | string[] | Grammar }} options
   * @returns {Promise<RecognitionResult>}
   */
  async interpret(text, { lm }) {
    const { headers, body } = languageModel(lm);
    const line = text.replace(/\s+/g, ' ').trim();
    /** @type {Promise<Message>} */
    const result = new Promise((resolve, reject) => {
      this.#interpretation = { method: 'INTERPRET_TEXT', resolve, reject };
    });
    result.catch(() => {});
    try {
      await this.#request('INTERPRET_TEXT', [['Text', line], ['Accept', 'application/json'], ...headers], body);
      return json(await result);
    } finally {
      this.#interpretation = null;
    }
  }

  /** Start the timers of a recognition that was started with `decoder.startInputTimers: false` (barge-in). */
  async startInputTimers() {
    await this.#request('START_INPUT_TIMERS');
  }

  /** Cancel the running recognition; its loop ends without a result. */
  async cancel() {
    this.#events?.end();
    this.#cancelling ??= this.#request('CANCEL_RECOGNITION').finally(() => {
      this.#cancelling = null;
    });
    await this.#cancelling;
  }

  /** End the session and the connection. */
  async close() {
    if (this.#closed || this.#closing) return;
    this.#closing = true;
    this.#events?.end();
    const ended = new Promise((resolve) => this.#socket.addEventListener('close', resolve, { once: true }));
    await this.#request('RELEASE_SESSION').catch(() => {}); // the server may hang up before it answers
    this.#socket.close();
    await ended;
  }

  /**
   * @param {string} method
   * @param {Iterable<[string, string | number | boolean]>} [headers]
   * @param {Uint8Array} [body]
   * @returns {Promise<Message>} the answer
   */
  #request(method, headers, body) {
    return new Promise((resolve, reject) => {
      const timeoutMs = this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
      const timer = setTimeout(() => {
        reject(new AsrError(`${method} was not answered within ${timeoutMs / 1000} s`, { method }));
        this.#socket.close();
      }, timeoutMs);
      /** @type {Pending} */
      const pending = {
        method,
        resolve: (message) => (clearTimeout(timer), resolve(message)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
      try {
        this.#send(method, headers, body);
        this.#pending.push(pending);
      } catch (error) {
        pending.reject(/** @type {Error} */ (error));
      }
    });
  }

  /**
   * @param {string} name
   * @param {Iterable<[string, string | number | boolean]>} [headers]
   * @param {Uint8Array} [body]
   */
  #send(name, headers, body) {
    if (this.#closed) throw new ConnectionClosedError('the connection is closed');
    const bytes = encodeMessage(name, headers, body);
    this.#socket.send(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
    this.#show('sent', bytes);
  }

  /**
   * @param {AsyncIterator<Uint8Array> | Iterator<Uint8Array>} source
   * @param {string} contentType
   * @param {Queue<RecognitionEvent>} events
   */
  async #pump(source, contentType, events) {
    const wanted = () => !events.ended && this.status === 'LISTENING';
    for (;;) {
      const { done, value } = await source.next();
      if (!wanted()) return;
      const headers = /** @type {[string, string][]} */ ([['LastPacket', String(Boolean(done))], ['Content-Type', contentType]]);
      this.#send('SEND_AUDIO', headers, done ? new Uint8Array() : value);
      if (done) return;
      while (wanted() && this.#socket.bufferedAmount > SEND_BUFFER_BYTES) {
        await new Promise((resolve) => setTimeout(resolve, SEND_BUFFER_POLL_MS));
      }
    }
  }

  /** @param {ArrayBuffer | Uint8Array} data */
  #receive(data) {
    /** @type {Message} */
    let message;
    try {
      message = this.#show('received', new Uint8Array(data));
      this.status = /** @type {SessionStatus} */ (message.headers.get('session-status') ?? this.status);
      this.#dispatch(message);
    } catch (error) {
      this.#fail(/** @type {Error} */ (error));
      this.#socket.close();
    }
  }

  /** @param {Message} message */
  #dispatch(message) {
    switch (message.name) {
      case 'RESPONSE':
        return this.#respond(message);
      case 'START_OF_SPEECH':
        return this.#events?.push({ type: 'speech-start' });
      case 'END_OF_SPEECH':
        return this.#events?.push({ type: 'speech-end' });
      case 'RECOGNITION_RESULT': {
        if (this.#interpretation) return this.#interpretation.resolve(message);
        const result = json(message);
        this.#events?.push({ type: result.final_result ? 'result' : 'partial', result });
        if (result.final_result && result.last_segment) this.#events?.end();
        return undefined;
      }
      default:
        return undefined; // a later version of the protocol may say more
    }
  }

  /** @param {Message} message */
  #respond(message) {
    const method = message.headers.get('method') ?? '';
    const result = message.headers.get('result') ?? '';
    const code = message.headers.get('error-code') ?? '';
    const refusal = new AsrError(message.headers.get('message') ?? (code || result), { method, result, code });
    if (method === this.#pending[0]?.method) {
      const pending = /** @type {Pending} */ (this.#pending.shift());
      if (result === 'SUCCESS') pending.resolve(message);
      else pending.reject(refusal);
    } else if (result !== 'SUCCESS') {
      this.#fail(refusal); // audio, or a message that the server could not read
    }
  }

  /** @param {string} reason */
  #end(reason) {
    this.#closed = true;
    this.status = 'IDLE';
    this.#fail(new ConnectionClosedError(`The connection was closed (${reason})`));
    this.#options.onClose?.(this.#closing ? '' : reason);
  }

  /** @param {Error} error */
  #fail(error) {
    for (const pending of this.#pending.splice(0)) pending.reject(error);
    this.#interpretation?.reject(error);
    this.#events?.fail(error);
  }

  /**
   * @param {'sent' | 'received'} direction
   * @param {Uint8Array} bytes
   */
  #show(direction, bytes) {
    const message = decodeMessage(bytes);
    this.#options.onMessage?.({ direction, message, bytes: bytes.length, timeMs: performance.now() });
    return message;
  }
}

/**
 * @param {string | string[] | Grammar} lm
 * @returns {{ headers: [string, string][], body: Uint8Array }}
 */
function languageModel(lm) {
  if (typeof lm === 'object' && 'text' in lm) {
    const { text, contentType = 'application/srgs', id = 'grammar' } = lm;
    return { headers: [['Content-Type', contentType], ['Content-ID', id]], body: encoder.encode(text) };
  }
  return { headers: [['Content-Type', 'text/uri-list']], body: encoder.encode([lm].flat().join('\r\n')) };
}

/**
 * @param {Message} message
 * @returns {RecognitionResult}
 */
const json = (message) => JSON.parse(decoder.decode(message.body));

/**
 * Connect to a server and create a session.
 *
 * @param {string} url  `ws://host:8025/asr-server/asr`
 * @param {ConnectOptions} [options]
 * @returns {Promise<Session>}
 * @throws {AsrError} where there is no server, or no place in it
 */
export async function connect(url, options = {}) {
  const address = new URL(url);
  address.username = options.user ?? address.username;
  address.password = options.password ?? address.password;
  const socket = (options.socket ?? ((target) => new WebSocket(target)))(address.href);
  await new Promise((resolve, reject) => {
    const fail = () => {
      reject(new ConnectionClosedError(`No connection to ${url}`));
      socket.close();
    };
    const timer = setTimeout(fail, options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS);
    socket.addEventListener('open', () => (clearTimeout(timer), resolve(undefined)), { once: true });
    for (const end of ['error', 'close']) {
      socket.addEventListener(end, () => (clearTimeout(timer), fail()), { once: true });
    }
  });
  const session = new Session(socket, options);
  try {
    await session.create();
  } catch (error) {
    socket.close();
    throw error;
  }
  return session;
}
