import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Program } from './child.ts';
import { supervise, type SupervisedEvent } from './supervise.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'trademind-supervise-')); });
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

function program(source: string): Program {
  const file = join(folder, 'program.mjs');
  writeFileSync(file, source);
  return { name: 'tiny', args: [file], env: { PATH: process.env['PATH'] ?? '' }, logFile: join(folder, 'tiny.log'), readyTimeoutMs: 90_000 };
}

const READY = 'process.stdout.write(JSON.stringify({ ready: true, pid: process.pid, secret: process.env.HOME ?? "none" }) + "\\n"); process.on("disconnect", () => process.exit()); setInterval(() => {}, 1000);';

function watch() {
  const events: SupervisedEvent[] = [];
  const waiting = new Set<() => void>();
  const next = (type: SupervisedEvent['type'], at: number) => new Promise<SupervisedEvent>((resolve) => {
    const look = () => { const found = events.filter((event) => event.type === type)[at]; if (found) resolve(found); };
    waiting.add(look);
    look();
  });
  return { events, next, onEvent: (event: SupervisedEvent) => { events.push(event); for (const look of waiting) look(); } };
}

test('a program that is killed is started again, and stop ends it for good', async () => {
  const { events, next, onEvent } = watch();
  const supervised = await supervise(program(READY), { cwd: folder, now: Date.now, onEvent, signal: new AbortController().signal });
  const first = events[0] as Extract<SupervisedEvent, { type: 'spawned' }>;
  expect(supervised.ready).toMatchObject({ ready: true, pid: first.pid, secret: 'none' });
  process.kill(first.pid, 'SIGKILL');
  expect(await next('died', 0)).toMatchObject({ name: 'tiny', how: 'SIGKILL' });
  const restarted = await next('restarted', 0);
  expect((restarted as { pid: number }).pid).not.toBe(first.pid);
  expect(await supervised.stop(60_000)).toEqual({ forced: false });
  expect(() => process.kill((restarted as { pid: number }).pid, 0)).toThrow();
});

test('a program that will not end is ended by force', async () => {
  const supervised = await supervise(program(`process.on("SIGTERM", () => {}); ${READY}`), { cwd: folder, now: Date.now, onEvent: () => {}, signal: new AbortController().signal });
  expect(await supervised.stop(300)).toEqual({ forced: true });
});

test('a program that says why it cannot start is quoted; one that says nothing names its log', async () => {
  const start = (source: string) => supervise(program(source), { cwd: folder, now: Date.now, onEvent: () => {}, signal: new AbortController().signal });
  await expect(start('process.stdout.write(JSON.stringify({ ready: false, code: "port_taken", message: "Port 1 is taken." }) + "\\n"); process.exitCode = 1;'))
    .rejects.toMatchObject({ code: 'port_taken', message: expect.stringContaining('Port 1 is taken.') });
  await expect(start('process.exitCode = 7;')).rejects.toMatchObject({ code: 'child_failed', nextStep: expect.stringContaining('tiny.log') });
});
