import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../../cli/testing/run-command.ts';
import { startExchange } from '../../local-cloud/exchange/start.ts';
import { recordings } from '../support/recordings.ts';
import { startGate, type Gate } from './gate.ts';

const ROOT = join(import.meta.dirname, '../..');
const DAY = 86_400_000;
const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
/** Whole days that have passed. */
const TO = Math.floor(Date.now() / DAY) * DAY;
const FROM = TO - 24 * DAY;

let exchange: Awaited<ReturnType<typeof startExchange>>;
let gate: Gate;
let market: string;
let folder: string;
beforeAll(async () => {
  market = mkdtempSync(join(tmpdir(), 'tm-data-market-'));
  exchange = await startExchange({ port: 0, market: 'simulated', seed: 'archive', symbols: 8, speed: 1, dataDir: market, log: () => undefined });
  gate = await startGate(exchange.url);
});
afterAll(async () => {
  await gate.close();
  await exchange.close();
  rmSync(market, { recursive: true });
});
const running: ChildProcess[] = [];
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'tm-data-')); });
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Ended { code: number; stdout: string; stderr: string }
const command = (args: readonly string[]) => [join(ROOT, 'cli/main.ts'), 'data', ...args, '--data', folder];
function data(...args: string[]): Promise<Ended> {
  const env = { ...process.env, BINANCE_REST_URL: exchange.url };
  return promisify(execFile)(process.execPath, command(args), { cwd: ROOT, env, timeout: 90_000, maxBuffer: 2 ** 28 })
    .then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }), (error: Ended) => error);
}
const events = (text: string) => text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
const download = (symbols: string, from = FROM, to = TO) => ['download', '--symbols', symbols, '--interval', '1m', '--from', day(from), '--to', day(to)];
const filesOf = (symbol: string) => join(folder, 'archive', symbol, '1m');

/** A day as the exchange itself tells it. */
async function dayOfExchange(symbol: string, from: number): Promise<string[]> {
  const rows: string[][] = [];
  for (let at = from; at < from + DAY; at += 720 * 60_000) rows.push(...await (await fetch(`${exchange.url}/api/v3/klines?symbol=${symbol}&interval=1m&startTime=${at}&limit=720`)).json() as string[][]);
  return rows.map(([openTime, open, high, low, close, volume, , quoteVolume, trades, takerBuy]) => [openTime, open, high, low, close, volume, quoteVolume, trades, takerBuy].join(','));
}

/** Starts a download whose exchange answers so many times, and resolves when it has: by then most of it is still to come. */
async function startDownload(answers: number, ...args: string[]): Promise<{ child: ChildProcess; ended: Promise<number | null>; said: () => string }> {
  const caught = gate.let(answers);
  const child = spawn(process.execPath, command([...args, '--json', '--exchange', gate.url]), { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  const ended = new Promise<number | null>((resolve) => { child.once('exit', resolve); });
  let said = '';
  child.stdout!.on('data', (chunk: Buffer) => { said += chunk.toString(); });
  await caught;
  return { child, ended, said: () => said };
}

describe('trademind data download', () => {
  test('killed with -9 in the middle, again and again, loses nothing and repeats nothing', async () => {
    const args = download('BTCUSDT,ETHUSDT,SOLUSDT');
    const stored = async () => events((await data('list', '--json')).stdout).reduce((sum, one) => sum + (one['candles'] as number), 0);
    const counts: number[] = [];
    for (let kill = 0; kill < 6; kill++) {
      const { child, ended } = await startDownload(16 + kill, ...args);
      // While it takes in the last answers, or a moment later.
      await sleep(kill * 3);
      child.kill('SIGKILL');
      await ended;
      counts.push(await stored());
    }
    // Each start went on where the one before it was killed.
    expect(counts).toEqual([...new Set(counts)].toSorted((a, b) => a - b));
    expect(counts[0]).toBeGreaterThan(0);
    expect(counts.at(-1)).toBeLessThan(3 * 24 * 1_440);

    expect((await data(...args)).code).toBe(0);
    const summaries = events((await data('list', '--json')).stdout);
    expect(summaries).toMatchObject(['BTCUSDT', 'ETHUSDT', 'SOLUSDT'].map((symbol) => ({ symbol, interval: '1m', from: FROM, to: TO, candles: 24 * 1_440, gaps: 0, missing: 0 })));
    expect(await data('verify')).toMatchObject({ code: 0, stdout: expect.stringContaining('3 series in order.') });
    for (const from of [FROM, FROM + 11 * DAY, TO - DAY]) {
      const { stdout } = await data('export', '--symbol', 'ETHUSDT', '--interval', '1m', '--from', day(from), '--to', day(from + DAY));
      expect(stdout.trim().split('\n').slice(1)).toEqual(await dayOfExchange('ETHUSDT', from));
    }
    expect(events((await data(...args, '--json')).stdout).at(-1)).toMatchObject({ event: 'done', candles: 0, gaps: 0, failed: [] });
  }, 300_000);

  test('ended with Ctrl-C says so with status 130 and goes on from there; meanwhile nobody else may write, but may read', async () => {
    const args = download('BTCUSDT,ETHUSDT,SOLUSDT');
    const { child, ended, said } = await startDownload(20, ...args);
    expect(await data(...download('BTCUSDT'))).toMatchObject({ code: 5, stderr: expect.stringContaining(`pid ${child.pid}`) });
    expect((await data('list')).stdout).toContain('BTCUSDT');
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(events(said()).at(-1)).toEqual({ event: 'stopped' });
    expect(await data('verify')).toMatchObject({ code: 0 });
    const kept = events((await data('list', '--json')).stdout).reduce((sum, one) => sum + (one['candles'] as number), 0);
    expect(events((await data(...args, '--json')).stdout).at(-1)).toMatchObject({ event: 'done', candles: 3 * 24 * 1_440 - kept });
  }, 240_000);

  test('takes the largest symbols of a quote asset, several intervals at once, and tells its progress without a terminal', async () => {
    const answer = await data('download', '--quote', 'usdt', '--largest', '3', '--interval', '1h,1d', '--from', day(TO - 9 * DAY), '--to', day(TO), '--exchange', `${exchange.url}/`);
    expect(answer).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Stored 675 candles of 6 series in /) });
    expect(events((await data('list', '--json')).stdout).map(({ interval, candles }) => `${String(interval)} ${String(candles)}`).toSorted()).toEqual(['1d 9', '1d 9', '1d 9', '1h 216', '1h 216', '1h 216']);
  });

  test('says what the exchange does not have, and never that it was there already', async () => {
    const none = /^The exchange has no candles in this range: BTCUSDT 1m\.\n$/;
    expect(await data(...download('BTCUSDT', TO + 400 * DAY, TO + 401 * DAY))).toMatchObject({ code: 0, stdout: expect.stringMatching(none) });
    expect(await data(...download('BTCUSDT', Date.UTC(1990, 0, 1), Date.UTC(1990, 0, 2)))).toMatchObject({ code: 0, stdout: expect.stringMatching(none) });
    expect(await data(...download('NOPE', TO - DAY))).toMatchObject({ code: 1, stdout: '' });
    await data(...download('BTCUSDT', TO - DAY));
    expect(await data(...download('BTCUSDT', TO - DAY))).toMatchObject({ code: 0, stdout: 'All of 1 series was there already.\n' });
  });

  test('stores what it can and tells of a symbol that the exchange does not know', async () => {
    const answer = await data(...download('NOPE,BTCUSDT', TO - DAY));
    expect(answer).toMatchObject({ code: 1, stdout: expect.stringContaining('Stored 1,440 candles'), stderr: expect.stringMatching(/NOPE 1m: .*Invalid symbol/) });
  });

  test.each([
    [['download', '--interval', '1m', '--from', '2025-01-01'], /--symbols or --quote/],
    [['download', '--symbols', 'A,B', '--interval', '7m', '--from', '2025-01-01'], /no interval "7m"[\s\S]*→ Choose from/],
    [['download', '--symbols', 'A', '--interval', '1m', '--from', 'soon'], /--from soon: this is no date/],
    [['download', '--symbols', 'A', '--interval', '1m', '--from', '2025-02-01', '--to', '2025-01-01'], /--to must be later/],
    [['download', '--symbols', 'A', '--interval', '1m', '--from', '2025-01-01', '--exchange', 'ftp://x'], /--exchange must be a URL/],
    [['download', '--quote', 'USDT', '--largest', 'all', '--interval', '1m', '--from', '2025-01-01'], /--largest all/],
    [['export', '--symbol', 'BTCUSDT'], /--interval/],
    [['export', '--symbol', 'BTCUSDT,ETHUSDT', '--interval', '1m'], /--symbol BTCUSDT,ETHUSDT: an export is of one series[\s\S]*→/],
    [['export', '--symbol', ',', '--interval', '1m'], /--symbol ,: an export is of one series/],
    [['export', '--symbol', 'BTCUSDT', '--interval', '1m,1h'], /--interval 1m,1h: an export is of one series/],
    [['export', '--symbol', 'BTCUSDT', '--interval', '1m', '--from', '2025-02-01', '--to', '2025-01-01'], /--to must be later/],
    [['import'], /file/],
  ])('a wrong command line is refused with status 2 and what to do: %j', async (args, message) => {
    expect(await runCommand(['data', ...args, '--data', folder])).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  });

  test.skipIf(!existsSync('/proc/self'))('a data folder that cannot be made is said, not tried for ever', async () => {
    const args = [...command(download('BTCUSDT')).slice(0, -1), '/proc/nope'];
    const answer = await promisify(execFile)(process.execPath, args, { cwd: ROOT, timeout: 60_000, killSignal: 'SIGKILL' }).catch((error: Ended) => error);
    expect(answer).toMatchObject({ code: 1, stderr: expect.stringMatching(/archive \/proc\/nope\/archive cannot be written[\s\S]*--data DIR/) });
  });

  test('an exchange that is away is said at once', async () => {
    const answer = await data(...download('BTCUSDT'), '--exchange', 'http://127.0.0.1:9');
    expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining('127.0.0.1:9 does not answer') });
  });

  test('every command has help with examples', async () => {
    for (const name of ['download', 'import', 'verify', 'list', 'export']) expect((await runCommand(['data', name, '--help'])).stdout).toMatch(/Examples:\n {2}\$ npx trademind data/);
    const { stdout } = await runCommand(['data', '--help']);
    expect(stdout).toContain('candles on this computer');
    // Nothing starts from the archive yet, and there are no backtests.
    expect(stdout).not.toMatch(/backtest|fast start/);
  });
});

describe('a full disk', () => {
  /** A file system of 400 kB; only root may make one. */
  function smallDisk(): string | null {
    const path = join(folder, 'archive');
    mkdirSync(path);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', path], { stdio: 'ignore' });
      return path;
    } catch {
      process.stderr.write('No file system can be mounted here: a full disk is tested by packages/runtime/archive/writer.test.ts alone.\n');
      return null;
    }
  }

  test('ends a download with a clear error, keeps what was stored, and room lets it go on', async () => {
    const disk = smallDisk();
    if (disk === null) return;
    try {
      const answer = await data(...download('BTCUSDT,ETHUSDT'));
      expect(answer).toMatchObject({ code: 1, stderr: expect.stringMatching(/The disk is full: 1m\/\d{4}-\d\d\.candles.*\n.*→ Free some space/) });
      expect(await data('verify')).toMatchObject({ code: 0 });
      const kept = events((await data('list', '--json')).stdout).reduce((sum, one) => sum + (one['candles'] as number), 0);
      expect(kept).toBeGreaterThan(1_000);
      execFileSync('mount', ['-o', 'remount,size=8m', disk]);
      expect(events((await data(...download('BTCUSDT,ETHUSDT'), '--json')).stdout).at(-1)).toMatchObject({ event: 'done', candles: 2 * 24 * 1_440 - kept });
      expect(await data('verify')).toMatchObject({ code: 0 });
    } finally {
      execFileSync('umount', [disk]);
    }
  }, 240_000);
});

describe('trademind data verify', () => {
  test('finds what was harmed, and mends it from the exchange to the last digit', async () => {
    await data(...download('BTCUSDT', TO - 3 * DAY));
    const whole = (await data('export', '--symbol', 'BTCUSDT', '--interval', '1m')).stdout;
    const file = join(filesOf('BTCUSDT'), readdirSync(filesOf('BTCUSDT'))[0]!);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 0xff;
    writeFileSync(file, bytes);

    const found = await data('verify');
    expect(found).toMatchObject({ code: 1, stdout: expect.stringMatching(/wrong BTCUSDT 1m[\s\S]*is damaged in 1 place/), stderr: expect.stringContaining('--repair') });
    expect(events((await data('verify', '--json')).stdout)[0]).toMatchObject({ event: 'series', symbol: 'BTCUSDT', problems: expect.arrayContaining([expect.objectContaining({ code: 'damaged' })]) });
    expect(await data('export', '--symbol', 'BTCUSDT', '--interval', '1m')).toMatchObject({ code: 1, stderr: expect.stringContaining('verify --repair') });

    expect(await data('verify', '--repair')).toMatchObject({ code: 0, stdout: expect.stringMatching(/fetched [\d,]+ candles[\s\S]*1 series in order/) });
    expect((await data('export', '--symbol', 'BTCUSDT', '--interval', '1m')).stdout).toBe(whole);
    expect(existsSync(`${file}.damaged`)).toBe(true);
  }, 240_000);

  test('fetches all that a file had lost behind a torn end; list and export say so before', async () => {
    await data(...download('BTCUSDT', TO - 4 * DAY));
    const whole = (await data('export', '--symbol', 'BTCUSDT', '--interval', '1m')).stdout;
    const names = readdirSync(filesOf('BTCUSDT'));
    const file = join(filesOf('BTCUSDT'), names.at(-1)!);
    const lastOf = (text: string) => Number(text.trim().split('\n').at(-1)!.split(',')[0]);
    // Two pages and a half are left of the last file, or half of it in the first days of a month.
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, Math.min(40_000, bytes.length >> 1)));

    expect(await data('list')).toMatchObject({ code: 0, stderr: expect.stringMatching(/BTCUSDT 1m ends half-written[\s\S]*verify --repair/) });
    expect(events((await data('list', '--json')).stdout)).toMatchObject([{ torn: true }]);
    const cut = await data('export', '--symbol', 'BTCUSDT', '--interval', '1m');
    expect(cut.stderr).toMatch(/ends half-written/);
    expect(lastOf(cut.stdout)).toBeLessThan(lastOf(whole));
    // A stretch before the torn end is whole, and nothing is said.
    expect((await data('export', '--symbol', 'BTCUSDT', '--interval', '1m', '--to', new Date(TO - 4 * DAY + 60_000).toISOString().slice(0, 16))).stderr).toBe('');

    expect(await data('verify', '--repair')).toMatchObject({ code: 0, stdout: expect.stringContaining('1 series in order') });
    const mended = await data('export', '--symbol', 'BTCUSDT', '--interval', '1m');
    expect(mended.stderr).toBe('');
    expect(mended.stdout.startsWith(whole)).toBe(true);
    expect((await data('list')).stderr).toBe('');
  }, 240_000);

  test('--complete of a symbol that the exchange does not know has failed', async () => {
    const file = join(folder, 'nope.csv');
    writeFileSync(file, 'openTime,open,high,low,close,volume\n2025-01-01T00:00,1,2,1,2,3\n');
    await data('import', file, '--symbol', 'NOPEUSDT', '--interval', '1m');
    expect(await data('verify')).toMatchObject({ code: 0 });
    expect(await data('verify', '--complete')).toMatchObject({ code: 1, stdout: expect.stringContaining('1 of 1 series not in order'), stderr: expect.stringContaining('NOPEUSDT 1m: ') });
  });

  test('of a series that is not there is refused with status 4', async () => {
    expect(await data('verify', '--symbols', 'BTCUSDT')).toMatchObject({ code: 4, stderr: expect.stringContaining('data list') });
    expect(await data('export', '--symbol', 'BTCUSDT', '--interval', '1m')).toMatchObject({ code: 4 });
    expect(await data('list')).toMatchObject({ code: 0, stdout: expect.stringContaining('data download') });
  });
});

describe('trademind data import and export', () => {
  const klines = recordings('klines');
  test.skipIf(klines === null)('give real recordings back as they were, byte for byte', async () => {
    for (const name of readdirSync(klines!).filter((file) => file.endsWith('.csv.gz'))) {
      const symbol = name.split('-')[0]!;
      const text = gunzipSync(readFileSync(join(klines!, name))).toString();
      const rows = text.trim().split('\n').length - 1;
      expect(await data('import', join(klines!, name))).toMatchObject({ code: 0, stdout: expect.stringContaining(`Stored ${rows.toLocaleString('en-US')} new candles.`) });
      expect((await data('export', '--symbol', symbol, '--interval', '1m')).stdout).toBe(text);
      const out = join(folder, `${symbol}-1m-out.csv.gz`);
      expect(await data('export', '--symbol', symbol, '--interval', '1m', '--out', out)).toMatchObject({ code: 0, stdout: expect.stringContaining('Wrote') });
      expect(gunzipSync(readFileSync(out)).toString()).toBe(text);
      expect(await data('import', out, '--json')).toMatchObject({ code: 0, stdout: expect.stringContaining(`"known":${rows}`) });
    }
    expect(await data('verify')).toMatchObject({ code: 0 });
    const size = readdirSync(filesOf('BTCUSDT')).reduce((sum, file) => sum + statSync(join(filesOf('BTCUSDT'), file)).size, 0);
    expect(size / 10_080).toBeLessThan(16);
  }, 240_000);

  test('refuse a bad row by file and line, and leave everything as it was', async () => {
    const file = join(folder, 'bad.csv');
    writeFileSync(file, 'openTime,open,high,low,close,volume\n2025-01-01T00:00,1,2,1,2,3\n2025-01-01T00:01,1,2,1,x,3\n');
    const refused = await data('import', file, '--symbol', 'btcusdt', '--interval', '1m');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/bad\.csv, line 3: close "x" is not a number.*\n.*→ Nothing was imported/) });
    expect(existsSync(filesOf('BTCUSDT'))).toBe(false);
    expect(await data('import', file)).toMatchObject({ code: 2, stderr: expect.stringContaining('Add --symbol') });
    expect(events((await data('import', join(folder, 'none.csv'), '--symbol', 'A', '--interval', '1m', '--json')).stdout)).toMatchObject([{ error: { code: 'not_found' } }]);
    expect(await data('import', join(folder, 'none.csv'))).toMatchObject({ code: 4, stderr: expect.stringContaining('There is no file') });
  });

  test('export says when the place cannot be written, and gives JSON lines when asked to', async () => {
    await data(...download('BTCUSDT', TO - DAY));
    expect(await data('export', '--symbol', 'BTCUSDT', '--interval', '1m', '--out', join(folder, 'no', 'such.csv'))).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be written') });
    const lines = events((await data('export', '--symbol', 'BTCUSDT', '--interval', '1m', '--json')).stdout);
    expect(lines).toHaveLength(1_440);
    expect(Object.keys(lines[0]!)).toEqual(['openTime', 'open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades', 'takerBuy']);
  });

  test('export of what was never fetched advises a download that brings it', async () => {
    await data(...download('BTCUSDT', TO - DAY));
    const args = ['export', '--symbol', 'BTCUSDT', '--interval', '1m', '--from', day(TO - 2 * DAY), '--to', day(TO)];
    const advice = /1 stretch of this range is missing in the archive\.\n {2}→ npx trademind data (.*)\n/;
    const { stderr } = await data(...args);
    expect(stderr).toMatch(advice);
    expect((await data(...advice.exec(stderr)![1]!.split(' '))).code).toBe(0);
    expect(await data(...args)).toMatchObject({ code: 0, stderr: '' });
  });

  test('a reader that goes away ends an export without a word', async () => {
    await data(...download('BTCUSDT', TO - 3 * DAY));
    const child = spawn(process.execPath, command(['export', '--symbol', 'BTCUSDT', '--interval', '1m']), { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    running.push(child);
    let complained = '';
    child.stderr.on('data', (chunk: Buffer) => { complained += chunk.toString(); });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    await once(child, 'exit');
    expect(complained).toBe('');
  });
});
