import { TraderDocument, type TraderInput } from '@trademind/core';
import { expect, test } from 'vitest';
import { compileExecution } from './compile-execution.ts';
import { compileTrader } from './compile-trader.ts';
import { LanguageError } from './language-error.ts';
import { needsOf } from './needs.ts';

const documentOf = (execution: TraderInput['execution'], more: Partial<TraderInput> = {}): TraderDocument =>
  TraderDocument.parse({ name: 'a trader', side: 'long', where: { up: 'close > open' }, ...(execution === undefined ? {} : { execution }), ...more });

test('the default execution compiles, equal parts once, and screening does not wait for it', () => {
  const { fields, frames, settle } = compileExecution(documentOf(undefined), '5m');
  expect([...fields.keys()]).toEqual(['execution.stop', 'execution.targets.0.at', 'execution.targets.1.at', 'execution.targets.2.at']);
  expect(frames.at(-1)!.dag.nodes.filter((node) => 'kind' in node && node.kind.name === 'trueRange')).toHaveLength(1);
  expect(settle).toBe(197);
  expect(compileTrader(documentOf(undefined), '5m')).toMatchObject({ settle: 1, first: 1 });
});

test('amounts are numbers or expressions, which may name params and lets', () => {
  const document = documentOf(
    { entry: { limit: 'close - reach' }, size: { percent: 'n' }, stop: { price: 'lowest(low, n)' }, targets: [{ at: 3, share: 1 }], trail: 'reach', exit: 'crossunder(close, sma(n))' },
    { params: { n: { value: 10, min: 5 } }, let: { reach: 'atr(n) * 2' } },
  );
  expect([...compileExecution(document, '5m').fields.keys()]).toEqual(['execution.entry.limit', 'execution.size.percent', 'execution.stop.price', 'execution.trail', 'execution.exit']);
});

test.each([
  [{ stop: 'atrr(14)' }, 'execution.stop', 'unknown_name', 'Did you mean atr?'],
  [{ targets: [{ at: 1, share: 0.5 }, { at: { price: 'close > open' }, share: 0.5 }] }, 'execution.targets.1.at.price', 'wrong_type', 'a number is wanted'],
  [{ exit: 'close' }, 'execution.exit', 'wrong_type', 'a condition is wanted'],
  [{ size: { risk: 'constructor' } }, 'execution.size.risk', 'unknown_name', 'constructor'],
  [{ trail: 'close[1' }, 'execution.trail', 'syntax', 'column'],
  [{ entry: { limit: 'sma(1_001)' } }, 'execution.entry.limit', 'too_far', '1001'],
  [{ stop: 'obv()' }, 'execution.stop', 'cumulative', 'obv() is or depends on a running total'],
  [{ stop: { price: 'close > open ? adl() : close' } }, 'execution.stop.price', 'cumulative', 'running total'],
  [{ size: 'on("1h", obv())' }, 'execution.size', 'cumulative', 'running total'],
  [{ trail: 'rank(close)' }, 'execution.trail', 'not_allowed', 'its own symbol alone'],
  [{ stop: 'of("BTCUSDT", atr(14))' }, 'execution.stop', 'not_allowed', 'its own symbol alone'],
  [{ exit: 'on("1h", rsi(14)) > 50 || of("BTCUSDT", close < open)' }, 'execution.exit', 'not_allowed', 'its own symbol alone'],
  [{ stop: '0 - 5' }, 'execution.stop', 'wrong_argument', 'always -5'],
  [{ size: { risk: 'log(1)' } }, 'execution.size.risk', 'wrong_argument', 'always 0'],
  [{ entry: { limit: '1 / 0' } }, 'execution.entry.limit', 'wrong_argument', 'always Infinity'],
  [{ trail: '0 / 0' }, 'execution.trail', 'wrong_argument', 'always not ready'],
  [{ stop: 2, trail: 'ema(ema(ema(1000), 1000), 1000)' }, 'execution.trail', 'too_far', 'more than 20000'],
  [{ stop: { price: `min(${Array.from({ length: 20 }, (_, index) => `sma(close + ${index}, 900)`).join(', ')})` } }, 'execution.stop.price', 'too_large', 'more than 65536'],
  [{ targets: [0, 1].map((one) => ({ at: `min(${Array.from({ length: 10 }, (_, index) => `sma(close + ${index + 10 * one}, 900)`).join(', ')})`, share: 0.5 })) }, 'execution', 'too_large', 'more than 65536'],
] as const)('%j is refused when the trader is compiled', (execution, field, code, message) => {
  const compile = () => compileTrader(documentOf(execution as unknown as TraderInput['execution']), '5m');
  expect(compile).toThrow(LanguageError);
  expect(compile).toThrow(expect.objectContaining({ code, field, message: expect.stringContaining(message) }));
});

test('the change of a running total, a longer interval and what may fall below 0 are amounts', () => {
  const execution = { stop: 'abs(change(obv(), 10))', targets: [{ at: 'on("1h", atr(14))', share: 1 }], trail: 'close - sma(20)', size: '50', exit: 'obv() < sma(obv(), 20)' };
  expect(() => compileExecution(documentOf(execution), '5m')).not.toThrow();
});

test('a warning of the execution is the trader’s; one that a let gives both is said once', () => {
  expect(compileTrader(documentOf({ exit: 'close > highest(high, 5)' }), '5m').warnings).toEqual([expect.stringContaining('execution.exit: highest(high, 5) includes')]);
  const shared = documentOf({ exit: 'never' }, { let: { never: 'close > highest(high, 5)' }, where: { c: 'never' } });
  expect(compileTrader(shared, '5m').warnings).toHaveLength(1);
});

test('what a trader needs: candles, calculations, memory', () => {
  const needs = needsOf(compileTrader(documentOf(undefined, { where: { a: 'rsi(14) < 30', b: 'rsi(14) < 40' } }), '1h'));
  expect(needs).toMatchObject({ candles: [{ symbol: null, interval: '1h', settle: 197 }], first: 15, nodes: 4 });
  expect(needs.bytesPerSymbol).toBeGreaterThan(0);
  const where = { a: 'on("4h", rsi(14) < 40) && of("BTCUSDT", on("1d", close > sma(50)))', b: 'rank(roc(24)) < 10' };
  expect(needsOf(compileTrader(documentOf(undefined, { where }), '1h')).candles).toEqual([
    { symbol: null, interval: '1h', settle: 25 }, { symbol: 'BTCUSDT', interval: '1d', settle: 50 }, { symbol: null, interval: '4h', settle: 197 }, { symbol: 'BTCUSDT', interval: '1h', settle: 1 },
  ]);
  expect(needsOf(compileTrader(documentOf(undefined, { where: { a: 'highest(high, 900) > sma(900)' } }), '1h')).bytesPerSymbol).toBeGreaterThan(2 * 900 * 8);
});
