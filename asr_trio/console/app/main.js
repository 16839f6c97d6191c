// @ts-check
/** The page: ties what the user does to a session of the public protocol, and what the session says to the page. @module */

import { AsrError, connect } from '../asr-client.js';
import { byId, make } from './dom.js';
import { EXAMPLES } from './examples.js';
import { fault, GrammarEditor } from './grammar-editor.js';
import { AudioClock, Latency } from './latency.js';
import { MessageLog } from './message-log.js';
import { level, SAMPLE_RATE_HZ } from './pcm.js';
import { Results } from './results.js';
import { openFile, openMicrophone } from './sources.js';
import { Timeline } from './timeline.js';

/** @typedef {import('./sources.js').Source} Source */
/** @typedef {import('../asr-client.js').Session} Session */
/** @typedef {import('../asr-client.js').RecognitionEvent} RecognitionEvent */

/** The name of the page's grammar in its session. */
const GRAMMAR_ID = 'console';
/** The grammar is checked once nobody has typed for so long. */
const CHECK_AFTER_MS = 600;
/** Until a partial result tells the true time, the start of speech is drawn this much before it was told. */
const TYPICAL_DECISION_S = 0.2;
const QUIET_DB = -60;

const speakButton = byId('speak', HTMLButtonElement);
const cancelButton = byId('cancel', HTMLButtonElement);
const playButton = byId('play', HTMLButtonElement);
const notice = byId('notice', HTMLElement);
const modelSelect = byId('model', HTMLSelectElement);
const fileInput = byId('file', HTMLInputElement);

const timeline = new Timeline(byId('timeline', HTMLElement), byId('zoom', HTMLElement));
const results = new Results(
  {
    transcript: byId('transcript', HTMLElement),
    alternatives: byId('alternatives', HTMLElement),
    interpretation: byId('interpretation', HTMLElement),
  },
  (segment) => timeline.select(segment),
);
const latency = new Latency(byId('latency', HTMLElement));
const log = new MessageLog(byId('log', HTMLElement));
const editor = new GrammarEditor(byId('editor', HTMLElement), byId('grammar-verdict', HTMLElement), checkSoon);

// --- what the server is ---------------------------------------------------------------------------------------------

const config = await (await fetch('config.json')).json();
const socket = config.websocket;
const host = location.hostname.includes(':') ? `[${location.hostname.replace(/[[\]]/g, '')}]` : location.hostname;
const url = socket.url ?? `${socket.scheme}://${host}:${socket.port}${socket.path}`;

byId('version', HTMLElement).textContent = `asr-trio ${config.version}`;
for (const { uri, title } of config.models) {
  const isGrammar = uri.startsWith('builtin:grammar/');
  const label = isGrammar ? 'Built-in grammars' : 'Free speech';
  let group = modelSelect.querySelector(`optgroup[label="${label}"]`);
  if (!group) modelSelect.append((group = make('optgroup', { label })));
  group.append(make('option', { value: uri }, title));
}

// --- the session ----------------------------------------------------------------------------------------------------

/** @type {Promise<Session> | null} */
let opening = null;
/** @type {Running | null} */
let running = null;

/**
 * @typedef {object} Running
 * @property {Source} source
 * @property {Session} session
 * @property {AudioClock} clock
 */

/** @returns {Promise<Session>} the page's session; a new one where the old has ended */
async function session() {
  const current = await opening?.catch(() => null);
  if (current && !current.closed) return current;
  const startMs = performance.now();
  showState('connecting');
  opening = connect(url, {
    ...credentials(),
    userAgent: `app_name=asr-trio console;app_version=${config.version}`,
    onMessage: (logged) => {
      log.add(logged);
      const status = logged.message.headers.get('session-status');
      if (logged.direction === 'received' && status) showState(status);
    },
    onClose: (reason) => showState('closed', reason),
  });
  try {
    const opened = await opening;
    latency.add('connect', performance.now() - startMs);
    return opened;
  } catch (error) {
    showState('closed');
    throw error;
  }
}

/** @returns {{ user?: string, password?: string }} what the server asks for, if it does */
function credentials() {
  if (!config.credentials) return {};
  return { user: byId('user', HTMLInputElement).value, password: byId('password', HTMLInputElement).value };
}

/** @param {SubmitEvent} event */
async function signIn(event) {
  event.preventDefault();
  say('');
  try {
    await session();
    byId('sign-in', HTMLFormElement).hidden = true;
  } catch {
    say('The server does not let this user in with this password, or is not there.');
  }
}

/** @param {string} state @param {string} [reason] */
function showState(state, reason = '') {
  const words = {
    closed: reason ? `Session ended · ${reason}` : 'Not connected',
    connecting: 'Connecting…',
    IDLE: 'Ready',
    LISTENING: 'Listening',
    RECOGNIZING: 'Recognising',
  };
  byId('session', HTMLElement).dataset['state'] = state;
  byId('session-text', HTMLElement).textContent = words[/** @type {keyof typeof words} */ (state)] ?? state;
}

// --- recognition ----------------------------------------------------------------------------------------------------

/** @param {boolean} speaking */
function showVoice(speaking) {
  byId('vad', HTMLElement).dataset['speech'] = speaking ? 'yes' : 'no';
  byId('vad-text', HTMLElement).textContent = speaking ? 'speech' : 'quiet';
}

/** @param {Int16Array} samples */
function showLevel(samples) {
  const { rmsDb, peakDb } = level(samples);
  const meter = byId('meter', HTMLElement);
  const share = (/** @type {number} */ db) => Math.max(0, Math.min(1, 1 - db / QUIET_DB));
  const [bar, tick] = /** @type {HTMLCollectionOf<HTMLElement>} */ (meter.children);
  if (bar) bar.style.transform = `scaleX(${share(rmsDb)})`;
  if (tick) tick.style.left = `${share(peakDb) * 100}%`;
  meter.classList.toggle('clipped', peakDb > -0.1);
  meter.setAttribute('aria-valuenow', String(Math.round(Math.max(QUIET_DB, rmsDb))));
  byId('level', HTMLOutputElement).textContent = Number.isFinite(rmsDb) ? `${Math.round(rmsDb)} dB`.replace('-', '−') : '−∞ dB';
}

/** @returns {Record<string, string | number | boolean>} */
function parameters() {
  const number = (/** @type {string} */ id) => byId(id, HTMLInputElement).valueAsNumber;
  /** @type {Record<string, string | number | boolean>} */
  const wanted = {
    'decoder.continuousMode': checked('continuous'),
    'decoder.partialResultEnabled': checked('partials'),
    'decoder.partialResultInterval': number('partial-interval'),
    'decoder.maxSentences': number('max-sentences'),
    'decoder.confidenceThreshold': number('threshold'),
    'endpointer.waitEnd': number('wait-end'),
    'noInputTimeout.value': number('no-input'),
  };
  for (const [name, value] of Object.entries(wanted)) if (Number.isNaN(value)) delete wanted[name];
  for (const line of byId('parameters', HTMLTextAreaElement).value.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) wanted[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return wanted;
}

const grammarChosen = () => /** @type {HTMLInputElement} */ (document.querySelector('[name=kind]:checked')).value === 'grammar';

/**
 * The language model that the user chose; a grammar is compiled by the server first.
 *
 * @param {Session} opened
 * @returns {Promise<string>}
 */
async function languageModel(opened) {
  if (!grammarChosen()) return modelSelect.value;
  const text = editor.text;
  if (editor.verdict === 'unknown') editor.judge(null, 'Checking…', 'unknown');
  try {
    const uri = await opened.defineGrammar(GRAMMAR_ID, text);
    if (text === editor.text) editor.judge(null, 'The server understands this grammar.');
    return uri;
  } catch (error) {
    if (error instanceof AsrError && error.code && text === editor.text) editor.judge(fault(error.message), '');
    throw error;
  }
}

/** Recordings are kept as they came, to be played again. @type {Int16Array[]} */
let recording = [];

/** @param {(onSamples: (samples: Int16Array) => void) => Promise<Source>} open */
async function recognize(open) {
  if (speakButton.disabled || running) return;
  speakButton.disabled = true;
  say('');
  stopPlaying();
  /** @type {Source | null} */
  let source = null;
  try {
    const opened = await session();
    const lm = await languageModel(opened);
    const clock = new AudioClock();
    recording = [];
    timeline.clear();
    results.clear();
    latency.begin();
    source = await open((samples) => {
      recording.push(samples);
      timeline.append(samples);
      clock.sent(timeline.lengthS, performance.now());
      showLevel(samples);
    });
    running = { source, session: opened, clock };
    showRunning(true);
    const startMs = performance.now();
    await follow(opened.recognize(source.audio, { lm, parameters: parameters(), contentType: source.contentType }), startMs);
    if (!source.live) latency.rate(timeline.lengthS, performance.now() - startMs);
  } catch (error) {
    say(/** @type {Error} */ (error).message);
  } finally {
    source?.stop();
    running = null;
    showRunning(false);
  }
}

/**
 * @param {AsyncIterable<RecognitionEvent>} events
 * @param {number} startMs
 */
async function follow(events, startMs) {
  let segment = 0;
  const nothing = () => ({ speechStartMs: NaN, firstPartialMs: NaN, speechEndMs: NaN, resultMs: NaN });
  let moments = nothing();
  for await (const event of events) {
    const nowMs = performance.now();
    if (event.type === 'listening') {
      latency.add('listening', nowMs - startMs);
    } else if (event.type === 'speech-start') {
      moments.speechStartMs = nowMs;
      timeline.mark(segment, { startS: Math.max(0, timeline.lengthS - TYPICAL_DECISION_S) });
      showVoice(true);
    } else if (event.type === 'speech-end') {
      moments.speechEndMs = nowMs;
      timeline.mark(segment, { endS: timeline.lengthS });
      showVoice(false);
    } else {
      const { result } = event;
      const words = result.alternatives[0]?.words ?? [];
      results.show(result);
      if (event.type === 'partial') {
        if (Number.isNaN(moments.firstPartialMs)) moments.firstPartialMs = nowMs;
        timeline.mark(result.segment_index, { startS: result.start_time });
        timeline.place(result.segment_index, words);
        continue;
      }
      if (['RECOGNIZED', 'NO_MATCH'].includes(result.result_status) && result.end_time > result.start_time) {
        const matched = result.result_status === 'RECOGNIZED';
        timeline.mark(result.segment_index, { startS: result.start_time, endS: result.end_time, exact: true, matched });
        timeline.place(result.segment_index, words);
        if (running?.source.live) latency.segment({ clock: running.clock, ...moments, resultMs: nowMs }, result);
      }
      showVoice(false);
      segment = result.segment_index + 1;
      moments = nothing();
    }
  }
}

/** @param {boolean} on */
function showRunning(on) {
  speakButton.disabled = false;
  speakButton.classList.toggle('on', on);
  byId('speak-text', HTMLElement).textContent = on ? 'Stop' : 'Speak';
  cancelButton.hidden = !on;
  playButton.hidden = on || recording.length === 0;
  timeline.running = on;
  if (!on) {
    showVoice(false);
    showLevel(new Int16Array(1));
  }
}

/** @param {string} words */
function say(words) {
  notice.hidden = words === '';
  notice.textContent = words;
}

const checked = (/** @type {string} */ id) => byId(id, HTMLInputElement).checked;

const speak = () =>
  running ? running.source.stop() : recognize((onSamples) => openMicrophone({ processed: checked('processed'), onSamples }));
const cancel = () => running?.session.cancel().catch((error) => say(error.message));

/** @param {Blob | undefined} file */
const recognizeFile = (file) =>
  file && recognize((onSamples) => openFile(file, { fast: checked('fast'), onSamples }));

// --- playing the recording again ------------------------------------------------------------------------------------

/** @type {AudioContext | null} */
let player = null;

function stopPlaying() {
  player?.close();
  player = null;
  timeline.playheadS = null;
  playButton.textContent = 'Play';
}

function play() {
  if (player) return stopPlaying();
  const length = recording.reduce((sum, samples) => sum + samples.length, 0);
  const context = (player = new AudioContext());
  const buffer = context.createBuffer(1, length, SAMPLE_RATE_HZ);
  const channel = buffer.getChannelData(0);
  let at = 0;
  for (const samples of recording) for (const sample of samples) channel[at++] = sample / 32_768;
  const node = context.createBufferSource();
  node.buffer = buffer;
  node.connect(context.destination);
  node.addEventListener('ended', () => player === context && stopPlaying());
  const startS = context.currentTime;
  node.start();
  playButton.textContent = 'Stop playing';
  const follow = () => {
    if (player !== context) return;
    timeline.playheadS = context.currentTime - startS;
    requestAnimationFrame(follow);
  };
  follow();
}

// --- grammars without speech ----------------------------------------------------------------------------------------

/** @type {ReturnType<typeof setTimeout> | undefined} */
let checkTimer;

function checkSoon() {
  remember('grammar', editor.text);
  clearTimeout(checkTimer);
  if (grammarChosen()) checkTimer = setTimeout(check, CHECK_AFTER_MS);
}

async function check() {
  if (running) return checkSoon();
  try {
    await languageModel(await session());
  } catch (error) {
    if (!(error instanceof AsrError && error.code)) say(/** @type {Error} */ (error).message);
  }
}

/** @param {SubmitEvent} event */
async function interpret(event) {
  event.preventDefault();
  const phrase = byId('phrase', HTMLInputElement).value;
  if (!phrase.trim() || running) return;
  say('');
  try {
    const opened = await session();
    const result = await opened.interpret(phrase, { lm: await languageModel(opened) });
    stopPlaying();
    recording = [];
    timeline.clear();
    results.clear();
    showRunning(false);
    if (result.alternatives.length) results.show(result);
    else say('The grammar does not cover this sentence.');
  } catch (error) {
    say(/** @type {Error} */ (error).message);
  }
}

// --- the page's controls --------------------------------------------------------------------------------------------

function showKind() {
  byId('model-panel', HTMLElement).hidden = grammarChosen();
  byId('grammar-panel', HTMLElement).hidden = !grammarChosen();
  checkSoon();
}

function showModel() {
  byId('model-uri', HTMLElement).textContent = modelSelect.value;
}

const THEMES = ['system', 'light', 'dark'];

/** @param {string} theme */
function showTheme(theme) {
  document.documentElement.dataset['theme'] = theme;
  byId('theme-name', HTMLElement).textContent = theme;
  dispatchEvent(new Event('resize'));
}

/** Storage may be forbidden; then the page forgets, and works. @param {string} key @param {string} value */
function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // forgotten
  }
}

/** @param {string} key @param {string} otherwise */
function recall(key, otherwise) {
  try {
    return localStorage.getItem(key) ?? otherwise;
  } catch {
    return otherwise;
  }
}

byId('theme', HTMLButtonElement).addEventListener('click', () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset['theme'] ?? '') + 1) % THEMES.length] ?? 'system';
  remember('theme', next);
  showTheme(next);
  timeline.playheadS = null; // drawn anew in the new colours
});

const example = byId('example', HTMLSelectElement);
example.append(...Object.keys(EXAMPLES).map((name) => make('option', {}, name)));
example.addEventListener('change', () => {
  editor.text = EXAMPLES[example.value] ?? '';
  checkSoon();
});
editor.text = recall('grammar', EXAMPLES[example.value] ?? '');

for (const radio of document.querySelectorAll('[name=kind]')) radio.addEventListener('change', showKind);
modelSelect.addEventListener('change', showModel);
speakButton.addEventListener('click', speak);
cancelButton.addEventListener('click', cancel);
playButton.addEventListener('click', play);
byId('open', HTMLButtonElement).addEventListener('click', () => fileInput.click());
fileInput.addEventListener('change', () => {
  recognizeFile(fileInput.files?.[0]);
  fileInput.value = '';
});
byId('interpret', HTMLFormElement).addEventListener('submit', interpret);
byId('sign-in', HTMLFormElement).addEventListener('submit', signIn);
byId('sign-in', HTMLFormElement).hidden = !config.credentials;
byId('log-clear', HTMLButtonElement).addEventListener('click', () => log.clear());
byId('log-copy', HTMLButtonElement).addEventListener('click', () => navigator.clipboard?.writeText(log.text));

addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    speak();
  } else if (event.key === 'Escape' && running) {
    cancel();
  }
});

const drop = byId('drop', HTMLElement);
addEventListener('dragover', (event) => {
  event.preventDefault();
  drop.classList.add('over');
});
addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) drop.classList.remove('over');
});
addEventListener('drop', (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  recognizeFile(event.dataTransfer?.files[0]);
});

showTheme(recall('theme', 'system'));
showModel();
showKind();
document.documentElement.dataset['ready'] = 'yes';
