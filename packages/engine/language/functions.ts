import { absolute, logarithm, maximum, minimum, roundOff, squareRoot } from '../graph/arithmetic.ts';
import { barsSinceOf, heldOf, withinOf } from '../graph/conditions.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { crossover, falling, rising } from '../graph/history.ts';
import type { NodeKind } from '../graph/node-kind.ts';
import { length, type Argument, type FunctionDefinition } from '../indicators/definition.ts';
import { INDICATORS } from '../indicators/index.ts';
import { PERCENTILE, RANK } from './frames.ts';
import { sumOf } from '../indicators/sma.ts';

const value = (name: string): Argument => ({ name, type: 'value' });
const PLAIN = { seed: 'none', source: 'definition' } as const;

const math = (name: string, kind: NodeKind, summary: string, example: string): FunctionDefinition => ({
  ...PLAIN, name, summary, arguments: [value('x')], returns: 'series', unit: name === 'log' ? 'ratio' : 'that of x', example,
  build: (dag, [x]) => dag.node(kind, [x!]),
});

const several = (name: 'min' | 'max', kind: NodeKind, summary: string, example: string): FunctionDefinition => ({
  ...PLAIN, name, summary, arguments: [value('a'), { ...value('b'), rest: true }], returns: 'series', unit: 'that of a', example,
  build: (dag, series) => series.reduce((a, b) => dag.node(kind, [a, b])),
});

const steps = (name: string, summary: string, example: string, kind: NodeKind): FunctionDefinition => ({
  ...PLAIN, name, summary, arguments: [{ name: 'series', type: 'series' }, length()], returns: 'condition', unit: 'condition', example,
  build: (dag, [x], [n]) => dag.node(kind, [x!], [n!]),
});

const crossing = (name: string, summary: string, example: string, reversed: boolean): FunctionDefinition => ({
  ...PLAIN, name, summary, arguments: [value('a'), value('b')], returns: 'condition', unit: 'condition', example,
  build: (dag, [a, b]) => dag.node(crossover, reversed ? [b!, a!] : [a!, b!]),
});

const among = (name: string, frame: string, summary: string, example: string): FunctionDefinition => ({
  ...PLAIN, name, summary, arguments: [{ name: 'series', type: 'series' }], returns: 'series', elsewhere: 'market', unit: name === 'rank' ? 'count' : 'points', example,
  build: (dag, [x]) => dag.external(frame, x!),
});

/** Functions that look at other candles than those being screened. */
const ELSEWHERE: readonly FunctionDefinition[] = [
  {
    ...PLAIN, name: 'on', summary: 'The expression on a higher interval, as of its last closed candle: never the forming one. Inside, [1] counts candles of that interval.',
    arguments: [{ name: 'interval', type: 'interval' }, { name: 'expression', type: 'expression' }], returns: 'same', elsewhere: 'interval', unit: 'that of the expression',
    example: 'on("1h", rsi(14) < 40) && close > open', build: (_dag, [x]) => x!,
  },
  {
    ...PLAIN, name: 'of', summary: 'The expression on another symbol, on its candle that closed at the same time. A trader that uses it waits for that candle.',
    arguments: [{ name: 'symbol', type: 'symbol' }, { name: 'expression', type: 'expression' }], returns: 'same', elsewhere: 'symbol', unit: 'that of the expression',
    example: 'of("BTCUSDT", ema(50) > ema(200))', build: (_dag, [x]) => x!,
  },
  among('rank', RANK, 'Place of the symbol among all that the trader screens, by a series: 1 = the largest; equal ones share the better place.', 'rank(quoteVolume24h) <= 10'),
  among('percentile', PERCENTILE, 'Share of the symbols that the trader screens whose value is below this one\'s or equal, from above 0 to 100.', 'percentile(roc(close, 24)) >= 90'),
];

const CONDITION: Argument = { name: 'condition', type: 'condition' };

/** Over the last n candles with the current one: not ready while the condition is not on one of them. */
const over = (name: string, summary: string, example: string, of: (dag: Dag, c: Ref, n: number) => Ref, returns: 'series' | 'condition' = 'condition'): FunctionDefinition => ({
  ...PLAIN, name, summary, arguments: [CONDITION, length()], returns, unit: returns === 'series' ? 'candles' : 'condition', seed: 'none: a full window', example,
  build: (dag, [c], [n]) => of(dag, c!, n!),
});

/** Functions beside the indicators. */
const HELPERS: readonly FunctionDefinition[] = [
  crossing('crossover', 'a is above b now and was not on the candle before: a > b && a[1] <= b[1].', 'crossover(ema(9), ema(21))', false),
  crossing('crossunder', 'a is below b now and was not on the candle before: a < b && a[1] >= b[1].', 'crossunder(close, sma(50))', true),
  steps('rising', 'Each of the last n steps went up.', 'rising(close, 3)', rising),
  steps('falling', 'Each of the last n steps went down.', 'falling(rsi(14), 2)', falling),
  over('within', 'The condition held on at least one of the last n candles, the current one included.', 'within(crossover(ema(9), ema(21)), 3)', withinOf),
  over('held', 'The condition held on all of the last n candles, the current one included.', 'held(close > sma(50), 10)', heldOf),
  over('count', 'On how many of the last n candles the condition held, the current one included.', 'count(close > open, 10) >= 7', sumOf, 'series'),
  {
    ...PLAIN, name: 'barsSince', arguments: [CONDITION], returns: 'series', unit: 'candles', awaits: 'the first candle on which it holds',
    summary: 'Candles since the condition last held: 0 = it holds now. Candles on which it is not ready count as ones on which it does not hold.',
    example: 'barsSince(crossover(close, sma(50))) < 5', build: (dag, [c]) => barsSinceOf(dag, c!),
  },
  math('abs', absolute, 'The value without its sign.', 'abs(change(close)) > atr(14)'),
  math('sqrt', squareRoot, 'The square root; not ready below 0.', 'sqrt(volume) > 10'),
  math('log', logarithm, 'The natural logarithm; not ready below 0.', 'log(close / close[1]) > 0.01'),
  math('round', roundOff, 'The nearest whole number, halves upwards.', 'round(rsi(14)) == 50'),
  several('min', minimum, 'The smallest of its arguments.', 'min(open, close) > sma(20)'),
  several('max', maximum, 'The largest of its arguments.', 'high - max(open, close) > atr(14)'),
];

/** Every function of the language by its name. A Map: names such as `constructor` find nothing. */
export const FUNCTIONS: ReadonlyMap<string, FunctionDefinition> = new Map([...INDICATORS, ...HELPERS, ...ELSEWHERE].map((definition) => [definition.name, definition]));
