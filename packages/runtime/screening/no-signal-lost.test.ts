import { Screener, signalOf, type RunningTrader } from '@trademind/engine';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { id, marketOf, MINUTE, Rig, START, trader } from './testing/rig.ts';

const SYMBOLS = Array.from({ length: 6 }, (_, index) => `S${index}USDT`);
const COUNT = 400;
const data = marketOf(SYMBOLS, COUNT);
const TEXTS = ['crossover(ema(5), ema(13))', 'rsi(7) < 40', 'on("5m", rsi(2)) > 50 && close > sma(3)', 'close < bollinger(20, 2).lower'];
const KINDS = TEXTS.length;
const PLACES = 4;
/** Each edit makes another trader of it, with its number for a version. */
const documentOf = (place: number, version: number): RunningTrader => trader(place, { a: TEXTS[(place + version) % KINDS]! }, version % 3 === 0 ? { repeat: 'every-candle' } : {}, version);
/** These rank or name symbols, are never edited, and screen all. */
const MARKET = [trader(11, { top: 'rank(roc(close, 3)) <= 2' }), trader(12, { red: 'of("S0USDT", close < open)', green: 'close > open' })];

const found = new Map<string, { symbol: string; closeTime: number; id: string }[]>();
/** What this trader gives on all candles of all symbols, to a screener that nothing happens to. */
function givenBy(one: RunningTrader): { symbol: string; closeTime: number; id: string }[] {
  const key = `${one.id} ${one.version}`;
  let known = found.get(key);
  if (known === undefined) {
    const screener = new Screener({ defaultInterval: '1m', capacity: () => 1_000 });
    screener.setUniverse(one.id, new Set(SYMBOLS));
    screener.setTraders([one]);
    const matches = Array.from({ length: COUNT }, (_, index) => SYMBOLS.flatMap((symbol) => screener.onCandle(symbol, '1m', data.get(symbol)![index]!))).flat();
    found.set(key, (known = matches.map((match) => ({ symbol: match.symbol, closeTime: match.closeTime, id: signalOf(match, 'live').id }))));
  }
  return known;
}

type Step =
  | { do: 'feed'; minutes: number }
  | { do: 'turns'; count: number }
  | { do: 'wait'; ms: number }
  | { do: 'settle' }
  | { do: 'kill'; worker: number }
  | { do: 'resize'; workers: number }
  | { do: 'edit' | 'remove'; place: number }
  | { do: 'members'; place: number; symbols: string[] }
  | { do: 'forget'; symbol: string; pieces: number };

const place = fc.nat(PLACES - 1);
const steps = (forgets: boolean): fc.Arbitrary<Step[]> => fc.array(fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('feed' as const), minutes: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 15 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'settle' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), worker: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resize' as const), workers: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('edit' as const, 'edit' as const, 'remove' as const), place }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('members' as const), place, symbols: fc.subarray(SYMBOLS) }) },
  ...(forgets ? [{ weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), symbol: fc.constantFrom(...SYMBOLS), pieces: fc.integer({ min: 1, max: 3 }) }) }] : []),
), { minLength: 8, maxLength: 40 });

/** A stretch of candles that one version of a trader screens on one symbol (`since`: after so many times of rest): those that close after `from`, up to `to`; all up to `owed` must be given, the rest may have come too late. */
interface Stretch { readonly one: RunningTrader; readonly symbol: string; readonly from: number; readonly since: number; owed: number; to: number }

async function run(workers: number, plan: readonly Step[], forgets: boolean): Promise<void> {
  const rig = new Rig({ workers });
  const { screener } = rig;
  const running = new Map<number, { one: RunningTrader; members: Map<string, Stretch> }>();
  const stretches: Stretch[] = [];
  const versions = Array.from({ length: PLACES }, () => 0);
  const market = forgets ? [] : MARKET;
  let minutes = 0;
  /** Up to here all was told. */
  let settled = START;
  let rests = 0;
  const now = (): number => START + minutes * MINUTE;
  const end = (stretch: Stretch): void => { stretch.owed = stretch.since < rests ? settled : START; stretch.to = now(); };
  const join = (of: { one: RunningTrader; members: Map<string, Stretch> }, symbols: readonly string[], from: number): void => {
    for (const [symbol, stretch] of of.members) if (!symbols.includes(symbol)) { end(stretch); of.members.delete(symbol); }
    for (const symbol of symbols) {
      if (of.members.has(symbol)) continue;
      const stretch = { one: of.one, symbol, from, since: rests, owed: Infinity, to: Infinity };
      of.members.set(symbol, stretch);
      stretches.push(stretch);
    }
  };
  const setTraders = (): void => { screener.setTraders([...[...running.values()].map(({ one }) => one), ...market]); };
  const replace = (at: number, symbols: readonly string[] | undefined): void => {
    for (const stretch of running.get(at)?.members.values() ?? []) end(stretch);
    running.delete(at);
    if (symbols === undefined) rig.ledger.removeTrader(id(at));
    else {
      const one = documentOf(at, (versions[at] = versions[at]! + 1));
      const fresh = { one, members: new Map<string, Stretch>() };
      running.set(at, fresh);
      join(fresh, symbols, START);
      rig.screens(one, symbols);
    }
    setTraders();
  };
  const feedOne = (symbol: string, from: number, to: number): void => { for (const candle of data.get(symbol)!.slice(from, to)) screener.push(symbol, '1m', candle); };
  const take = async (step: Step): Promise<void> => {
    switch (step.do) {
      case 'feed':
        for (const upTo = Math.min(COUNT, minutes + step.minutes); minutes < upTo; minutes++) for (const symbol of SYMBOLS) feedOne(symbol, minutes, minutes + 1);
        return;
      case 'turns':
        for (let turn = 0; turn < step.count; turn++) await new Promise((resolve) => { setImmediate(resolve); });
        return;
      case 'wait':
        return new Promise((resolve) => { setTimeout(resolve, step.ms); });
      case 'settle':
        await screener.idle();
        settled = now();
        rests++;
        return;
      case 'kill':
        // It throws on what it does not understand. (Ending threads from outside by the dozen can bring down the whole process where Node strips types in them; a hundred of those are ended next door.)
        screener.lanes.shards.threads[step.worker]?.postMessage({ type: 'nonsense', task: -1 });
        return;
      case 'resize':
        void screener.resize(step.workers);
        return;
      case 'edit':
        replace(step.place, SYMBOLS);
        return;
      case 'remove':
        if (running.has(step.place)) replace(step.place, undefined);
        return;
      case 'members': {
        const known = running.get(step.place);
        if (known === undefined) return;
        join(known, step.symbols, now());
        rig.screens(known.one, step.symbols, now());
        return;
      }
      case 'forget': {
        screener.forget(step.symbol, '1m');
        for (let piece = 0; piece < step.pieces; piece++) {
          feedOne(step.symbol, Math.floor((minutes * piece) / step.pieces), Math.floor((minutes * (piece + 1)) / step.pieces));
          await new Promise((resolve) => { setImmediate(resolve); });
        }
        return;
      }
    }
  };
  try {
    while (screener.work.workers !== workers) await new Promise((resolve) => { setTimeout(resolve, 5); });
    for (const one of market) {
      rig.screens(one, SYMBOLS);
      for (const symbol of SYMBOLS) stretches.push({ one, symbol, from: START, since: 0, owed: Infinity, to: Infinity });
    }
    for (let at = 0; at < PLACES; at += 2) replace(at, SYMBOLS);
    await take({ do: 'feed', minutes: 100 });
    for (const step of plan) await take(step);
    await take({ do: 'feed', minutes: 5 });
    await screener.resize(workers);
    await screener.idle();
    const given = rig.signals.map((signal) => signal.id);
    expect(new Set(given).size, 'no signal is given twice').toBe(given.length);
    const left = new Set(given);
    for (const { one, symbol, from, owed, to } of stretches) {
      const due = givenBy(one).filter((signal) => signal.symbol === symbol && signal.closeTime > from && signal.closeTime <= Math.min(to, now()));
      const lost = due.filter((signal) => signal.closeTime <= owed && !left.has(signal.id)).map(({ closeTime }) => (closeTime - START) / MINUTE);
      expect(lost, `${one.document.name} version ${one.version} on ${symbol} from ${(from - START) / MINUTE}: the signals of these minutes are lost`).toEqual([]);
      for (const signal of due) left.delete(signal.id);
    }
    expect([...left], 'no signal is given that is none').toEqual([]);
    for (const { one, members } of running.values()) expect(rig.marks(one.id)).toEqual(new Map([...members.keys()].map((symbol) => [symbol, now()])));
  } finally {
    await screener.stop();
  }
}

describe.each([0, 1, 2])('beginning with %i workers', (workers) => {
  test.each([false, true])('no signal is lost and none given twice, whatever is killed, resized, edited or re-selected at any moment (series begun anew: %s)', async (forgets) => {
    await fc.assert(fc.asyncProperty(steps(forgets), (plan) => run(workers, plan, forgets)), { numRuns: 2 });
  }, 400_000);
});
