import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { isAlive, machinePids, newDataDir, removeDataDir, startPlatform, until, type Platform } from '../support/platform.ts';

const ROOT = join(import.meta.dirname, '../..');
const folders: string[] = [];
const platforms: Platform[] = [];

function folder(): string {
  const made = newDataDir();
  folders.push(made);
  return made;
}

async function platform(dataDir: string, args: readonly string[] = []): Promise<Platform> {
  const started = await startPlatform({ market: 'simulated', dataDir, args });
  platforms.push(started);
  return started;
}

/** Runs the command to its end. */
async function run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = promisify(execFile)(process.execPath, [join(ROOT, 'cli/main.ts'), ...args], { cwd: ROOT, timeout: 90_000 });
  return child.then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }), (error: { code: number; stdout: string; stderr: string }) => error);
}

/** Whether something listens on the port of this URL. */
function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(() => true, () => false);
}

afterEach(async () => { await Promise.all(platforms.splice(0).map((one) => one.stop())); });
afterAll(async () => { for (const made of folders) await removeDataDir(made); });

describe('npm start', () => {
  test('ends on SIGTERM with status 0 and leaves no process and no port; a second start finds the same machine and repeats no signal', async () => {
    const dataDir = folder();
    const first = await platform(dataDir);
    const { ready } = first;
    expect(first.lines[0]).toMatchObject({ ready: true, controlPlane: expect.stringContaining('127.0.0.1'), user: { email: 'demo@trademind.local' }, machine: { id: expect.any(String) } });
    await first.line((line) => line.event === 'signal', 60_000);
    const told = first.lines.filter((line) => line.event === 'signal').map((line) => line['id']);
    expect(await first.stop()).toBe(0);
    expect(first.lines.at(-1)).toEqual({ event: 'stopped' });
    expect(machinePids(dataDir)).toEqual([]);
    expect(await Promise.all([ready.controlPlane, ready.dashboard, ready.supabase, ready.fly, ready.exchange].map(answers))).toEqual([false, false, false, false, false]);

    const second = await platform(dataDir);
    expect(second.ready.machine).toEqual(ready.machine);
    await second.line((line) => line.event === 'signal', 60_000);
    const again = new Set(second.lines.filter((line) => line.event === 'signal').map((line) => line['id']));
    expect(told.filter((id) => again.has(id))).toEqual([]);
  }, 120_000);

  test('while one runs says where it is; after kill -9 of the command its processes end and a new start goes on', async () => {
    const dataDir = folder();
    const first = await platform(dataDir);
    const other = await run(['dev', '--data', dataDir, '--port-base', '0']);
    expect(other).toMatchObject({ code: 0, stdout: expect.stringContaining(first.ready.dashboard) });

    const pids = (['postgres', 'supabase', 'fly', 'exchange', 'control-plane', 'page', 'machine'] as const).map((name) => first.pidOf(name));
    const { stdout } = await promisify(execFile)('pgrep', ['-P', String(first.child.pid)]);
    process.kill(Number(stdout.trim().split('\n')[0]), 'SIGKILL');
    await first.exited;
    await until('all processes to end', () => pids.every((pid) => !isAlive(pid)) || undefined, 40_000);

    const second = await platform(dataDir);
    expect(second.ready.machine.id).toBe(first.ready.machine.id);
    expect(machinePids(dataDir)).toHaveLength(1);
  }, 180_000);
});

describe('npm start refuses in one line, with a next step', () => {
  let blocker: Server | undefined;
  afterEach(() => { blocker?.close(); blocker = undefined; });

  test('a taken port, named with its use', async () => {
    const base = await new Promise<number>((resolve) => {
      blocker = createServer().listen(0, '127.0.0.1', () => { resolve((blocker!.address() as { port: number }).port); });
    });
    const refused = await run(['dev', '--data', folder(), '--market', 'simulated', '--port-base', String(base)]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(new RegExp(`Port ${base}, wanted for the control plane, is taken[^\\n]*\\n[^\\n]*--port-base`));
  });

  test('a half-written data folder', async () => {
    const dataDir = folder();
    writeFileSync(join(dataDir, 'secrets.json'), '{"postgresPassword":');
    const refused = await run(['dev', '--data', dataDir, '--market', 'simulated', '--port-base', '0']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/secrets\.json is not whole[^\n]*\n[^\n]*--reset/);
  });

  test('a data folder that cannot be made', async () => {
    const file = join(folder(), 'a-file');
    writeFileSync(file, '');
    const refused = await run(['dev', '--data', join(file, 'below'), '--market', 'simulated', '--port-base', '0']);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--data DIR') });
  });

  test('a market that is not there, a wrong speed, and --reset of a folder that holds other things', async () => {
    expect(await run(['dev', '--market', '/nowhere/at/all'])).toMatchObject({ code: 2, stderr: expect.stringContaining('no such file or folder') });
    expect(await run(['dev', '--speed', '-3'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--speed') });
    const precious = folder();
    mkdirSync(join(precious, 'photos'));
    const refused = await run(['dev', '--data', precious, '--reset', '--yes']);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('deletes nothing') });
    rmSync(join(precious, 'photos'), { recursive: true });
  });
});

describe('the commands on a running local cloud', () => {
  test('tell of the machine, its signals and traders, add and refuse a trader, and destroy the machine', async () => {
    const dataDir = folder();
    const { ready } = await platform(dataDir);
    const trademind = (...args: string[]) => run([...args, '--data', dataDir]);
    expect(JSON.parse((await trademind('status', '--json')).stdout)).toMatchObject({ machines: [{ id: ready.machine.id, phase: 'screening' }] });
    expect((await trademind('traders', 'list')).stdout).toContain('Bollinger rejection');
    expect(await trademind('traders', 'add', '--template', 'vwap-reclaim')).toMatchObject({ code: 0, stdout: expect.stringContaining('VWAP reclaim') });

    // the machine's own lines, read through the control plane
    const said = (await trademind('logs', '-n', '3', '--json')).stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(said.length).toBeGreaterThan(0);
    for (const line of said) expect(line).toMatchObject({ source: 'machine', at: expect.any(String), level: expect.stringMatching(/^(info|warn|error)$/), message: expect.any(String) });
    expect(await trademind('logs', '-n', '0')).toMatchObject({ code: 2, stderr: expect.stringContaining('--lines') });

    const caps = async (...args: string[]) => JSON.parse((await trademind('caps', '--json', ...args)).stdout) as unknown;
    expect(await caps()).toEqual({ tokensPerDay: 1_000_000, usdPerDay: 1, default: true });
    expect([await caps('--usd-per-day', '0.25'), await caps('--tokens-per-day', '5000')]).toEqual([{ tokensPerDay: 1_000_000, usdPerDay: 0.25, default: false }, { tokensPerDay: 5_000, usdPerDay: 0.25, default: false }]);
    expect(await trademind('caps')).toMatchObject({ code: 0, stdout: 'Your analyses may use up 5,000 tokens and $0.25 in a day (UTC).\n' });
    expect(await caps('--default')).toMatchObject({ default: true });

    const explained = await trademind('explain', 'bollinger rejection', 'btcusdt', '--json');
    expect(explained).toMatchObject({ code: 0 });
    expect(JSON.parse(explained.stdout)).toMatchObject({ symbol: 'BTCUSDT', interval: '1m', conditions: [{ name: 'rejected', ready: true, sentence: expect.stringMatching(/^high at .* Bollinger\(20, 1.9\) upper band/) }] });
    expect((await trademind('explain', 'bollinger rejection', 'BTCUSDT')).stdout).toMatch(/^Bollinger rejection (matches|does not match) BTCUSDT on 1m candles: .*\nThe candle closed .* UTC at .*\n {2}[✓✗] rejected high at/);
    expect(await trademind('explain', 'nobody', 'BTCUSDT')).toMatchObject({ code: 4, stderr: expect.stringContaining('traders list') });
    expect(await trademind('explain', 'bollinger rejection', 'NOTHING')).toMatchObject({ code: 4, stdout: expect.stringContaining('does not screen NOTHING') });

    const file = join(dataDir, 'fly', 'trader.json');
    writeFileSync(file, JSON.stringify({ name: 'Mine', side: 'long', interval: '1m', where: { up: 'close > sma(close, 5)' } }));
    expect(await trademind('traders', 'add', file)).toMatchObject({ code: 0 });
    expect((await trademind('traders', 'list')).stdout).toContain('Mine');
    writeFileSync(file, JSON.stringify({ name: 'Wrong', side: 'long', where: { up: 'close > smaa(close, 5)' } }));
    expect(await trademind('traders', 'add', file)).toMatchObject({ code: expect.toSatisfy((code: number) => code !== 0), stderr: expect.stringContaining('sma') });
    expect(await trademind('open')).toMatchObject({ code: 0, stdout: expect.stringContaining('token_hash') });

    // the new trader runs without a restart
    await until('the new trader to run', async () => (JSON.stringify(JSON.parse((await trademind('status', '--json')).stdout)).includes('"Mine"') ? true : undefined), 60_000);

    expect(await trademind('destroy', '--yes')).toMatchObject({ code: 0 });
    await until('the machine to be gone', () => (machinePids(dataDir).length === 0 ? true : undefined), 60_000);
    expect(await trademind('deploy', '--yes', '--json')).toMatchObject({ code: 0 });
    await until('a new machine', () => (machinePids(dataDir).length === 1 ? true : undefined), 60_000);
  }, 180_000);

  test('say what to do when none runs', async () => {
    const answer = await run(['status', '--data', folder()]);
    expect(answer.code).toBe(3);
    expect(answer.stderr).toContain('npm start');
  });
});
