import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { traderJsonSchema } from '@trademind/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
