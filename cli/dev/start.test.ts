import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { components } from './components.ts';
import { foldersOf, openDataFolder } from './data-folder.ts';
import { AlreadyRunning, readRunning, takeLock } from './lock.ts';
import { chooseMarket, liveAnswers, parseMarket } from './market.ts';
import { checkRecordingMb, parseDevOptions } from './options.ts';
import { freePorts, portsFrom, requireFree } from './ports.ts';
import { identify } from './process-identity.ts';
import { openSecrets, publicHalf } from './secrets.ts';
import { listenForShutdown } from './shutdown.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'trademind-cli-')); });
afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('the lock of a data folder', () => {
  const now = new Date('2026-11-22T12:00:00Z');

  test('is held by one: a second taker is told who has it', () => {
    const path = join(folder, 'running.json');
    const lock = takeLock(path, now);
    expect(() => takeLock(path, now)).toThrow(AlreadyRunning);
    expect(readRunning(path)?.supervisor.pid).toBe(process.pid);
    lock.release();
    expect(takeLock(path, now).leftBehind).toBeNull();
  });

  test('of a process that is gone is taken over, with what it left behind', () => {
    const path = join(folder, 'running.json');
    const self = identify(process.pid)!;
    writeFileSync(path, JSON.stringify({ supervisor: { ...self, startedAt: 'another boot' }, since: now.toISOString(), children: { fly: { pid: 1, startedAt: 'x' } } }));
    expect(takeLock(path, now).leftBehind?.children).toEqual({ fly: { pid: 1, startedAt: 'x' } });
    expect(readRunning(path)?.supervisor).toEqual(self);
  });

  test('that is half-written is nobody’s', () => {
    const path = join(folder, 'running.json');
    writeFileSync(path, '{"supervisor":');
    expect(readRunning(path)).toBeNull();
    takeLock(path, now).update({ market: 'simulated' });
    expect(readRunning(path)?.market).toBe('simulated');
  });
});

describe('secrets', () => {
  test('are made once, readable by their owner alone, and never change', () => {
    const path = join(folder, 'secrets.json');
    const made = openSecrets(path, false);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(openSecrets(path, true)).toEqual(made);
    expect(publicHalf(made.userKey)).not.toHaveProperty('d');
  });

  test('that are cut short, or missing beside a database, are a damaged folder', async () => {
    const path = join(folder, 'secrets.json');
    expect(await codeOf(() => openSecrets(path, true))).toBe('data_damaged');
    writeFileSync(path, '{"flyToken":"x"}');
    expect(await codeOf(() => openSecrets(path, false))).toBe('data_damaged');
  });
});

describe('a data folder', () => {
  test('is made for its owner alone', () => {
    const path = join(folder, 'new');
    openDataFolder(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  test('without room for a database is refused, one that has its database already is not', async () => {
    expect(await codeOf(() => openDataFolder(folder, () => 1_000))).toBe('disk_full');
    mkdirSync(join(folder, 'postgres'));
    expect(openDataFolder(folder, () => 1_000).path).toBe(folder);
  });

  test('below a file is refused', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await codeOf(() => openDataFolder(join(folder, 'file', 'below')))).toBe('data_not_a_folder');
  });
});

describe('ports', () => {
  test('stand above the base, each at its place', () => {
    expect(portsFrom(5000)).toMatchObject({ controlPlane: 5000, dashboard: 5001, postgres: 5007 });
  });

  test('that are free are all different, and kept ones are taken again unless somebody has them', async () => {
    const ports = await freePorts();
    expect(new Set(Object.values(ports)).size).toBe(8);
    const server = createServer().listen(ports.fly, '127.0.0.1');
    await new Promise((resolve) => { server.once('listening', resolve); });
    const again = await freePorts(ports);
    expect(again.fly).not.toBe(ports.fly);
    expect({ ...again, fly: 0 }).toEqual({ ...ports, fly: 0 });
    await expect(requireFree(ports)).rejects.toMatchObject({ code: 'port_taken', message: expect.stringContaining(`Port ${ports.fly}, wanted for the Fly stand-in`), nextStep: expect.stringContaining('--port-base') });
    await requireFree(ports, ['controlPlane']);
    await new Promise((resolve) => { server.close(resolve); });
  });
});

describe('the market', () => {
  const never = () => Promise.reject(new Error('must not be probed'));

  test('chosen once is remembered without a probe; another one is refused', async () => {
    expect(await chooseMarket({ market: undefined, speed: undefined }, { market: { kind: 'simulated' }, speed: 30 }, never)).toEqual({ market: { kind: 'simulated' }, speed: 30, why: 'as last time' });
    expect(await codeOf(() => chooseMarket({ market: { kind: 'live' }, speed: undefined }, { market: { kind: 'simulated' } }, never))).toBe('market_changed');
  });

  test('is live where Binance answers, simulated at sixty times the speed where it does not', async () => {
    const choose = (answers: boolean) => chooseMarket({ market: undefined, speed: undefined }, {}, () => Promise.resolve(answers));
    expect(await choose(true)).toMatchObject({ market: { kind: 'live' }, speed: 1 });
    expect(await choose(false)).toMatchObject({ market: { kind: 'simulated' }, speed: 60 });
  });

  test('that is live runs at speed 1 only, and recorded candles that are gone are said', async () => {
    expect(await codeOf(() => chooseMarket({ market: { kind: 'live' }, speed: 10 }, {}, never))).toBe('usage');
    expect(await codeOf(() => chooseMarket({ market: undefined, speed: undefined }, { market: { kind: 'recorded', path: join(folder, 'gone') } }, never))).toBe('market_missing');
  });

  test.each([
    ['both calls answer', () => Promise.resolve(Response.json({ serverTime: 1 })), true],
    ['the region is refused (451)', () => Promise.resolve(new Response('', { status: 451 })), false],
    ['something else answers', () => Promise.resolve(Response.json({ hello: 1 })), false],
    ['nobody answers', () => Promise.reject(new Error('no route')), false],
  ])('is live when %s: %#', async (_, fetch, expected) => {
    expect(await liveAnswers(fetch)).toBe(expected);
  });

  test('may be a folder that is there', async () => {
    expect(parseMarket(folder, '/')).toEqual({ kind: 'recorded', path: folder });
    expect(await codeOf(() => parseMarket('not-there', folder))).toBe('usage');
  });
});

test('the options of dev are read whole, and a wrong one is named', async () => {
  expect(parseDevOptions({ market: 'simulated', speed: '30', data: 'd', portBase: '0', until: 'first-signal', reset: true, yes: true, json: true }, '/base')).toEqual({
    market: { kind: 'simulated' }, speed: 30, data: '/base/d', dataArgument: ' --data d', portBase: 0, untilFirstSignal: true, reset: true, yes: true, json: true,
  });
  for (const wrong of [{ speed: '0' }, { speed: 'fast' }, { speed: '9999' }, { portBase: '80' }, { portBase: '70000' }, { portBase: ' ' }]) {
    expect(await codeOf(() => parseDevOptions(wrong, '/'))).toBe('usage');
  }
});

test('machines of the local cloud are told where candles lie, and what they may record', async () => {
  const plan = {
    root: '/', folder: foldersOf(folder), ports: portsFrom(5000), secrets: openSecrets(join(folder, 'secrets.json'), false), market: { kind: 'live' as const }, speed: 1, image: 'image',
    environment: { geminiApiKey: undefined, binanceRestUrl: undefined, recordingMb: undefined, color: undefined, inherited: {} },
  };
  const told = (recordingMb?: string) => JSON.parse(components({ ...plan, environment: { ...plan.environment, recordingMb } }).get('control-plane')!.env.MACHINE_ENV!) as Record<string, string>;
  expect(told()).toMatchObject({ ARCHIVE_DIR: join(folder, 'archive') });
  expect(told()).not.toHaveProperty('RECORDING_MB');
  expect(told('200')).toMatchObject({ RECORDING_MB: '200' });
  for (const right of [undefined, '0', '200']) checkRecordingMb(right);
  for (const wrong of ['-1', 'all', '1.5', '1000001']) expect(await codeOf(() => checkRecordingMb(wrong))).toBe('usage');
});

test('the first signal asks for the end, a second Ctrl-C a moment later forces it, an echo of the first does not', () => {
  const source = new EventEmitter();
  let now = 0;
  let forced = 0;
  const shutdown = listenForShutdown(() => { forced += 1; }, () => now, source);
  source.emit('SIGINT', 'SIGINT');
  expect([shutdown.signal.aborted, shutdown.by()]).toEqual([true, 'SIGINT']);
  now = 100;
  source.emit('SIGINT', 'SIGINT');
  expect(forced).toBe(0);
  now = 1_000;
  source.emit('SIGINT', 'SIGINT');
  expect(forced).toBe(1);
  shutdown.dispose();
  expect(source.listenerCount('SIGTERM')).toBe(0);
});
