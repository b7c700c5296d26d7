import { describe, expect, test } from 'vitest';
import { runCommand } from '../testing/run-command.ts';

const run = (...args: string[]) => runCommand(['language', ...args]);

describe('language', () => {
  test('lists series, functions by family, operators and limits', async () => {
    const { stdout, code } = await run();
    expect(code).toBe(0);
    for (const text of ['Series', 'takerBuy', 'Averages', 'ema(series = close, n)', 'Operators', 'c ? a : b', 'Limits', '20,000']) expect(stdout).toContain(text);
  });

  test('tells all about one word, in any case of letters', async () => {
    const { stdout } = await run('MACD');
    for (const text of ['macd(series = close, fast, slow, signal)', 'slow: a whole number of candles, 1 to 1000', '.line .signal .histogram', 'first value after 26 candles, settled after 182', 'source', 'example']) expect(stdout).toContain(text);
    expect((await run('hour')).stdout).toContain('0 to 23');
    expect((await run('&&')).stdout).toContain('level 7');
  });

  test('--json gives data for editors: all, or one word', async () => {
    const all = JSON.parse((await run('--json')).stdout) as { version: number; functions: { name: string }[] };
    expect(all.version).toBe(1);
    expect(JSON.parse((await run('rsi', '--json')).stdout)).toMatchObject({ kind: 'function', ...all.functions.find(({ name }) => name === 'rsi') });
    expect(JSON.parse((await run('close', '--json')).stdout)).toMatchObject({ kind: 'series', name: 'close' });
  });

  test('an unknown word is not found, with what is near', async () => {
    const answer = await run('bollingr');
    expect(answer).toMatchObject({ code: 4, stderr: expect.stringContaining('bollinger') });
    expect((await run('zzz')).stderr).toContain('npx trademind language');
  });
});
