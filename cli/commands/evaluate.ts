import { Interval, parseWith, INTERVALS, TradeMindError, type Candle } from '@trademind/core';
import { columnsRead, evaluateExpression, type Evaluation } from '@trademind/engine';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count, number, utc } from '../output/format.ts';
import { plot, strip } from '../output/plot.ts';
import { createTerminal } from '../output/terminal.ts';
import { readCandleFile, type CandleFile } from '../services/candle-file.ts';
import { gapsIn, intervalOf } from '../services/candle-interval.ts';

interface Options { json?: boolean; candles: string; interval?: string; param?: readonly string[]; let?: readonly string[]; last: string }

const PLOT_HEIGHT = 8;
const PLOT_WIDTH = 100;

/**
 * `trademind evaluate EXPRESSION --candles FILE`: what an expression is worth on each candle of a file. The expression is compiled before the file is read, so that a
 * mistake in it is told at once.
 */
export async function evaluate(options: Options, io: Io, expression = ''): Promise<number> {
  const names = { params: numbersOf(options.param), let: Object.fromEntries(pairsOf('--let', options.let)) };
  const last = wholeNumber('--last', options.last);
  const asked = options.interval === undefined ? undefined : parseInterval(options.interval);
  // Before the candles are there their interval may not be known; of the shortest every other can be made.
  const columns = columnsRead(expression, { ...names, interval: asked ?? '1m' });
  const file = await readCandleFile(options.candles, io.cwd, columns);
  const spaced = intervalOf(file.candles.map(({ openTime }) => openTime));
  const evaluation = evaluateExpression(expression, file.candles, { ...names, interval: asked ?? spaced ?? '1m' });

  const notes = [...evaluation.warnings];
  if (asked !== undefined && spaced !== undefined && asked !== spaced) notes.push(`--interval ${asked}: the candles are ${spaced} apart.`);
  if (asked === undefined && spaced === undefined) notes.push('the spacing of the candles is that of no interval; name it with --interval.');
  const estimated = file.quoteVolumeEstimated && columns.has('quoteVolume');
  if (estimated) notes.push(`${options.candles} has no quoteVolume: it is taken as volume × hlc3.`);
  for (const note of notes) io.stderr(`trademind: ${note}\n`);

  const interval = asked ?? spaced ?? null;
  if (options.json) io.stdout(`${JSON.stringify({ expression, interval, values: evaluation.values, ...infiniteIn(evaluation), ...(estimated ? { estimated: ['quoteVolume'] } : {}) })}\n`);
  else show(expression, interval, file, evaluation, last, io);
  return EXIT.ok;
}

/** JSON has no infinity and writes null, which elsewhere says that there is no value: where a value is infinite, and its sign, is told apart. */
function infiniteIn({ values }: Evaluation): { infinite?: { candle: number; sign: number }[] } {
  const infinite = [...values.entries()].flatMap(([candle, value]) => (value === Infinity || value === -Infinity ? [{ candle, sign: Math.sign(value) }] : []));
  return infinite.length === 0 ? {} : { infinite };
}

function show(expression: string, interval: Interval | null, { candles }: CandleFile, { values, type, settle }: Evaluation, last: number, io: Io): void {
  const { colors: c, line, width } = createTerminal(io.streams.stdout, io.color.stdout);
  const when = (candle: Candle): string => utc(candle.openTime).replace(/ 00:00$/, daily(candles) ? '' : ' 00:00');
  const gaps = interval === null ? 0 : gapsIn(candles.map(({ openTime }) => openTime), interval);
  line(`${c.bold(expression)}  ${c.dim([interval, count(candles.length, 'candle'), `${when(candles[0]!)} to ${when(candles.at(-1)!)} UTC`, gaps > 0 ? count(gaps, 'gap') : ''].filter(Boolean).join(' · '))}`);
  const first = values.findIndex((value) => value !== null) + 1;
  // What a higher interval needs is not counted in candles of this one.
  const settled = first > 0 && settle >= first ? `, settled after ${settle.toLocaleString('en-US')}` : '';
  line(c.dim(`${first === 0 ? 'no value on any of them' : `first value on candle ${first.toLocaleString('en-US')}`}${settled}${type === 'condition' ? `; held on ${count(values.filter((value) => value === true).length, 'candle')}` : ''}`));
  line();

  const room = Math.min(PLOT_WIDTH, Math.max(20, width() - 16));
  const shown = values.slice(-room);
  if (type === 'condition') line(strip(shown as (boolean | null)[]));
  else for (const row of plot(shown as (number | null)[], PLOT_HEIGHT, number)) line(row);
  line(c.dim(`the last ${count(shown.length, 'candle')}${type === 'condition' ? ': █ holds, · does not, blank = not ready' : ''}`));
  line();

  line(c.dim(`${'opened (UTC)'.padEnd(18)}${'close'.padStart(14)}${'value'.padStart(16)}`));
  const from = Math.max(0, candles.length - last);
  for (const [index, candle] of candles.slice(from).entries()) {
    const value = values[from + index]!;
    const text = value === null ? 'not ready' : typeof value === 'boolean' ? (value ? 'holds' : 'does not hold') : number(value);
    line(`${when(candle).padEnd(18)}${number(candle.close).padStart(14)}${(value === true ? c.green : value === null ? c.dim : String)(text.padStart(16))}`);
  }
}

/** Candles of whole days are told by their date alone. */
const daily = (candles: readonly Candle[]): boolean => candles.every(({ openTime }) => openTime % 86_400_000 === 0);

function pairsOf(option: string, given: readonly string[] = []): [name: string, text: string][] {
  const pairs = given.map((one): [string, string] => {
    const [, name, text] = /^([a-z_][a-zA-Z0-9_]{0,63})\s*=(?!=)([\s\S]+)$/.exec(one.trim()) ?? [];
    if (name === undefined || text === undefined) {
      throw new TradeMindError({ code: 'usage', field: option, message: `${option} ${one}: write it as name=${option === '--let' ? 'expression' : 'value'}.`, nextStep: option === '--let' ? "For example --let 'fast=ema(9)'." : 'For example --param n=14.' });
    }
    return [name, text];
  });
  const twice = pairs.find(([name], index) => pairs.findIndex(([other]) => other === name) < index);
  if (twice) throw new TradeMindError({ code: 'usage', field: option, message: `${option} ${twice[0]} is given twice.` });
  return pairs;
}

function numbersOf(given: readonly string[] = []): Record<string, number> {
  return Object.fromEntries(pairsOf('--param', given).map(([name, text]) => {
    const value = Number(text.trim() === '' ? Number.NaN : text);
    if (!Number.isFinite(value)) throw new TradeMindError({ code: 'usage', field: '--param', message: `--param ${name}=${text}: the value must be a number.` });
    return [name, value];
  }));
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1_000) return value;
  throw new TradeMindError({ code: 'usage', field: option, message: `${option} ${text}: give a whole number from 1 to 1000.` });
}

function parseInterval(text: string): Interval {
  try {
    return parseWith(Interval, text, 'usage', '--interval');
  } catch (cause) {
    throw new TradeMindError({ code: 'usage', field: '--interval', message: `--interval ${text}: there is no such interval.`, nextStep: `Choose one of ${INTERVALS.join(', ')}.`, cause });
  }
}
