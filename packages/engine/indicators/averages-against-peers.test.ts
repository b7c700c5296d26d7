import { AO, CCI, DEMA, HMA, KAMA, ROC, StochasticOscillator, StochasticRSI, TEMA, TSI, UltimateOscillator, VWMA, WilliamsR, WMA } from 'trading-signals';
import { afterAll, expect, test } from 'vitest';
import { readDailyCandles, recordings } from '../../../tests/support/recordings.ts';
import { evaluateExpression } from '../language/evaluate.ts';
import { simulateCandles } from '../testing/simulate.ts';

const folder = recordings('indicators');
const candles = folder === null ? simulateCandles(502, { flatness: 0 }) : readDailyCandles(folder).map((row) => ({ ...row, quoteVolume: row.volume * row.close, trades: 1, takerBuy: 0 }));

/**
 * What TA-Lib 0.8.1 says of the recorded daily candles, by index: at its first value and later. It has no hma, vwma, awesome, tsi, zScore and choppiness, and does
 * not smooth k: those were put together from its WMA, SUM, SMA, EMA, STDDEV, TRANGE, MAX and MIN.
 */
const TA_LIB: Record<string, Record<number, number>> = {
  'wma(20)': { 19: 214.88961904761908, 36: 220.6448571428574, 249: 256.53928571428605, 501: 246.51104761904756 },
  'hma(20)': { 22: 215.9555623376623, 39: 225.22638311688297, 249: 258.4365515151518, 501: 235.6972346320346 },
  'vwma(20)': { 19: 214.50897685642255, 36: 219.13109310847798, 249: 255.30595247135767, 501: 250.02566131133946 },
  'dema(20)': { 38: 224.10334001513436, 55: 224.60993358311552, 249: 258.4452306572151, 501: 241.16771389965731 },
  'tema(20)': { 57: 222.6022236973193, 74: 221.87411760187103, 249: 258.6208013754356, 501: 238.76900727279593 },
  'kama(10, 2, 30)': { 10: 213.77131601508916, 27: 215.25318562045587, 249: 256.0898089468431, 501: 240.1137540707837 },
  'trix(15)': { 43: 0.17590604984389913, 60: 0.05089025527156288, 249: 0.13404634156168882, 501: -0.3190268956791531 },
  'stochRsi(14, 14, 3, 3).k': { 29: 100, 46: 8.13464350524414, 249: 27.309422738459137, 501: 89.83846321740646 },
  'stochRsi(14, 14, 3, 3).d': { 31: 99.2592560515882, 48: 12.208679748169075, 249: 33.27157698447653, 501: 73.4176224310308 },
  'cci(20)': { 19: 18.39120471093807, 36: 103.66209554850474, 249: 83.74474309745816, 501: -52.994565946990484 },
  'williamsR(14)': { 13: -41.36986301369864, 30: -2.5210084033614364, 249: -12.456140350876858, 501: -52.0121028744327 },
  'awesome(5, 34)': { 33: 5.475588235294083, 50: 3.5078235294117235, 249: 5.061823529411981, 501: -17.76917647058835 },
  'ultimate(7, 14, 28)': { 28: 70.714655096282, 45: 59.52134915470264, 249: 45.31205563365213, 501: 49.52571829629629 },
  'tsi(25, 13, 7).value': { 37: 53.12035047977742, 54: 18.79026360230042, 249: 41.92322910683488, 501: -28.351291164810533 },
  'tsi(25, 13, 7).signal': { 43: 51.69163793558361, 60: 12.55216426160898, 249: 42.406329921304504, 501: -29.35968787736794 },
  'zScore(20)': { 19: 0.4215628903328041, 36: 1.4682712317379636, 249: 1.2156919269636974, 501: -0.6025524302399511 },
  'percentChange(10)': { 10: 0.6672932330826997, 27: 1.1094674556213047, 249: 0.9311059817691092, 501: -3.4900649222899927 },
  'choppiness(14)': { 14: 69.99669727537056, 31: 31.734296055543187, 249: 41.84991347421448, 501: 38.65260907128509 },
};

test.skipIf(folder === null).each(Object.entries(TA_LIB))('%s is what TA-Lib says', (expression, figures) => {
  const { values, first } = evaluateExpression(expression, candles);
  expect(first - 1).toBe(Math.min(...Object.keys(figures).map(Number)));
  for (const [index, figure] of Object.entries(figures)) expect(Math.abs((values[Number(index)] as number) / figure - 1), `candle ${index}`).toBeLessThanOrEqual(2e-12);
});

type Bar = (typeof candles)[number];
const times = (value: number | null, factor: number): number | null => (value === null ? null : value * factor);
const ofClose = (peer: { update(value: number, replace: boolean): number | null }, factor = 1) => ({ close }: Bar): number | null => times(peer.update(close, false), factor);
const ofBar = (peer: { update(bar: Bar, replace: boolean): number | null }) => (bar: Bar): number | null => peer.update(bar, false);

/** Its k comes no sooner than its d. */
const stochastic = (of: 'stochK' | 'stochD', dPeriod: number) => {
  const peer = new StochasticOscillator({ kPeriod: 14, kSlowingPeriod: 3, dPeriod });
  return (bar: Bar): number | null => peer.update(bar, false)?.[of] ?? null;
};

/** What trading-signals computes too. Its averages begin elsewhere, so those are compared once settled; its roc and StochRSI are ratios. */
const PEERS: Record<string, (bar: Bar) => number | null> = {
  'wma(20)': ofClose(new WMA(20)),
  'hma(20)': ofClose(new HMA(20)),
  'vwma(20)': (() => {
    const peer = new VWMA(20);
    // It weighs the typical price.
    return ({ close, volume }: Bar) => peer.update({ high: close, low: close, close, volume }, false);
  })(),
  'dema(10)': ofClose(new DEMA(10)),
  'tema(10)': ofClose(new TEMA(10)),
  'kama(10, 2, 30)': ofClose(new KAMA(10)),
  'stochRsi(14, 14, 1, 1).k': ofClose(new StochasticRSI(14), 100),
  'stochastic(14, 3, 1).k': stochastic('stochK', 1),
  'stochastic(14, 3, 3).d': stochastic('stochD', 3),
  'cci(20)': ofBar(new CCI(20)),
  'williamsR(14)': ofBar(new WilliamsR(14)),
  'awesome(5, 34)': ofBar(new AO(5, 34)),
  'ultimate(7, 14, 28)': ofBar(new UltimateOscillator()),
  'tsi(25, 13, 7).value': ofClose(new TSI()),
  'roc(10)': ofClose(new ROC(10), 100),
};
const RECURSIVE = /^(dema|tema|tsi|stochRsi)/;

const report: string[] = [];
afterAll(() => {
  process.stdout.write(`${report.join('\n')}\n`);
});

test.each(Object.entries(PEERS))('%s is what trading-signals says', (expression, peer) => {
  const { values, first, settle } = evaluateExpression(expression, candles);
  const from = RECURSIVE.test(expression) ? settle : first;
  const theirs = candles.map(peer);
  let worst = 0;
  // What passes through 0 is compared against 1; where two seeds are being forgotten, against the range of its points.
  const scale = RECURSIVE.test(expression) ? 100 : 1;
  for (let index = from - 1; index < candles.length; index++) worst = Math.max(worst, Math.abs((values[index] as number) - theirs[index]!) / Math.max(Math.abs(theirs[index]!), scale));
  report.push(`${expression.padEnd(28)} maximum relative error ${worst.toExponential(1)} over ${candles.length - from + 1} bars`);
  expect(from).toBeLessThan(candles.length - 150);
  expect(worst).toBeLessThanOrEqual(1e-9);
});
