import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { traderJsonSchema } from '@trademind/core';
import { TEMPLATE_TRADERS } from '@trademind/engine';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseYaml } from '../services/yaml-text.ts';
import { runCommand } from '../testing/run-command.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trademind-traders-'));
  writeFileSync(join(folder, 'good.yaml'), 'name: Dip\nside: long\ninterval: 15m\nwhere:\n  oversold: rsi(14) < 30\n  breakout: close > highest(high, 20)\n');
  writeFileSync(join(folder, 'bad.yaml'), 'name: Dip\nside: long\nwhere:\n  oversold: rsi(14 < 30\n');
});
afterAll(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]) => runCommand(['traders', ...args], folder);

describe('traders check', () => {
  test('says, without any cloud, what a trader needs and what is hardly meant', async () => {
    const { code, stdout } = await run('check', 'good.yaml');
    expect(code).toBe(0);
    for (const text of ['✓ Dip', '15m', '197 candles until it has settled', 'distinct calculations', 'bytes of memory per symbol', '! where.breakout: highest(high, 20) includes']) expect(stdout).toContain(text);
  });

  test('--json gives one line for each trader', async () => {
    const { stdout } = await run('check', 'good.yaml', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ name: 'Dip', interval: '15m', conditions: ['oversold', 'breakout'], needs: { candles: [{ symbol: null, interval: '15m', settle: 197 }], first: 20 }, warnings: [expect.any(String)] });
  });

  test('points at what is wrong and fails', async () => {
    const { code, stderr } = await run('check', 'bad.yaml');
    expect(code).toBe(1);
    expect(stderr).toContain('bad.yaml, line 4: where.oversold, column');
    expect(stderr).toContain('rsi(14 < 30');
    const { error } = JSON.parse((await run('check', 'bad.yaml', '--json')).stdout) as { error: object };
    expect(error).toMatchObject({ code: 'syntax', field: 'where.oversold', frame: expect.stringContaining('^') });
    expect((await run('check', 'none.yaml')).code).toBe(4);
  });
});

test('traders schema prints the JSON Schema', async () => {
  expect(JSON.parse((await run('schema')).stdout)).toEqual(JSON.parse(JSON.stringify(traderJsonSchema())));
});

describe('traders templates', () => {
  test('lists what is offered, with the candles that each needs', async () => {
    const { code, stdout } = await run('templates');
    expect(code).toBe(0);
    for (const text of ['EMA cross with volume', 'one of those that a first start stores', 'Donchian breakout long, 15m', '392 candles of 15m, 50 of 1h', '96 of BTCUSDT 15m', 'traders add --template NAME']) expect(stdout).toContain(text);
    const lines = (await run('templates', '--json')).stdout.trim().split('\n').map((line) => JSON.parse(line) as { name: string; starter: boolean; document: unknown });
    expect(lines.map(({ name }) => name)).toEqual(TEMPLATE_TRADERS.map(({ name }) => name));
    expect(lines.filter(({ starter }) => starter)).toHaveLength(3);
  });

  test.each(TEMPLATE_TRADERS)('prints $name as a document that `check` takes and that says the same', async (template) => {
    const yaml = await run('templates', template.name.toLowerCase().replaceAll(' ', '-'));
    writeFileSync(join(folder, 'template.yaml'), yaml.stdout);
    expect(parseYaml(yaml.stdout, 'template.yaml')[0]!.value).toEqual(template);
    expect((await run('check', 'template.yaml')).code).toBe(0);
    expect(JSON.parse((await run('templates', template.name, '--json')).stdout)).toEqual(template);
  });

  test('names what was perhaps meant, and add wants a file or a template, not both', async () => {
    expect(await run('templates', 'qqq')).toMatchObject({ code: 4, stderr: expect.stringContaining('traders templates` lists all') });
    expect((await run('templates', 'donchan')).stderr).toContain('Is one of these meant: Donchian breakout?');
    expect((await run('add')).code).toBe(2);
    expect((await run('add', 'good.yaml', '--template', 'vwap reclaim')).code).toBe(2);
  });
});

test('a document may come slowly through a pipe', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../bin/trademind.mjs'), 'traders', 'check', '-', '--json']);
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stdin.write('name: Dip\nside: long\n');
  await sleep(500);
  child.stdin.end('where:\n  oversold: rsi(14) < 30\n');
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ name: 'Dip', conditions: ['oversold'] });
});
