import type { Candle } from '@trademind/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileKernels } from '../../../tests/support/compile-kernels.ts';
import { unknownCandle } from '../candles/candle-fold.ts';
import { CandleSeries } from '../candles/candle-series.ts';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import { Program } from '../graph/program.ts';
import { compileExpression } from '../language/compile-expression.ts';
import { Frames } from '../language/frames.ts';
import { scopeOf } from '../language/scope.ts';
import { simulateCandles } from '../testing/simulate.ts';
import { BINARY } from './binary.ts';
import { Blocks, type Block } from './blocks.ts';
import { CHECK, CHECK_WIDTH, KERNEL } from './kernel-codes.ts';
import { KernelMemory } from './kernel-memory.ts';

/** Among them every kind that the kernels run, and others between, which run as they always do. */
const EXPRESSIONS = [
  'bollinger(20, 2).upper + bollinger(20, 2).lower', 'bollinger(3, 1).percentB * 2', 'stdev(volume, 33)', 'sma(200)', 'sma(volume, 1)', 'sma(rsi(5), 7)', 'ema(1)', 'ema(21) - ema(close / volume, 3)', 'smma(9)', 'rsi(14)',
  'rsi(volume, 2)', 'stochastic(14, 3, 3).d', 'highest(high, 50)', 'lowest(rsi(3), 5)', 'highest(volume, 1)', 'atr(14)', 'trueRange()', 'macd(12, 26, 9).histogram', 'roc(12)', 'close[3]', 'close[1]', 'wma(9)', 'psar(0.02, 0.2)',
];
const CONDITIONS = [
  'crossover(ema(3), sma(5))', 'crossunder(close, close / (volume - volume))', 'crossover(close / volume, 1)', 'rising(close, 2)', 'falling(close / volume, 1)', 'close >= open', 'close == open', '!(close > open)',
  'close > open && volume / takerBuy > 1.5', 'volume / takerBuy > 1 || close > sma(9)', 'within(close > open, 3)',
];

function dag() {
  const frames = new Frames('1m');
  const scope = scopeOf({}, {}, frames, []);
  for (const text of [...EXPRESSIONS, ...CONDITIONS]) compileExpression({ text, field: 'expression' }, scope, frames.own, frames, []);
  return frames.own.dag;
}

/** Fails where two differ in a bit, −0 and 0 too; all that is not ready is alike. */
function same(where: string, expected: Float64Array, got: Float64Array): void {
  for (let i = 0; i < expected.length; i++) if (!Object.is(expected[i], got[i])) throw new Error(`${where}, ${i}: ${expected[i]} and ${got[i]}`);
}

const history: readonly Candle[] = simulateCandles(700, { seed: 3, flatness: 0.3 });
/** What a market brings, and what should never come. */
const odd = fc.record({ at: fc.nat(699), what: fc.constantFrom<Partial<Candle> | 'unknown'>('unknown', { close: 1e300, high: 1e300 }, { close: 1e-300, volume: 5e-324 }, { volume: 0, takerBuy: 0 }, { close: Infinity }, { low: -0, open: -0 }, { volume: 1e17 }) });

test('the kernels compute what the runs of the kinds compute, values and states equal to the last bit, in blocks of any length', () => {
  expect(KernelMemory.ofThread()).toBeDefined();
  const plain = new Program(dag());
  const fast = new Program(dag(), undefined, true);
  // Of every node whether it holds, and how it compares with another.
  const asked = Int32Array.from(Array.from({ length: plain.slots }, (_, slot) => Object.values(CHECK).flatMap((what) => [what, slot, what === CHECK.holds ? slot : (slot * 7) % plain.slots])).flat());
  const checks = [plain.checks(asked), fast.checks(asked)];
  fc.assert(fc.property(fc.array(odd, { maxLength: 8 }), fc.array(fc.integer({ min: 0, max: MAX_BLOCK }), { minLength: 1, maxLength: 12 }), fc.nat(255), (odds, lengths, phase) => {
    const candles = [...history];
    for (const { at, what } of odds) candles[at] = what === 'unknown' ? unknownCandle(candles[at]!.openTime) : { ...candles[at]!, ...what };
    const series = new CandleSeries(candles.length);
    for (const candle of candles) series.push(candle);
    const states = [plain.newState(), fast.newState()] as const;
    for (let t = 0, turn = 0; t < candles.length; turn++) {
      const length = lengths[turn % lengths.length]!;
      const count = Math.min(Math.max(1, length), candles.length - t);
      for (const [index, program] of [plain, fast].entries()) {
        // 0: one candle as it comes live.
        series.fill(length === 0 ? program.values : program.blockValues, length === 0 ? 1 : MAX_BLOCK, t, count);
        if (length === 0) program.run(states[index]!, t + phase);
        else program.runBlock(states[index]!, count, t + phase);
      }
      for (let slot = 0; slot < plain.slots; slot++) {
        const of = ({ values, blockValues }: Program): Float64Array => (length === 0 ? values.subarray(slot, slot + 1) : blockValues.subarray(slot * MAX_BLOCK, slot * MAX_BLOCK + count));
        same(`node ${slot} from candle ${t} on`, of(plain), of(fast));
      }
      if (length > 0) {
        const [expected, got] = checks.map((check) => [...check(count)]);
        for (const [k, bits] of expected!.entries()) if (bits !== got![k]) throw new Error(`check ${k} (${asked.slice(k * CHECK_WIDTH, (k + 1) * CHECK_WIDTH).join(', ')}) on the candles from ${t} on`);
      }
      t += count;
    }
    same('the state', states[0], states[1]);
    fast.releaseState(states[1]);
    expect(() => fast.run(states[1].subarray(1), 0)).toThrow('given back');
  }), { numRuns: 25 });
});

test('every kernel is one that this compares', () => {
  const compared = new Set(dag().nodes.flatMap((node) => ('kind' in node && node.kind.kernel !== undefined ? [node.kind.kernel] : [])));
  expect([...compared].sort((a, b) => a - b)).toEqual(Object.values(KERNEL));
});

test('what is checked in is what the source compiles to', async () => {
  expect((await compileKernels()).toString('base64')).toBe(BINARY);
});

test('blocks of memory never overlap, and what is given back is used again', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 5_000 }), fc.boolean(), fc.nat()), { maxLength: 200 }), (steps) => {
    const blocks = new Blocks();
    const held: Block[] = [];
    for (const [bytes, gives, which] of steps) {
      if (gives && held.length > 0) blocks.release(held.splice(which % held.length, 1)[0]!);
      else held.push(blocks.take(bytes));
      const sorted = held.toSorted((a, b) => a.at - b.at);
      for (const [index, { at }] of sorted.entries()) {
        expect(at % 64).toBe(0);
        if (index > 0) expect(at).toBeGreaterThanOrEqual(sorted[index - 1]!.at + sorted[index - 1]!.bytes);
      }
      expect(blocks.used).toBe(held.reduce((sum, block) => sum + block.bytes, 0));
    }
    for (const block of held) blocks.release(block);
    expect(blocks.take(1_000_000).at).toBe(0);
  }));
});
