import { afterEach, expect, test } from 'vitest';
import { startLocal } from '@trademind/runtime';
import { removeDir, startTestExchange, tempDir, until } from './world.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => { for (const cleanup of cleanups.splice(0).toReversed()) await cleanup(); });

test('a trader that looks at hours, at another symbol and at the whole market is settled as soon as history is there, and again at once after a restart', async () => {
  const exchange = await startTestExchange({ speed: 600 });
  cleanups.push(() => exchange.close());
  const dataDir = tempDir();
  cleanups.push(() => removeDir(dataDir));
  const logs: string[] = [];
  const start = async () => {
    const local = await startLocal({
      dataDir, interval: '5m', exchange: { restUrl: exchange.url, streamUrl: exchange.streams }, log: (_level, code) => logs.push(code),
      traders: [
        { name: 'Hours', side: 'long', where: { trend: 'on("1h", ema(30)) > 0', day: 'on("1d", sma(20)) > 0', up: 'close > open' } },
        { name: 'Leader', side: 'long', where: { leads: 'of("BTCUSDT", close) > 0', first: 'rank(roc(close, 12)) == 1' } },
      ],
    });
    cleanups.push(() => local.stop());
    await until('it screens', () => local.source.status().phase === 'screening');
    return local;
  };
  const first = await start();
  const ready = () => first.source.status().traders.map(({ name, symbols, ready: settled }) => [name, symbols > 1 && settled === symbols]);
  // The sum of 210 hours and of 20 days lies far beyond a day of five-minute candles: it can only come from the exchange's own.
  await until('all have settled', () => ready().every(([, settled]) => settled), 120_000, () => first.source.status());
  const hours = first.source.traders().find(({ document }) => document.name === 'Hours')!;
  expect(first.source.explain(hours.id, 'BTCUSDT')).toMatchObject({ conditions: [{ ready: true, values: [{ value: expect.any(Number) }] }, { ready: true }, { ready: true }] });
  await until('both give signals', () => new Set(first.source.signals(200).filter(({ origin }) => origin === 'live').map(({ traderName }) => traderName)).size === 2);
  const before = new Set(first.source.signals(5_000).map(({ id }) => id));
  await first.stop();

  const second = await start();
  expect(logs).toContain('snapshot_restored');
  for (const trader of second.source.status().traders) expect(trader.ready, trader.name).toBe(trader.symbols);
  await until('a new signal', () => second.source.signals(50).some(({ id }) => !before.has(id)));
  expect(new Set(second.source.signals(5_000).map(({ id }) => id)).size).toBe(second.source.signals(5_000).length);
}, 240_000);
