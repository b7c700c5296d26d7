import { TraderDocument, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SignalPolicy, type SignalRules } from './signal-policy.ts';

const MINUTE = 60_000;
const rules = (rest: Partial<TraderInput>): SignalRules => ({ ...TraderDocument.parse({ name: 't', side: 'long', where: { a: 'close > 1' }, ...rest }), interval: '1m' });
/** Gives signals at these minutes and says which were acted upon. */
function give(policy: SignalPolicy, one: SignalRules, minutes: readonly (readonly [minute: number, symbol: string])[]): (string | undefined)[] {
  return minutes.map(([minute, symbol]) => {
    const signal = { traderId: 't', symbol, closeTime: minute * MINUTE };
    const suppressed = policy.decide(signal, one);
    policy.take({ ...signal, suppressed });
    return suppressed?.code;
  });
}

test('a cool-down holds a symbol back after a signal acted upon, and no other symbol', () => {
  const one = rules({ cooldown: '5m' });
  expect(give(new SignalPolicy(), one, [[1, 'A'], [2, 'A'], [2, 'B'], [5, 'A'], [6, 'A'], [7, 'A'], [11, 'A']])).toEqual([undefined, 'cooldown', undefined, 'cooldown', undefined, 'cooldown', undefined]);
  const candles = rules({ cooldown: { candles: 2 } });
  expect(give(new SignalPolicy(), candles, [[1, 'A'], [2, 'A'], [3, 'A']])).toEqual([undefined, 'cooldown', undefined]);
});

test('limits count what is acted upon within the hour and the day before, all symbols together', () => {
  const one = rules({ limits: { perHour: 2, perDay: 3 } });
  expect(give(new SignalPolicy(), one, [[0, 'A'], [1, 'B'], [2, 'C'], [60, 'A'], [61, 'A'], [120, 'C'], [1_440, 'A'], [1_441, 'B']]))
    .toEqual([undefined, undefined, 'hourly_limit', undefined, 'daily_limit', 'daily_limit', undefined, undefined]);
});

test('no window ever holds more than its limit, whatever comes, and each refusal is needed', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(300), fc.constantFrom('A', 'B', 'C')), { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }), (times, perHour, perDay) => {
    const policy = new SignalPolicy();
    const ordered = times.sort(([a], [b]) => a - b);
    const one = rules({ limits: { perHour, perDay } });
    const codes = give(policy, one, ordered);
    const acted = ordered.flatMap(([minute], index) => (codes[index] === undefined ? [minute] : []));
    for (const [index, code] of codes.entries()) {
      const [minute] = ordered[index]!;
      const before = acted.filter((time, at) => time > minute - 60 && time <= minute && at < codes.slice(0, index).filter((other) => other === undefined).length).length;
      expect(before).toBeLessThanOrEqual(perHour);
      if (code === 'hourly_limit') expect(before).toBe(perHour);
    }
    expect(acted.length).toBeLessThanOrEqual(perDay);
  }));
});

test('a trader that matches ten times its hourly limit within an hour is to be paused, and says why', () => {
  const policy = new SignalPolicy();
  const one = rules({ limits: { perHour: 2 } });
  give(policy, one, Array.from({ length: 20 }, (_, index) => [index, `S${index}`] as const));
  expect(policy.tripped('t', one)).toBeUndefined();
  give(policy, one, [[21, 'A']]);
  expect(policy.tripped('t', one)).toContain('matched 21 times within an hour');
  policy.forget('t');
  expect(policy.tripped('t', one)).toBeUndefined();
});
