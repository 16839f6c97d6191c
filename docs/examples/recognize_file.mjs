// Recognise a recording in Node: node recognize_file.mjs ws://localhost:8025/asr-server/asr speech.wav
//
// Node 22 has a WebSocket of its own; Node 20 has it behind --experimental-websocket. With the package `ws` instead, which
// can also send credentials, hand one in: connect(url, { socket: (url) => new WebSocket(url, { headers }) }).

import { createReadStream } from 'node:fs';

import { connect } from '../../asr_trio/console/asr-client.js'; // from npm: 'asr-trio-client'

const [url, file] = process.argv.slice(2);
const session = await connect(url, {
  parameters: { 'decoder.partialResultEnabled': true, 'decoder.partialResultInterval': 300 },
});
for await (const event of session.recognize(createReadStream(file), { lm: 'builtin:slm/general' })) {
  if (event.type === 'partial') console.log('…', event.result.alternatives[0].text);
  if (event.type === 'result') console.log(event.result.alternatives[0]?.text ?? event.result.result_status);
}
await session.close();
