import { TraderDocument, type Signal, type TraderInput } from '@trademind/core';
import { Membership, type Match } from '@trademind/engine';
import { expect, test } from 'vitest';
import { SignalLedger } from './signal-ledger.ts';

const MINUTE = 60_000;
const id = '00000000-0000-4000-8000-000000000001';
const at = (minute: number, over: Partial<Match> = {}): Match => ({
  traderId: id, traderVersion: 1, traderName: 't', side: 'long', symbol: 'AUSDT', interval: '1m', openTime: (minute - 1) * MINUTE, closeTime: minute * MINUTE, price: 1, phase: 'closed', conditions: [], ...over,
});

/** The trader has screened the symbol up to this minute. */
const to = (symbol: string, minute: number, version = 1) => ({ symbol, closeTime: minute * MINUTE, traders: [{ id, version }] });

/** A ledger with one trader, live from minute 10 on, and what it has given so far. */
function ledgerOf(rest: Partial<TraderInput> = {}, recent: readonly Signal[] = [], from = 0) {
  const tripped: string[] = [];
  const { cooldown, limits } = TraderDocument.parse({ name: 't', side: 'long', where: { a: 'close > 1' }, ...rest });
  const ledger = new SignalLedger({ recent, rules: () => ({ cooldown, limits, interval: '1m' }), onTripped: (_id, why) => tripped.push(why) });
  ledger.setTrader({ traderId: id, version: 1, historyFrom: 0, liveFrom: 10 * MINUTE, liveSignals: 0, historySignals: 0 }, ['AUSDT', 'BUSDT'].map((symbol) => ({ traderId: id, version: 1, symbol, interval: '1m' as const, closeTime: from })));
  const take = (): string[] => {
    const { signals } = ledger.step();
    const said = signals.map(({ origin, phase, closeTime, suppressed }) => `${origin} ${phase} ${closeTime / MINUTE}${suppressed ? ` ${suppressed.code}` : ''}`);
    ledger.written(signals);
    return said;
  };
  return { ledger, take, tripped };
}

test('a match is history before the trader went live, live after, and old at or before what was screened', () => {
  const { ledger, take } = ledgerOf();
  ledger.matched([at(10), at(11)]);
  ledger.screened(to('AUSDT', 11));
  ledger.matched([at(11), at(12)]);
  expect(take()).toEqual(['history closed 10', 'live closed 11', 'live closed 12']);
});

test('a signal of a candle under way is given once, and is confirmed or taken back when the candle closes', () => {
  const { ledger, take } = ledgerOf();
  const forming = at(12, { phase: 'forming' });
  ledger.matched([forming]);
  ledger.matched([forming]);
  expect(take()).toEqual(['live forming 12']);
  ledger.matched([at(12)]);
  ledger.screened(to('AUSDT', 12));
  ledger.matched([at(13, { phase: 'forming' })]);
  ledger.screened(to('BUSDT', 13));
  expect(take()).toEqual(['live closed 12', 'live forming 13']);
  ledger.screened(to('AUSDT', 13));
  expect(take()).toEqual(['live withdrawn 13']);
});

test('what was under way before a restart is taken back after it, and limits and cool-down count on', () => {
  const before = ledgerOf({ cooldown: '5m' });
  before.ledger.matched([at(12), at(14, { symbol: 'BUSDT', phase: 'forming' })]);
  const recent = before.ledger.step().signals;
  const { ledger, take } = ledgerOf({ cooldown: '5m' }, recent, 12 * MINUTE);
  ledger.screened(to('BUSDT', 14));
  ledger.matched([at(15), at(15, { symbol: 'BUSDT' })]);
  expect(take()).toEqual(['live withdrawn 14', 'live closed 15 cooldown', 'live closed 15']);
});

test.each<[how: string, does: (ledger: SignalLedger) => void]>([
  ['its trader is edited', (ledger) => ledger.setTrader({ traderId: id, version: 2, historyFrom: 0, liveFrom: 13 * MINUTE, liveSignals: 0, historySignals: 0 }, [{ traderId: id, version: 2, symbol: 'AUSDT', interval: '1m', closeTime: 0 }])],
  ['its symbol leaves the universe', (ledger) => ledger.setTrader({ traderId: id, version: 1, historyFrom: 0, liveFrom: 10 * MINUTE, liveSignals: 0, historySignals: 0 }, [{ traderId: id, version: 1, symbol: 'BUSDT', interval: '1m', closeTime: 0 }])],
  ['its trader is removed, paused or disabled', (ledger) => ledger.removeTrader(id)],
  ['only other traders run', (ledger) => ledger.keepOnly(new Set(['another']))],
])('a signal of a candle under way is taken back at once when %s', (_how, does) => {
  const forming = at(13, { phase: 'forming' });
  const { ledger, take } = ledgerOf();
  ledger.matched([forming]);
  const recent = ledger.step().signals;
  take();
  does(ledger);
  expect(take()).toEqual(['live withdrawn 13']);
  ledger.screened(to('AUSDT', 13));
  ledger.screened(to('AUSDT', 13, 2));
  expect(take()).toEqual([]);
  // The same where it was given before a restart.
  const after = ledgerOf({}, recent);
  does(after.ledger);
  expect(after.take()).toEqual(['live withdrawn 13']);
});

test('what is beyond the limits is kept and marked; a trader that runs wild is reported', () => {
  const { ledger, take, tripped } = ledgerOf({ limits: { perHour: 1 } });
  ledger.matched(Array.from({ length: 12 }, (_, index) => at(20 + index)));
  expect(take()).toEqual(['live closed 20', ...Array.from({ length: 11 }, (_, index) => `live closed ${21 + index} hourly_limit`)]);
  expect(tripped[0]).toContain('paused');
});

test('a symbol that has left the universe is screened up to its last close, and one that joined from its first', () => {
  const { ledger, take } = ledgerOf();
  const membership = new Membership([{ after: 0, symbols: ['AUSDT'] }, { after: 12 * MINUTE, symbols: ['BUSDT'] }]);
  ledger.setTrader({ traderId: id, version: 1, historyFrom: 0, liveFrom: 10 * MINUTE, liveSignals: 0, historySignals: 0 }, [], membership);
  ledger.setTrader({ traderId: id, version: 1, historyFrom: 0, liveFrom: 10 * MINUTE, liveSignals: 0, historySignals: 0 }, ['AUSDT', 'BUSDT'].map((symbol) => ({ traderId: id, version: 1, symbol, interval: '1m' as const, closeTime: 10 * MINUTE })), membership);
  ledger.matched([at(12), at(13), at(12, { symbol: 'BUSDT' }), at(13, { symbol: 'BUSDT' })]);
  expect(ledger.step().signals.map(({ symbol, closeTime }) => [symbol, closeTime / MINUTE])).toEqual([['AUSDT', 12], ['BUSDT', 13]]);
  expect(take()).toHaveLength(2);
  expect([...ledger.symbolsOf(id)]).toEqual(['BUSDT']);
});

test('who was missing is noted of closes that are screened for the first time', () => {
  const { ledger } = ledgerOf({}, [], 12 * MINUTE);
  const absent = (minute: number, version = 1) => ({ traderId: id, version, closeTime: minute * MINUTE, symbols: ['BUSDT'] });
  ledger.absent([absent(12), absent(13), absent(14, 2)]);
  ledger.screened(to('AUSDT', 13));
  ledger.absent([absent(13)]);
  expect(ledger.step().missed).toEqual([{ traderId: id, version: 1, interval: '1m', closeTime: 13 * MINUTE, symbols: ['BUSDT'] }]);
  ledger.written([]);
  expect(ledger.isEmpty).toBe(true);
});
