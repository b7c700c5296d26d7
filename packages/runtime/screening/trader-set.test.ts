import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { MarketLink } from '../market/market-link.ts';
import { StateStore } from '../state/state-store.ts';
import { systemWall } from '../time.ts';
import { marketOf, MINUTE, Rig, START, trader } from './testing/rig.ts';
import { TraderSet } from './trader-set.ts';

const SYMBOLS = ['AUSDT', 'BUSDT'];
const ends: (() => unknown)[] = [];
afterEach(async () => { for (const end of ends.splice(0)) await end(); });

test('a trader that waits for lack of time says so, with its symbols, and runs again when there is room', async () => {
  let now = 0;
  let looks = 0;
  let cost = 0;
  const rig = new Rig({ wall: { ...systemWall, now: () => (looks++ % 2 === 0 ? now : (now += cost)) } });
  const dataDir = mkdtempSync(join(tmpdir(), 'trader-set-'));
  const store = new StateStore({ dataDir, epoch: systemWall.epoch, outbox: false });
  ends.push(() => rig.screener.stop(), () => store.close(), () => rmSync(dataDir, { recursive: true }));
  const market = { clock: { now: () => START }, universe: { select: () => SYMBOLS }, candles: { covers: () => true, refill: () => {} }, want: () => {} } as unknown as MarketLink;
  const traders = new TraderSet({ store, market, screener: rig.screener, ledger: rig.ledger, defaultInterval: '1m', log: () => {} });
  traders.set([trader(1, { a: 'close > open' }, { analysis: { priority: 9 } }), trader(2, { b: 'rsi(7) < 40' }, { analysis: { priority: 1 } })], []);
  const data = marketOf(SYMBOLS, 100);
  const feed = async (from: number, to: number, gap: number): Promise<void> => {
    for (let index = from; index < to; index++) {
      rig.market = START + (index + 1) * MINUTE;
      for (const symbol of SYMBOLS) rig.screener.push(symbol, '1m', data.get(symbol)![index]!);
      now += gap;
      await rig.screener.idle();
    }
  };
  const states = (): unknown[] => traders.statuses().map(({ name, state, symbols, ready, error }) => [name, state, symbols, ready, error?.split(',')[0]]);
  await feed(0, 60, 1_000_000);
  expect(states()).toEqual([['trader 1', 'running', 2, 2, undefined], ['trader 2', 'running', 2, expect.any(Number), undefined]]);
  cost = 1_000;
  await feed(60, 70, 0);
  expect(states()).toEqual([['trader 1', 'running', 2, 2, undefined], ['trader 2', 'shed', 2, 0, 'It waits because there is more to screen than time']]);
  await feed(70, 80, 1_000_000);
  expect(states()).toEqual([['trader 1', 'running', 2, 2, undefined], ['trader 2', 'running', 2, expect.any(Number), undefined]]);
});
