import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AsrError, connect, ConnectionClosedError, decodeMessage, encodeMessage } from '../../asr_trio/console/asr-client.js';
import { failure, frame, HANDLE, resultFrame, ScriptedSocket, spoken, success } from './scripted-socket.mjs';

const text = (bytes) => new TextDecoder().decode(bytes);
const pcm = (bytes) => new Uint8Array(bytes);

async function open(script = {}, options = {}) {
  const socket = new ScriptedSocket(script);
  const session = await connect('ws://test/asr-server/asr', { socket: () => socket, ...options });
  return { session, socket };
}

async function collect(events) {
  const list = [];
  for await (const event of events) list.push(event);
  return list;
}

const summary = (events) => events.map((event) => event.result?.alternatives[0]?.text ?? event.result?.result_status ?? event.type);

// A microphone never ends by itself.
async function* microphone(returned = () => {}) {
  try {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      yield pcm(640);
    }
  } finally {
    returned();
  }
}

test('a message is its start line, headers in order, an empty line and the body', () => {
  const bytes = encodeMessage('DEFINE_GRAMMAR', [['Content-ID', 'é'], ['Content-Type', 'application/srgs']], pcm(3));
  assert.equal(
    text(bytes),
    'ASR 2.3 DEFINE_GRAMMAR\r\nContent-ID: é\r\nContent-Type: application/srgs\r\nContent-Length: 3\r\n\r\n\0\0\0',
  );
});

test('a header cannot break out of its line', () => {
  assert.throws(() => encodeMessage('SET_PARAMETERS', [['hints.words', 'a\r\nX: b']]), TypeError);
});

test('both line ends, colons in values and bytes after the body are understood', () => {
  for (const end of ['\n', '\r\n']) {
    const message = decodeMessage(new TextEncoder().encode(`ASR 2.3 RESPONSE${end}Message:a: b${end}Content-Length: 2${end}${end}xyz`));
    assert.deepEqual([message.name, message.headers.get('message'), text(message.body)], ['RESPONSE', 'a: b', 'xy']);
  }
});

test('what is no message is an error of its own', () => {
  for (const rubbish of ['', '\r\n', 'HTTP/1.1 200 OK', 'ASR', 'ASR 2.3']) {
    assert.throws(() => decodeMessage(new TextEncoder().encode(rubbish)), AsrError);
  }
});

test('encode and decode are inverse for any body', () => {
  for (let length = 0; length < 300; length += 7) {
    const body = Uint8Array.from({ length }, (_, index) => (index * 37) % 256);
    assert.deepEqual(decodeMessage(encodeMessage('SEND_AUDIO', [['LastPacket', 'true']], body)).body, body);
  }
});

test('connect creates a session and tells what the server said', async () => {
  const { session, socket } = await open(
    { CREATE_SESSION: () => [success('CREATE_SESSION', 'IDLE', { Expires: 60000 })] },
    { userAgent: 'test/1', parameters: { 'decoder.maxSentences': 3 } },
  );
  assert.deepEqual([session.handle, session.expiresMs, session.status], [HANDLE, 60000, 'IDLE']);
  assert.deepEqual(socket.names(), ['CREATE_SESSION', 'SET_PARAMETERS']);
  assert.equal(socket.sent[0].headers.get('user-agent'), 'test/1');
});

test('no server is a ConnectionClosedError', async () => {
  await assert.rejects(open({ refuse: true }), ConnectionClosedError);
});

test('a server that never answers the upgrade is given up', async () => {
  let socket;
  const options = { requestTimeoutMs: 20, socket: () => (socket = new ScriptedSocket({ silent: true })) };
  await assert.rejects(connect('ws://test/', options), ConnectionClosedError);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(socket.closed);
});

test('user and password go into the URL, whatever is in them', async () => {
  const urls = [];
  const options = { user: 'ann', password: 'a:b@c/d', socket: (url) => (urls.push(url), new ScriptedSocket()) };
  await connect('ws://test/asr-server/asr', options);
  assert.deepEqual(urls, ['ws://ann:a%3Ab%40c%2Fd@test/asr-server/asr']);
});

test('a full server is an AsrError with its code', async () => {
  const script = { CREATE_SESSION: () => [failure('CREATE_SESSION', 'ERR_MAX_LICENSES', 'All sessions are taken')] };
  await assert.rejects(open(script), { code: 'ERR_MAX_LICENSES', method: 'CREATE_SESSION', message: 'All sessions are taken' });
});

test('simple mode: events in order, audio stops at the end of speech, the source is given back', async () => {
  let packets = 0;
  let returned = 0;
  const { session, socket } = await open({
    SEND_AUDIO: () => {
      packets += 1;
      if (packets === 2) return [frame('START_OF_SPEECH', { 'Session-Status': 'LISTENING' })];
      if (packets === 3) return [spoken('si', { final_result: false, result_status: 'PROCESSING' }, 'LISTENING')];
      if (packets === 5) return [frame('END_OF_SPEECH', { 'Session-Status': 'RECOGNIZING' }), spoken('sim')];
      return [];
    },
  });
  const events = await collect(session.recognize(microphone(() => { returned += 1; }), { lm: 'builtin:slm/general' }));
  assert.deepEqual(summary(events), ['listening', 'speech-start', 'si', 'speech-end', 'sim']);
  assert.deepEqual(events.map((event) => event.type), ['listening', 'speech-start', 'partial', 'speech-end', 'result']);
  assert.equal(session.status, 'IDLE');
  assert.ok(!socket.names().includes('CANCEL_RECOGNITION'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(returned, 1);
  const sentAfterwards = socket.sent.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(socket.sent.length, sentAfterwards);
});

test('continuous mode: a result for each segment until the last', async () => {
  const { session } = await open({
    SEND_AUDIO: (message) =>
      message.headers.get('lastpacket') === 'true'
        ? [resultFrame({ result_status: 'NO_SPEECH', segment_index: 2 })]
        : [spoken(`segment ${message.body.length}`, { last_segment: false }, 'LISTENING')],
  });
  const audio = [pcm(2), pcm(4)];
  const events = await collect(session.recognize(audio, { lm: ['a', 'b'], parameters: { 'decoder.continuousMode': true } }));
  assert.deepEqual(summary(events), ['listening', 'segment 2', 'segment 4', 'NO_SPEECH']);
});

test('a buffer is cut into messages and closed by an empty last packet', async () => {
  const { session, socket } = await open({
    SEND_AUDIO: (message) => (message.headers.get('lastpacket') === 'true' ? [spoken('x')] : []),
  });
  const audio = Uint8Array.from({ length: 450_001 }, (_, index) => index % 251);
  await collect(session.recognize(audio.buffer, { lm: 'builtin:slm/general', contentType: 'audio/wav' }));
  const packets = socket.sent.filter((message) => message.name === 'SEND_AUDIO');
  assert.deepEqual(packets.map((packet) => packet.body.length), [200_000, 200_000, 50_001, 0]);
  assert.deepEqual(packets.map((packet) => packet.headers.get('lastpacket')), ['false', 'false', 'false', 'true']);
  assert.deepEqual(Buffer.concat(packets.map((packet) => packet.body)), Buffer.from(audio));
});

test('the language model goes into the body as URIs or as a grammar', async () => {
  const { session, socket } = await open({ SEND_AUDIO: () => [spoken('x')] });
  await collect(session.recognize([], { lm: ['builtin:a', 'session:b'], parameters: { 'decoder.maxSentences': 2 } }));
  await collect(session.recognize([], { lm: { text: '#ABNF 1.0 UTF-8; ção', id: 'menu' } }));
  const [uris, grammar] = socket.sent.filter((message) => message.name === 'START_RECOGNITION');
  assert.deepEqual([uris.headers.get('content-type'), text(uris.body)], ['text/uri-list', 'builtin:a\r\nsession:b']);
  assert.equal(uris.headers.get('decoder.maxsentences'), '2');
  assert.deepEqual([grammar.headers.get('content-id'), text(grammar.body)], ['menu', '#ABNF 1.0 UTF-8; ção']);
});

test('a slow network holds the source back', async () => {
  let taken = 0;
  const { session, socket } = await open({
    SEND_AUDIO: (message) => (message.headers.get('lastpacket') === 'true' ? [spoken('x')] : []),
  });
  function* source() {
    for (; taken < 5; taken += 1) yield pcm(100);
  }
  socket.bufferedAmount = 1e6;
  const events = collect(session.recognize(source(), { lm: 'a' }));
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(taken, 0); // the first packet is out, the second was not asked for
  socket.bufferedAmount = 0;
  await events;
  assert.equal(taken, 5);
});

test('leaving the loop cancels, and the session can be used again', async () => {
  const { session, socket } = await open({
    SEND_AUDIO: () => [frame('START_OF_SPEECH', { 'Session-Status': 'LISTENING' })],
  });
  for await (const event of session.recognize(microphone(), { lm: 'a' })) {
    if (event.type === 'speech-start') break;
  }
  assert.equal(socket.names().filter((name) => name === 'CANCEL_RECOGNITION').length, 1);
  assert.equal(session.status, 'IDLE');
  socket.script.SEND_AUDIO = () => [spoken('again')];
  assert.deepEqual(summary(await collect(session.recognize(microphone(), { lm: 'a' }))), ['listening', 'again']);
});

test('cancel ends the loop without a result and is sent once', async () => {
  const { session, socket } = await open();
  const events = collect(session.recognize(microphone(), { lm: 'a' }));
  setTimeout(() => session.cancel(), 10);
  assert.deepEqual(summary(await events), ['listening']);
  assert.equal(socket.names().filter((name) => name === 'CANCEL_RECOGNITION').length, 1);
});

test('an abort signal cancels and is thrown', async () => {
  const { session, socket } = await open();
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error('enough')), 10);
  await assert.rejects(collect(session.recognize(microphone(), { lm: 'a', signal: abort.signal })), /enough/);
  assert.ok(socket.names().includes('CANCEL_RECOGNITION'));
});

test('a source that fails fails the recognition and cancels it', async () => {
  const { session, socket } = await open();
  async function* broken() {
    yield pcm(10);
    throw new Error('unplugged');
  }
  await assert.rejects(collect(session.recognize(broken(), { lm: 'a' })), /unplugged/);
  assert.ok(socket.names().includes('CANCEL_RECOGNITION'));
});

test('a refused recognition takes no audio', async () => {
  const { session, socket } = await open({
    START_RECOGNITION: () => [failure('START_RECOGNITION', 'ERR_FILE_OPEN', 'Language model not found')],
  });
  await assert.rejects(collect(session.recognize([pcm(2)], { lm: 'builtin:slm/none' })), { code: 'ERR_FILE_OPEN' });
  assert.ok(!socket.names().includes('SEND_AUDIO'));
});

test('a session runs one recognition at a time', async () => {
  const { session } = await open();
  const first = collect(session.recognize(microphone(), { lm: 'a' }));
  await new Promise((resolve) => setTimeout(resolve, 10));
  await assert.rejects(collect(session.recognize([], { lm: 'a' })), AsrError);
  await session.cancel();
  await first;
});

test('a closed connection ends what waits for it, and says why', async () => {
  const reasons = [];
  const { session, socket } = await open({}, { onClose: (reason) => reasons.push(reason) });
  const events = collect(session.recognize(microphone(), { lm: 'a' }));
  setTimeout(() => socket.hangUp(1000, 'Session timeout.'), 10);
  await assert.rejects(events, /Session timeout/);
  await assert.rejects(session.getParameters(), ConnectionClosedError);
  assert.deepEqual([reasons, session.closed], [['Session timeout.'], true]);
});

test('rubbish from the server ends the connection with a word', async () => {
  const { session, socket } = await open({ SET_PARAMETERS: () => [new TextEncoder().encode('rubbish')] });
  await assert.rejects(session.setParameters({}), /no message/);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(socket.closed);
});

test('an unanswered request ends after its bound', async () => {
  const { session } = await open({ GET_PARAMETERS: () => [] }, { requestTimeoutMs: 20 });
  await assert.rejects(session.getParameters(), /not answered/);
});

test('refused parameters are told, read parameters come without the protocol headers', async () => {
  const { session } = await open({
    SET_PARAMETERS: () => [success('SET_PARAMETERS', 'IDLE', { 'no.such': 'ERR_INVALID_PARAMETER' })],
    GET_PARAMETERS: () => [success('GET_PARAMETERS', 'IDLE', { 'decoder.maxSentences': 2 })],
  });
  assert.deepEqual(await session.setParameters({ 'no.such': 1 }), { 'no.such': 'ERR_INVALID_PARAMETER' });
  assert.deepEqual(await session.getParameters('decoder.maxSentences'), { 'decoder.maxsentences': '2' });
});

test('grammars are defined, and interpreted without audio', async () => {
  const { session, socket } = await open({
    INTERPRET_TEXT: () => [success('INTERPRET_TEXT'), spoken('two of them')],
  });
  assert.equal(await session.defineGrammar('menu', '#ABNF 1.0;'), 'session:menu');
  const result = await session.interpret('two\n of  them', { lm: 'session:menu' });
  assert.equal(result.alternatives[0].text, 'two of them');
  assert.equal(socket.sent.at(-1).headers.get('text'), 'two of them');
});

test('a text that no language model can interpret is refused', async () => {
  const { session } = await open({ INTERPRET_TEXT: () => [failure('INTERPRET_TEXT', 'ERR_NO_ACTIVE_LM', 'No model')] });
  await assert.rejects(session.interpret('x', { lm: [] }), { code: 'ERR_NO_ACTIVE_LM' });
});

test('every message is shown, both ways', async () => {
  const seen = [];
  const { session } = await open({}, { onMessage: ({ direction, message }) => seen.push(`${direction} ${message.name}`) });
  await session.startInputTimers();
  await session.close();
  assert.deepEqual(seen, [
    'sent CREATE_SESSION', 'received RESPONSE', 'sent START_INPUT_TIMERS', 'received RESPONSE',
    'sent RELEASE_SESSION', 'received RESPONSE',
  ]);
  assert.ok(session.closed);
});
