/** The client against a real server, in Node: `node live.mjs URL speech.wav`, run by test_asr_client.py. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { AsrError, connect, ConnectionClosedError } from '../../asr_trio/console/asr-client.js';

const [url, file] = process.argv.slice(2);
const wav = readFileSync(file);
const GENERAL = 'builtin:slm/general';

async function collect(events) {
  const list = [];
  for await (const event of events) list.push(event);
  return list;
}

const session = await connect(url, { userAgent: 'test', parameters: { 'decoder.maxSentences': 2 } });
assert.ok(BigInt(session.handle) > 0n && session.expiresMs > 0);
assert.deepEqual(await session.getParameters('decoder.maxSentences'), { 'decoder.maxsentences': '2' });
assert.deepEqual(await session.setParameters({ 'no.such': 1, 'decoder.wordDetails': 2 }), { 'no.such': 'ERR_INVALID_PARAMETER' });

const simple = await collect(session.recognize(wav, { lm: GENERAL, contentType: 'audio/wav' }));
assert.deepEqual(simple.map((event) => event.type), ['listening', 'speech-start', 'speech-end', 'result']);
assert.match(simple.at(-1).result.alternatives[0].text, /^he was not/);

const parameters = { 'decoder.continuousMode': true };
const continuous = await collect(session.recognize([wav.subarray(0, 5001), wav.subarray(5001)], { lm: [GENERAL], parameters }));
const last = continuous.at(-1).result;
assert.ok(last.last_segment && continuous.some((event) => event.result?.alternatives[0]?.text.startsWith('he was not')));

const fault = await session.defineGrammar('g', '#ABNF 1.0 UTF-8;\nroot $a;\n$a = $b;\n').catch((error) => error);
assert.ok(fault instanceof AsrError && /^line 3, column 6\b/.test(fault.message), fault.message);
assert.equal(fault.code, 'ERR_CORRUPTED_LM');
const grammar = '#ABNF 1.0 UTF-8;\nlanguage en-US;\nroot $a;\n$a = yes | no;\n';
const lm = await session.defineGrammar('g', grammar);
assert.deepEqual((await session.interpret('no', { lm })).alternatives[0].interpretations, ['no']);
assert.deepEqual((await session.interpret('yes', { lm: { text: grammar } })).alternatives[0].interpretations, ['yes']);

async function* silence() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    yield new Uint8Array(640);
  }
}
const abort = new AbortController();
setTimeout(() => abort.abort(new Error('enough')), 100);
await assert.rejects(collect(session.recognize(silence(), { lm: GENERAL, signal: abort.signal })), /enough/);
setTimeout(() => session.cancel(), 100);
assert.deepEqual((await collect(session.recognize(silence(), { lm: GENERAL }))).map((event) => event.type), ['listening']);
await assert.rejects(collect(session.recognize([], { lm: 'builtin:slm/none' })), { code: 'ERR_FILE_OPEN' });

await session.close();
assert.ok(session.closed);
await assert.rejects(session.getParameters(), ConnectionClosedError);
await assert.rejects(connect('ws://127.0.0.1:9/'), ConnectionClosedError);
console.log('all well');
