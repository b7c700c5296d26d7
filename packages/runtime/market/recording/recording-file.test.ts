import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemWall } from '../../time.ts';
import { eventOf, lineOf, readRecording, type RecordedEvent } from './recording-file.ts';
import { SessionRecorder, type RecorderOptions } from './session-recorder.ts';

let folder: string;
let path: string;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tm-recording-'));
  path = join(folder, 'session.gz');
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const start = (over: Partial<RecorderOptions> = {}) => SessionRecorder.open({ path, wall: systemWall, log: (_level, code) => said.push(code), ...over });
async function read(file = path): Promise<{ events: RecordedEvent[]; torn: boolean }> {
  const events: RecordedEvent[] = [];
  let torn = false;
  for await (const event of readRecording(file, () => { torn = true; })) events.push(event);
  return { events, torn };
}
const framesOf = (events: readonly RecordedEvent[]) => events.flatMap((event) => (event.kind === 'frame' ? [event.bytes.toString()] : []));

test('every event comes back as it was, whatever bytes a frame has', () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.string().map((text) => new Uint8Array(Buffer.from(text)))).map((array) => Buffer.from(array));
  const event: fc.Arbitrary<RecordedEvent> = fc.oneof(
    fc.record({ at: fc.constant(1_700_000_000_000.25), kind: fc.constant('frame' as const), connection: fc.nat(99), bytes }),
    fc.record({ at: fc.constant(1_700_000_000_000), kind: fc.constantFrom('opened' as const, 'closed' as const), connection: fc.nat(99) }),
    fc.record({ at: fc.constant(1_700_000_000_000), kind: fc.constant('answer' as const), answer: fc.record({ path: fc.string(), status: fc.nat(599), headers: fc.constant({ date: 'x' }), body: fc.string(), sentAt: fc.constant(5) }) }),
    fc.record({ at: fc.constant(1_700_000_000_000), kind: fc.constant('membership' as const), entry: fc.record({ id: fc.string(), version: fc.nat(), spans: fc.array(fc.record({ after: fc.nat(), symbols: fc.array(fc.string()) })), absences: fc.constant([]) }) }),
  );
  fc.assert(fc.property(event, (one) => {
    const line = lineOf(one);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(eventOf(line.slice(0, -1))).toEqual(one);
  }), { numRuns: 500 });
});

test('what is flushed is whole on disk for any gunzip, while the recording goes on', async () => {
  const recorder = await start();
  recorder.opened(1);
  recorder.frame(1, Buffer.from('{"a":1}'));
  await recorder.flush();
  recorder.frame(1, Buffer.from('{"a":2}'));
  expect(gunzipSync(readFileSync(path)).toString()).toMatch(/^# trademind recording 1 .*\n\d{19} o1\n\d{19} f1 \{"a":1\}\n$/);
  await recorder.close();
  expect(framesOf((await read()).events)).toEqual(['{"a":1}', '{"a":2}']);
});

test('a file that was torn anywhere gives all that was whole before, and says that it is torn', async () => {
  const recorder = await start();
  for (let block = 0; block < 5; block++) {
    for (let index = 0; index < 100; index++) recorder.frame(1, Buffer.from(`{"block":${block},"index":${index},"noise":${Math.sin(100 * block + index)}}`));
    await recorder.flush();
  }
  await recorder.close();
  const whole = readFileSync(path);
  const all = framesOf((await read()).events);
  expect(all).toHaveLength(500);
  for (const part of [0.999, 0.7, 0.45, 0.25]) {
    writeFileSync(path, whole);
    truncateSync(path, Math.floor(whole.length * part));
    const { events, torn } = await read();
    const got = framesOf(events);
    expect(torn).toBe(true);
    expect(got.length).toBeGreaterThanOrEqual(Math.floor(part * 5) * 100);
    // A last line may be cut: whatever came before it is as it was.
    expect(got.slice(0, -1)).toEqual(all.slice(0, got.length - 1));
  }
  writeFileSync(path, whole);
  appendFileSync(path, Buffer.from([0x1f, 0x8b, 0x08, 0, 1, 2, 3]));
  expect(framesOf((await read()).events)).toEqual(all);
});

test('a file that is there already is left alone; one that grows too large ends the recording, not the session', async () => {
  writeFileSync(path, 'mine');
  await expect(start()).rejects.toMatchObject({ code: 'recording_exists' });
  expect(readFileSync(path, 'utf8')).toBe('mine');
  await expect(start({ path: join(path, 'below', 'deep.gz') })).rejects.toMatchObject({ code: 'recording_unwritable' });
  const recorder = await start({ path: join(folder, 'small.gz'), mostBytes: 200 });
  recorder.frame(1, Buffer.from('{"a":1}'));
  await recorder.flush();
  expect(said).toEqual([]);
  recorder.frame(1, randomBytes(200));
  await recorder.flush();
  expect(said).toEqual(['recording_ended']);
  recorder.frame(1, Buffer.from('{"a":2}'));
  await recorder.close();
  expect(statSync(join(folder, 'small.gz')).size).toBeLessThanOrEqual(200);
  expect(framesOf((await read(join(folder, 'small.gz'))).events)).toEqual(['{"a":1}']);
});

test('a recording leaves a disk some room, and a disk that is slow some memory: it ends, the session goes on', async () => {
  let free = 100 * 1024 ** 2;
  const recorder = await start({ freeBytes: () => Promise.resolve(free) });
  recorder.frame(1, Buffer.from('{"a":1}'));
  await recorder.flush();
  free = 60 * 1024 ** 2;
  recorder.frame(1, Buffer.from('{"a":2}'));
  await recorder.flush();
  expect(said).toEqual(['recording_ended']);
  await recorder.close();
  expect(framesOf((await read()).events)).toEqual(['{"a":1}']);

  const disk = Promise.withResolvers<number>();
  const slow = await start({ path: join(folder, 'slow.gz'), freeBytes: () => disk.promise });
  const frame = Buffer.alloc(4 * 1024 ** 2, 'x');
  for (let sent = 0; sent < 20; sent++) slow.frame(1, frame);
  expect(said).toEqual(['recording_ended', 'recording_ended']);
  disk.resolve(free);
  await slow.close();
});

test('public answers are recorded with what was asked; nothing else is', async () => {
  const recorder = await start();
  const exchange = recorder.record({ restUrl: 'http://x', streamUrl: 'ws://x', fetch: (input) => Promise.resolve(new Response(`answer to ${input}`, { headers: { date: 'today', 'set-cookie': 'secret' } })) });
  const bodies = await Promise.all(['/api/v3/klines?symbol=A', '/api/v3/account?signature=secret'].map(async (asked) => (await exchange.fetch!(`http://x${asked}`)).text()));
  expect(bodies).toEqual(['answer to http://x/api/v3/klines?symbol=A', 'answer to http://x/api/v3/account?signature=secret']);
  await recorder.close();
  const { events } = await read();
  expect(events).toMatchObject([{ kind: 'answer', answer: { path: '/api/v3/klines?symbol=A', status: 200, body: bodies[0], headers: { date: 'today' } } }]);
  expect(gunzipSync(readFileSync(path)).toString()).not.toContain('secret');
});

test('what is no recording is said to be none', async () => {
  for (const bytes of [Buffer.from('no gzip'), gzipSync('no event\nin here\n'), Buffer.alloc(0)]) {
    writeFileSync(path, bytes);
    await expect(read()).rejects.toMatchObject({ code: 'recording_unreadable' });
  }
  await expect(read(join(folder, 'nowhere.gz'))).rejects.toMatchObject({ code: 'recording_unreadable' });
});

const recordings = join(process.env['TRADEMIND_DATA'] ?? join(import.meta.dirname, '../../../../../shared/data'), 'binance');
test.skipIf(!existsSync(recordings)).each([
  ['btcusdt-spot-stream-2024-08-08.gz', 1_723_161_253_937.0857], ['mixed-stream-sample-2021.gz', 1_633_998_512_063.3569],
])('the real recording %s is read, with the time of its first frame', async (name, at) => {
  const { events, torn } = await read(join(recordings, name));
  const lines = gunzipSync(readFileSync(join(recordings, name))).toString().split('\n').filter((line) => /^\d/.test(line));
  expect([events.length, torn]).toEqual([lines.length, false]);
  expect(events[0]?.at).toBeCloseTo(at, 2);
});

test('a write that takes less than it is given leaves the recording whole', async () => {
  const probe = await open(join(folder, 'probe'), 'w');
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  // As a disk that is almost full, or a network file system, may do it.
  const write = Reflect.get(prototype, 'write') as (this: FileHandle, bytes: Buffer, offset?: number, length?: number) => ReturnType<FileHandle['write']>;
  const short = vi.spyOn(prototype as { write: typeof write }, 'write').mockImplementation(function some(this: FileHandle, bytes, offset = 0) {
    return write.call(this, bytes, offset, Math.min(7, bytes.length - offset));
  });
  try {
    const recorder = await start();
    for (let block = 0; block < 3; block++) {
      recorder.frame(1, Buffer.from(`{"block":${block}}`));
      await recorder.flush();
    }
    await recorder.close();
  } finally {
    short.mockRestore();
  }
  const { events, torn } = await read();
  expect(framesOf(events)).toEqual(['{"block":0}', '{"block":1}', '{"block":2}']);
  expect(torn).toBe(false);
  expect(said).toEqual([]);
});
