import { setFlagsFromString } from 'node:v8';
import { Screener } from '@trademind/engine';
import { expect, test } from 'vitest';
import { ids, marketOf, Rig, trader } from './testing/rig.ts';

// This process, which is this file's alone, gets no room for the kernels' memory, as where addresses are rationed.
setFlagsFromString('--wasm-max-mem-pages=8');

const SYMBOLS = ['AUSDT', 'BUSDT', 'CUSDT'];
const TRADERS = [trader(1, { turn: 'crossover(ema(5), ema(13))' }), trader(2, { low: 'rsi(7) < 40', busy: 'volume > sma(volume, 20)' })];
const data = marketOf(SYMBOLS, 300);

test('where the compiled kernels cannot be loaded, signals are the same, and the log says once that and why it takes longer', async () => {
  const plain = new Screener({ defaultInterval: '1m', capacity: () => 1_000 });
  const rig = new Rig();
  for (const one of TRADERS) {
    plain.setUniverse(one.id, new Set(SYMBOLS));
    rig.screens(one, SYMBOLS);
  }
  plain.setTraders(TRADERS);
  rig.screener.setTraders(TRADERS);
  const expected = Array.from({ length: 300 }, (_, index) => SYMBOLS.flatMap((symbol) => {
    rig.screener.push(symbol, '1m', data.get(symbol)![index]!);
    return plain.onCandle(symbol, '1m', data.get(symbol)![index]!);
  })).flat();
  rig.screener.setTraders(TRADERS);
  await rig.screener.idle();
  await rig.screener.stop();
  expect(expected.length).toBeGreaterThan(10);
  expect(rig.ids).toEqual(ids(expected));
  expect(rig.logs.filter((code) => code === 'kernels_missing')).toHaveLength(1);
});
