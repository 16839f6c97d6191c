import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fault } from '../../asr_trio/console/app/grammar-editor.js';
import { AudioClock } from '../../asr_trio/console/app/latency.js';
import { level, toPcm, wavHeader } from '../../asr_trio/console/app/pcm.js';
import { Resampler } from '../../asr_trio/console/app/resampler.js';

const sine = (hz, rateHz, length) => Float32Array.from({ length }, (_, n) => 0.5 * Math.sin((2 * Math.PI * hz * n) / rateHz));

function resample(input, from, to, block = input.length) {
  const resampler = new Resampler(from, to);
  const parts = [];
  for (let at = 0; at < input.length; at += block) parts.push(...resampler.process(input.subarray(at, at + block)));
  return Float32Array.from([...parts, ...resampler.flush()]);
}

const energy = (samples) => samples.reduce((sum, value) => sum + value * value, 0);

for (const rateHz of [48_000, 44_100, 96_000, 22_050, 16_000, 8_000]) {
  test(`a tone of 1 kHz at ${rateHz} Hz comes out at 16 kHz with its phase, 70 dB above the error`, () => {
    const output = resample(sine(1000, rateHz, rateHz), rateHz, 16_000);
    assert.ok(Math.abs(output.length - 16_000) <= 2, `${output.length} samples`);
    const middle = output.subarray(1000, 15_000);
    const wanted = sine(1000, 16_000, 16_000).subarray(1000, 15_000);
    const error = energy(middle.map((value, n) => value - wanted[n]));
    assert.ok(10 * Math.log10(energy(wanted) / error) > 70);
  });
}

test('what lies above half the new rate is 75 dB down', () => {
  for (const hz of [8_300, 10_000, 15_000, 20_000]) {
    const output = resample(sine(hz, 48_000, 48_000), 48_000, 16_000).subarray(1000, 15_000);
    assert.ok(10 * Math.log10(energy(output) / (0.125 * output.length)) < -75, `${hz} Hz`);
  }
});

test('the output is the same however the input is cut', () => {
  const input = sine(700, 44_100, 5_000);
  const whole = resample(input, 44_100, 16_000);
  for (const block of [1, 7, 128, 999]) assert.deepEqual(resample(input, 44_100, 16_000, block), whole);
});

test('samples are clipped and rounded, never wrapped', () => {
  assert.deepEqual([...toPcm(Float32Array.of(0, 1, -1, 2, -2, 0.75 / 32_767))], [0, 32_767, -32_767, 32_767, -32_767, 1]);
});

test('the WAV header says mono, 16 kHz, 16 bit and either a size or "until the last packet"', () => {
  const view = new DataView(wavHeader(320).buffer);
  assert.deepEqual([view.getUint32(4, true), view.getUint16(22, true), view.getUint32(24, true), view.getUint16(34, true), view.getUint32(40, true)], [356, 1, 16_000, 16, 320]);
  assert.equal(new DataView(wavHeader().buffer).getUint32(40, true), 0xffffffff);
});

test('level is dB below full scale', () => {
  const { rmsDb, peakDb } = level(toPcm(sine(100, 16_000, 16_000)));
  assert.ok(Math.abs(rmsDb + 9.03) < 0.02 && Math.abs(peakDb + 6.02) < 0.02);
  assert.equal(level(new Int16Array(10)).rmsDb, -Infinity);
});

test('the place of a fault is read from the words of the refusal', () => {
  for (const [message, line, column] of [
    ['line 4, column 9 - expected a semicolon', 4, 9],
    ['unexpected token at line 12 col 3', 12, 3],
    ['Undefined rule $x in line 7', 7, null],
    ['unknown words jabberwocky', null, null],
  ]) {
    assert.deepEqual(fault(message), { message, line, column });
  }
});

test('the audio clock tells when a position had been sent', () => {
  const clock = new AudioClock();
  clock.sent(0.5, 1000);
  clock.sent(1, 1500);
  assert.deepEqual([0.2, 0.5, 0.7, 1.2].map((seconds) => clock.at(seconds)), [1000, 1000, 1500, null]);
});
