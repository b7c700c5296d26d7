import { AD, Aroon, CMF, DonchianChannels, MFI, SuperTrend, VortexIndicator } from 'trading-signals';
import { afterAll, expect, test } from 'vitest';
import { readDailyCandles, recordings } from '../../../tests/support/recordings.ts';
import { evaluateExpression } from '../language/evaluate.ts';
import { simulateCandles } from '../testing/simulate.ts';

const folder = recordings('indicators');
const candles = folder === null ? simulateCandles(502, { flatness: 0 }) : readDailyCandles(folder).map((row) => ({ ...row, quoteVolume: row.volume * row.close, trades: 1, takerBuy: 0 }));

/** What Stock.Indicators 1.23 says of the recorded daily candles, by index: at its first value and later. */
const STOCK_INDICATORS: Record<string, Record<number, number>> = {
  'adx(14).value': { 27: 15.945852232273458, 44: 43.25642665733845, 249: 30.49195773567671, 501: 34.298699144618226 },
  'adx(14).plusDi': { 14: 21.966862640299226, 31: 39.122723581356304, 249: 32.27698020623125, 501: 17.756523113562427 },
  'adx(14).minusDi': { 14: 18.546231961517595, 31: 12.068827287984552, 249: 17.682129556137596, 501: 31.150968674636054 },
  'vortex(14).plus': { 14: 1.045964724746126, 31: 1.1914893617021307, 249: 1.1558139534883713, 501: 0.8711542657647825 },
  'vortex(14).minus': { 14: 0.8118653126670234, 31: 0.6891541255838112, 249: 0.6633720930232566, 501: 1.116299367226708 },
  'ichimoku(9, 26, 52).tenkan': { 8: 213.345, 25: 215.395, 249: 257.15, 501: 241.26 },
  'ichimoku(9, 26, 52).kijun': { 25: 214.27, 42: 220.43, 249: 253.085, 501: 251.505 },
  'ichimoku(9, 26, 52).spanA': { 51: 214.8325, 68: 222.5775, 249: 246.3125, 501: 264.77 },
  'ichimoku(9, 26, 52).spanB': { 77: 219.28, 94: 220.43, 249: 241.685, 501: 269.82 },
  'keltner(20, 2, 10).middle': { 19: 214.525, 36: 219.793923805002, 249: 255.387263777554, 501: 249.351896680347 },
  'donchian(20).upper[1]': { 20: 217.02, 501: 273.59 },
  'donchian(20).lower[1]': { 20: 211.52, 501: 229.42 },
  'cmf(20)': { 19: 0.3182533274349976, 36: 0.4505552508077291, 249: -0.040226278257602985, 501: -0.12375374234545743 },
};
/** The same once the average true range has forgotten its start: that version counts the first candle's range too. */
const SETTLED: Record<string, Record<number, number>> = {
  'supertrend(14, 3).value': { 300: 256.947010062703, 400: 269.669951208992, 501: 250.795367132711 },
  'supertrend(14, 3).direction': { 300: 1, 400: 1, 501: -1 },
  'keltner(20, 2, 10).upper': { 300: 271.3723645964978, 400: 276.6802368628943, 501: 262.1872946065285 },
  'keltner(20, 2, 10).lower': { 300: 256.0503939301402, 400: 268.4423156527157, 501: 236.516498764165 },
};
/** What TA-Lib 0.8.1 says of them. */
const TA_LIB: Record<string, Record<number, number>> = {
  'aroon(25).up': { 25: 64, 42: 88, 193: 100, 249: 72, 501: 28 },
  'aroon(25).down': { 25: 0, 42: 8, 249: 0, 501: 88 },
  'aroon(25).oscillator': { 25: 64, 42: 80, 249: 72, 501: -60 },
  'psar(0.02, 0.2)': { 1: 211.52, 18: 213.88918800000002, 249: 258.634264, 501: 229.7662 },
  'adl()': { 0: 38577859.234973975, 17: 404870533.30160725, 249: 3266400865.73927, 501: 3439986548.4174113 },
  'mfi(14)': { 14: 47.81444632100903, 31: 66.27422224545948, 249: 66.00714159805115, 501: 39.94937704125047 },
  'donchian(20).upper': { 19: 217.02, 36: 223.81, 249: 258.7, 501: 273.59 },
  'donchian(20).lower': { 19: 211.52, 36: 213.82, 249: 249.87, 501: 229.42 },
};

test.skipIf(folder === null).each([...Object.entries(STOCK_INDICATORS), ...Object.entries(TA_LIB)])('%s is what Stock.Indicators or TA-Lib says, from the first value on', (expression, figures) => {
  const { values, first } = evaluateExpression(expression, candles, { interval: '1d' });
  expect(first - 1).toBe(Math.min(...Object.keys(figures).map(Number)));
  for (const [index, figure] of Object.entries(figures)) expect(Math.abs((values[Number(index)] as number) - figure), `candle ${index}`).toBeLessThanOrEqual(1e-12 * Math.abs(figure));
});

test.skipIf(folder === null).each(Object.entries(SETTLED))('%s is what Stock.Indicators says once it has settled', (expression, figures) => {
  const { values, settle } = evaluateExpression(expression, candles);
  expect(settle - 1).toBeLessThanOrEqual(300);
  for (const [index, figure] of Object.entries(figures)) expect(Math.abs((values[Number(index)] as number) / figure - 1), `candle ${index}`).toBeLessThanOrEqual(1e-9);
});

type Bar = (typeof candles)[number];
interface Peer<Result> { update(bar: Bar, replace: boolean): Result }
const read = <Result extends object>(peer: Peer<Result | null>, pick: (result: Result) => number) => (bar: Bar): number | null => {
  const result = peer.update(bar, false);
  return result === null ? null : pick(result);
};

/** What trading-signals computes too, as Stock.Indicators and TA-Lib do (its ADX and PSAR are others). */
const PEERS: Record<string, (bar: Bar) => number | null> = {
  'aroon(25).up': read(new Aroon(25), ({ aroonUp }) => aroonUp),
  'aroon(25).down': read(new Aroon(25), ({ aroonDown }) => aroonDown),
  'vortex(14).plus': read(new VortexIndicator(14), ({ plus }) => plus),
  'vortex(14).minus': read(new VortexIndicator(14), ({ minus }) => minus),
  'supertrend(10, 3).value': read(new SuperTrend({ interval: 10, multiplier: 3 }), ({ supertrend }) => supertrend),
  'supertrend(10, 3).direction': read(new SuperTrend({ interval: 10, multiplier: 3 }), ({ trend }) => (trend === 'BULLISH' ? 1 : -1)),
  'donchian(20).upper': read(new DonchianChannels(20), ({ upper }) => upper),
  'donchian(20).middle': read(new DonchianChannels(20), ({ middle }) => middle),
  'adl()': ((peer) => (bar) => peer.update(bar, false))(new AD()),
  'cmf(20)': ((peer) => (bar) => peer.update(bar, false))(new CMF(20)),
  'mfi(14)': ((peer) => (bar) => peer.update(bar, false))(new MFI(14)),
};

const report: string[] = [];
afterAll(() => {
  process.stdout.write(`${report.join('\n')}\n`);
});

test.each(Object.entries(PEERS))('%s is what trading-signals says', (expression, peer) => {
  const { values, settle } = evaluateExpression(expression, candles);
  const theirs = candles.map(peer);
  let worst = 0;
  for (let index = settle - 1; index < candles.length; index++) worst = Math.max(worst, Math.abs((values[index] as number) - theirs[index]!) / Math.max(Math.abs(theirs[index]!), 1));
  report.push(`${expression.padEnd(28)} maximum relative error ${worst.toExponential(1)} over ${candles.length - settle + 1} bars`);
  expect(worst).toBeLessThanOrEqual(1e-9);
});
