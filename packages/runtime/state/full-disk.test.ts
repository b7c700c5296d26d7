import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MessageQueue } from '../notifications/message-queue.ts';
import { StateStore } from './state-store.ts';

let dataDir: string;
let mounted = false;
let store: StateStore;
beforeEach(() => { dataDir = mkdtempSync(join(tmpdir(), 'tm-full-')); });
afterEach(() => {
  store.close();
  if (mounted) execFileSync('umount', [dataDir]);
  mounted = false;
  rmSync(dataDir, { recursive: true });
});

const at = '2026-11-26T10:00:00.000Z';
const open = () => { store = new StateStore({ dataDir, epoch: () => 1_000, outbox: true }); };
const signal = (id: string) => store.outbox.add('signal', id, { text: 'x'.repeat(1_000) });
const event = (id: string) => store.outbox.add('event', id, { at, kind: 'k', message: 'x'.repeat(1_000) });
const kinds = () => Map.groupBy(store.outbox.batch({ rows: 1e6, bytes: 1e12 }), ({ kind }) => kind);

/** Adds until it cannot any more; answers how many were added. */
function fill(add: (id: string) => void, most = 1e6): number {
  for (let n = 0; n < most; n++) {
    try {
      store.file.transaction(() => add(`${n}`));
    } catch (error) {
      expect(error).toMatchObject({ errcode: 13 });
      return n;
    }
  }
  return most;
}

test('where the file may not grow, events make room for signals; what was committed stays, and what failed left nothing', () => {
  open();
  store.file.exec('pragma max_page_count = 700');
  fill((id) => event(id), 800);
  const signals = fill((id) => signal(id));
  const left = kinds();
  expect([left.get('signal')?.length, left.get('event')?.length ?? 0]).toEqual([signals, 0]);
  expect(signals).toBeGreaterThan(1_000);
  let gone = 0;
  store.outbox.tellLetGo((told) => { gone = told.reduce((sum, { rows }) => sum + rows, 0); });
  expect(gone).toBe(800);
});

/** A file system of so many MB; only root may make one. */
function smallDisk(megabytes: number): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dataDir], { stdio: 'ignore' });
    mounted = true;
  } catch {
    process.stderr.write('No file system can be mounted here: a full disk is tested by a file that may not grow alone.\n');
  }
  return mounted;
}

test('on a disk that is really full the reserve goes first, signals go on into it, the outbox can still be emptied, and room brings the reserve back', () => {
  if (!smallDisk(48)) return;
  open();
  const reserve = () => [1, 2].filter((part) => existsSync(join(dataDir, `ballast-${part}`)));
  expect(reserve()).toEqual([1, 2]);
  fill((id) => event(id), 1_000);
  const first = fill((id) => signal(id));
  expect(reserve()).toEqual([2]);
  const { bavail, bsize } = statfsSync(dataDir);
  expect(bavail * bsize).toBeLessThan(1_000_000);
  expect([kinds().get('signal')?.length, kinds().get('event')?.length ?? 0]).toEqual([first, 0]);
  // The database answers while the disk is full: rows leave, and others find their place.
  store.outbox.settle(store.outbox.batch({ rows: 1_000, bytes: 1e9 }), [], () => undefined);
  expect(store.outbox.state().rows).toBe(first - 1_000);
  expect(fill((id) => signal(`more-${id}`), 500)).toBe(500);
  store.keepReserve();
  expect(reserve()).toEqual([]);
  execFileSync('mount', ['-o', 'remount,size=128m', dataDir]);
  store.keepReserve();
  expect(reserve()).toEqual([1, 2]);
  store.close();
  open();
  expect(store.outbox.state().rows).toBe(first - 500);
});

test('a start on a disk that is really full finds all as it was: the state by giving up its reserve, messages in memory until there is room', () => {
  if (!smallDisk(48)) return;
  open();
  signal('kept');
  const { queue } = MessageQueue.open(dataDir);
  const message = { kind: 'health', id: 'h', at: 1, component: 'disk', title: 'Disk', state: 'failing', before: 'healthy', sentence: 'Full.' } as const;
  queue.add({ event: message, channel: 'me', rule: 'r', limited: false, now: 1 });
  queue.close();
  store.close();
  const filled = join(dataDir, 'filled');
  for (const bytes of [1_048_576, 512]) {
    try {
      for (;;) appendFileSync(filled, Buffer.alloc(bytes));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
  open();
  expect(store.outbox.state().rows).toBe(1);
  signal('found on a full disk');
  expect(store.outbox.state().rows).toBe(2);
  // The reserve has gone for the state; what is left of it is used up.
  try {
    for (;;) appendFileSync(filled, Buffer.alloc(512));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
  const started = MessageQueue.open(dataDir);
  expect(started.trouble?.kind).toBe('in memory');
  started.queue.add({ event: { ...message, id: 'meanwhile' }, channel: 'me', rule: 'r', limited: false, now: 1 });
  expect(started.queue.stats().waiting).toBe(1);
  started.queue.close();
  rmSync(filled);
  const later = MessageQueue.open(dataDir);
  expect([later.trouble, later.queue.waiting('me', 1, 1).map(({ id }) => id)]).toEqual([undefined, ['h']]);
  later.queue.close();
});
