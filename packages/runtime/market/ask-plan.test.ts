import fc from 'fast-check';
import { expect, test } from 'vitest';
import { span, subtract, union } from '../archive/ranges.ts';
import { OVERLAP, planAsks } from './ask-plan.ts';

const PAGE = 1_000;
const calls = (length: number) => Math.ceil((length + 2 * OVERLAP) / PAGE);
const known = fc.array(fc.record({ from: fc.nat(4_000), length: fc.nat(1_500) }).map(({ from, length }) => ({ from, to: Math.min(4_000, from + length) })), { maxLength: 8 });

test('all that is not known is asked for, in order, and never in more calls than without any knowledge, but one', () => {
  fc.assert(fc.property(known, (ranges) => {
    const whole = { from: 0, to: 4_001 };
    const asks = planAsks(whole, ranges);
    expect(union(asks)).toEqual(asks);
    expect(subtract(subtract([whole], ranges), asks)).toEqual([]);
    // The candle under way is never known.
    expect(asks.at(-1)?.to).toBe(whole.to);
    const total = asks.reduce((sum, ask) => sum + calls(span([ask])), 0);
    // Each call for itself: joining any two of them would save none.
    for (const [index, ask] of asks.entries()) {
      const next = asks[index + 1];
      if (next) expect(calls(next.to - ask.from)).toBeGreaterThanOrEqual(calls(span([ask])) + calls(span([next])));
    }
    expect(total).toBeLessThanOrEqual(calls(span([whole])) + 1);
  }));
});

test('a hole in a short series costs no call of its own: all from it on is asked for; in a long one it is asked for alone', () => {
  expect(planAsks({ from: 0, to: 501 }, [{ from: 0, to: 100 }, { from: 110, to: 490 }])).toEqual([{ from: 100, to: 501 }]);
  expect(planAsks({ from: 0, to: 5_001 }, [{ from: 0, to: 100 }, { from: 110, to: 4_990 }])).toEqual([{ from: 100, to: 110 }, { from: 4_990, to: 5_001 }]);
  expect(planAsks({ from: 0, to: 501 }, [])).toEqual([{ from: 0, to: 501 }]);
});
