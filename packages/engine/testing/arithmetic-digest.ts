import { CandleSeries } from '../candles/candle-series.ts';
import { checksumOfWords } from '../checksum.ts';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import { Program } from '../graph/program.ts';
import { compileExpression } from '../language/compile-expression.ts';
import { Frames } from '../language/frames.ts';
import { FUNCTIONS } from '../language/functions.ts';
import { scopeOf } from '../language/scope.ts';
import { CALLS } from './indicator-calls.ts';
import { candleAt, simulateCandles } from './simulate.ts';

/** More than the longest window, so that rings come round. */
const CANDLES = 700;
/** Of one candle in the midst the volume is not known. */
const UNKNOWN = 333;
/** A market that moves from the first candle on, and one that stands still at first, without volume. */
const FLAT = [0, 60];

/** The values of which there is but one in five letters of 36. */
const DIGESTS = 36 ** 5;

/**
 * A digest, five letters, of what every indicator and every function computes over a fixed series, and of the state that each then has: to the last bit, in one order, the same on every computer. For tests.
 */
export function arithmeticDigest(): string {
  const elsewhere = new Set([...FUNCTIONS.values()].filter((definition) => definition.elsewhere !== undefined));
  const examples = [...FUNCTIONS.values()].filter((definition) => !elsewhere.has(definition)).map(({ example }) => example);
  let digest: number | undefined;
  const markets = FLAT.map(market);
  for (const text of [...Object.values(CALLS).flat(), ...examples]) {
    const frames = new Frames('1m');
    const { ref } = compileExpression({ text, field: 'expression' }, scopeOf({}, {}, frames, []), frames.own, frames, []);
    const program = new Program(frames.own.dag);
    for (const series of markets) {
      const state = program.newState();
      for (let from = 0; from < CANDLES; from += MAX_BLOCK) {
        const count = Math.min(MAX_BLOCK, CANDLES - from);
        series.fill(program.blockValues, MAX_BLOCK, from, count);
        program.runBlock(state, count, from);
        digest = digestOf(program.blockValues.subarray(ref * MAX_BLOCK, ref * MAX_BLOCK + count), digest);
      }
      digest = digestOf(state, digest);
    }
  }
  return (digest! % DIGESTS).toString(36).padStart(5, '0');
}

function market(flat: number): CandleSeries {
  const series = new CandleSeries(CANDLES);
  for (const [index, candle] of simulateCandles(CANDLES, { seed: 20_261 }).entries()) {
    if (index < flat) series.push(candleAt(candle.openTime, 100, { volume: 0, takerBuy: 0 }));
    else series.push(index === UNKNOWN ? { ...candle, volume: Number.NaN } : candle);
  }
  return series;
}

/** Numbers that are not ready are alike, whatever their bits. */
function digestOf(numbers: Float64Array, before: number | undefined): number {
  const words = new BigUint64Array(Float64Array.from(numbers).buffer);
  for (let index = 0; index < words.length; index++) if (Number.isNaN(numbers[index])) words[index] = 0x7ff8_0000_0000_0000n;
  return checksumOfWords(new Uint8Array(words.buffer), before);
}
