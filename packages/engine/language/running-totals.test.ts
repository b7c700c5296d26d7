import { expect, test } from 'vitest';
import { INDICATORS } from '../indicators/index.ts';
import { simulateCandles } from '../testing/simulate.ts';
import { evaluateExpression } from './evaluate.ts';
import { LanguageError } from './language-error.ts';

const candles = simulateCandles(300, { flatness: 0.2 });
const compile = (text: string) => evaluateExpression(text, [], { let: { total: 'obv()', gap: 'total - sma(total, 20)' } });

test.each([
  'obv() > sma(obv(), 20)', 'obv() > obv()[5]', 'change(obv(), 10) > 0', 'crossover(obv(), ema(obv(), 9))', 'rising(adl(), 3)', 'falling(sma(obv(), 5), 2)', 'total > highest(total, 20)[1]',
  'gap > 0', '(obv() + obv()[1]) / 2 > sma(obv(), 20)', '2 * obv() - obv()[1] > lowest(obv(), 9)', '-obv() < -obv()[1]', 'min(obv(), obv()[1]) > smma(obv(), 5)', 'rsi(obv(), 14) < 30',
  'gap / stdev(obv(), 20) > 2', 'macd(obv(), 12, 26, 9).histogram > 0', 'bollinger(obv(), 20, 2).upper < obv()', 'bollinger(obv(), 20, 2).percentB > 1', '(close > open ? obv() : obv()[1]) >= obv()[2]',
  'close > open ? change(adl()) > 0 : change(obv()) > 0', 'obv() - adl() > obv()[40] - adl()[40]', 'on("5m", obv() > obv()[1])', 'on("5m", obv()) > on("5m", obv()[3])', '(obv() > obv()[1])[2]', 'rank(change(obv(), 10)) < 3',
  'obv() > wma(obv(), 9)', 'hma(obv(), 9) > dema(obv(), 9)', 'tema(obv(), 5) > vwma(obv(), 20)', 'obv() > kama(obv(), 10, 2, 30)', 'tsi(obv(), 25, 13, 7).value > 0', 'zScore(obv(), 20) > 1',
  'linreg(obv(), 20).slope > 0', 'linreg(obv(), 20).r2 > 0.8', 'obv() > linreg(obv(), 20).value', 'highestBars(obv(), 20) == 0', 'lowestBars(adl(), 20) > 5', 'bullishDivergence(obv(), 5, 5)',
  'count(bullishDivergence(obv(), 5, 5), 50) > 1', 'barsSince(obv() > obv()[1]) < 3', 'within(crossover(obv(), sma(obv(), 9)), 3)', 'held(rising(obv(), 2), 2)',
  'stochRsi(obv(), 14, 14, 3, 3).k > 80',
])('%s does not depend on where the totals began', (text) => {
  expect(compile(text).type).toBe('condition');
  if (/rank|barsSince|on\(/.test(text)) return; // those wait for symbols, events and hours besides
  const options = { let: { total: 'obv()', gap: 'total - sma(total, 20)' } };
  const whole = evaluateExpression(text, candles, options).values;
  const { values, settle } = evaluateExpression(text, candles.slice(37), options);
  expect(values.slice(settle - 1)).toEqual(whole.slice(37 + settle - 1));
});

test.each([
  ['obv() > 0', 'obv()'], ['0 < adl()', 'adl()'], ['obv() == adl()', 'obv()'], ['obv() > close', 'obv()'], ['crossover(close, obv())', 'obv()'], ['total > 5', 'total'], ['2 * obv() > obv()[1]', '2 * obv()'],
  ['obv() / obv()[10] > 1.1', 'obv() / obv()[10]'], ['roc(obv(), 10) > 5', 'roc(obv(), 10)'], ['abs(obv()) > obv()', 'abs(obv())'], ['obv() * close > obv()', 'obv() * close'],
  ['rising(log(obv()), 2)', 'log(obv())'], ['max(obv(), close) > obv()', 'max(obv(), close)'], ['(close > open ? obv() : 0) > 1', 'close > open ? obv() : 0'], ['obv() > on("5m", obv())', 'obv()'],
  ['on("5m", obv() > 0)', 'obv()'], ['on("5m", obv()) > 0', 'on("5m", obv())'], ['rank(obv()) < 3', 'obv()'], ['percentile(roc(adl(), 5)) > 90', 'roc(adl(), 5)'], ['bollinger(obv(), 20, 2).width > 1', 'bollinger(obv(), 20, 2).width'],
])('%s is refused, for %s is a level', (text, culprit) => {
  try {
    compile(text);
  } catch (error) {
    if (!(error instanceof LanguageError)) throw error;
    expect(error).toMatchObject({ code: 'cumulative' });
    expect(error.message).toContain(`${culprit} is or depends on a running total`);
    expect(error.nextStep).toContain('change(obv(), 10) > 0');
    return;
  }
  throw new Error('it was accepted');
});

test('an indicator says that it is cumulative where its level is refused, and only there', () => {
  for (const { name, fields, arguments: wanted, cumulative, returns } of INDICATORS) {
    const call = `${name}(${wanted.filter(({ type }) => type !== 'series').map((argument, index) => argument.default ?? (argument.type === 'length' ? index + 2 : 0.1)).join(', ')})`;
    const text = `${wanted[0]?.default === undefined && wanted[0]?.type === 'series' ? call.replace('(', '(close, ') : call}${fields === undefined ? '' : `.${fields[0]}`}${returns === 'condition' ? '' : ' > 1'}`;
    if (cumulative) expect(() => compile(text)).toThrow('running total');
    else expect(compile(text).type).toBe('condition');
  }
});
