import { absolute, add, divide, maximum, minimum, multiply, subtract } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { offsetOf } from '../graph/history.ts';
import { greater, greaterOrEqual, or } from '../graph/logic.ts';
import type { FunctionDefinition } from './definition.ts';

/** A doji's body, against its range. */
const DOJI_BODY = 0.1;
/** The long shadow of a hammer or a shooting star, against its body; its short one, against its range. */
const LONG_SHADOW = 2;
const SHORT_SHADOW = 0.1;
/** The first body of a star, against its own range; the middle body, against the first. */
const LONG_BODY = 0.5;
const STAR_BODY = 0.3;

/** The parts of the candle `back` candles ago. */
function candleOf(dag: Dag, back = 0) {
  const [open, high, low, close] = (['open', 'high', 'low', 'close'] as const).map((column) => offsetOf(dag, dag.column(column), back)) as [Ref, Ref, Ref, Ref];
  const top = dag.node(maximum, [open, close]);
  const bottom = dag.node(minimum, [open, close]);
  return {
    open, high, low, close, top,
    body: dag.node(absolute, [dag.node(subtract, [close, open])]),
    range: dag.node(subtract, [high, low]),
    middle: dag.node(divide, [dag.node(add, [open, close]), dag.constant(2)]),
    upperShadow: dag.node(subtract, [high, top]),
    lowerShadow: dag.node(subtract, [bottom, low]),
  };
}

/** Conditions that must all hold, as a product: unlike `&&` it has no answer before the oldest candle that it reads is there, even where one condition fails. */
const all = (dag: Dag, ...conditions: readonly Ref[]): Ref => conditions.reduce((a, b) => dag.node(multiply, [a, b]));
const above = (dag: Dag, a: Ref, b: Ref): Ref => dag.node(greater, [a, b]);
const atLeast = (dag: Dag, a: Ref, b: Ref): Ref => dag.node(greaterOrEqual, [a, b]);
const times = (dag: Dag, a: Ref, factor: number): Ref => dag.node(multiply, [a, dag.constant(factor)]);

const SOURCE = 'S. Nison, Japanese Candlestick Charting Techniques, 1991';

/** A pattern of the last `candles` candles: settled with its first value. The trend before it is for the trader to ask for. */
const pattern = (name: string, summary: string, build: (dag: Dag) => Ref, example = `${name}()`, source = SOURCE): FunctionDefinition => ({
  name, summary, arguments: [], returns: 'condition', unit: 'condition', seed: 'none', source, example, build,
});

/** The long shadow below (hammer) or above (shooting star) a small body at the other end of the range; a candle that stood still is neither. */
const pin = (shadow: 'lowerShadow' | 'upperShadow', other: 'lowerShadow' | 'upperShadow') => (dag: Dag): Ref => {
  const candle = candleOf(dag);
  return all(
    dag,
    above(dag, candle.range, dag.constant(0)),
    atLeast(dag, candle[shadow], times(dag, candle.body, LONG_SHADOW)),
    atLeast(dag, times(dag, candle.range, SHORT_SHADOW), candle[other]),
  );
};

/** [the end that must be the larger, the smaller one], mirrored for a fall. */
const sides = (rise: boolean, a: Ref, b: Ref): [Ref, Ref] => (rise ? [a, b] : [b, a]);

/** A body against the one before, which it covers and exceeds on at least one end. */
const engulfing = (rise: boolean) => (dag: Dag): Ref => {
  const [now, before] = [candleOf(dag), candleOf(dag, 1)];
  const beyond = sides(rise, now.close, before.open);
  const behind = sides(rise, before.close, now.open);
  return all(
    dag,
    above(dag, ...sides(rise, now.close, now.open)),
    above(dag, ...sides(rise, before.open, before.close)),
    atLeast(dag, ...beyond),
    atLeast(dag, ...behind),
    dag.node(or, [above(dag, ...beyond), above(dag, ...behind)]),
  );
};

/** A long body, a small one that does not come back over its middle, and one that does, the other way. */
const star = (rise: boolean) => (dag: Dag): Ref => {
  const [third, second, first] = [candleOf(dag), candleOf(dag, 1), candleOf(dag, 2)];
  const nearEnd = rise ? second.top : dag.node(minimum, [second.open, second.close]);
  return all(
    dag,
    above(dag, ...sides(rise, first.open, first.close)),
    atLeast(dag, first.body, times(dag, first.range, LONG_BODY)),
    atLeast(dag, times(dag, first.body, STAR_BODY), second.body),
    atLeast(dag, ...sides(rise, first.middle, nearEnd)),
    above(dag, ...sides(rise, third.close, third.open)),
    above(dag, ...sides(rise, third.close, first.middle)),
  );
};

/** body ≤ 0.1 × range, range > 0: a candle that stood still is no doji. Answer from the first candle on. */
export const doji = pattern('doji', 'Open and close nearly meet: body ≤ 10 % of the range; a candle that stood still is none.', (dag) => {
  const { body, range } = candleOf(dag);
  return all(dag, above(dag, range, dag.constant(0)), atLeast(dag, times(dag, range, DOJI_BODY), body));
});

/** lower shadow ≥ 2 × body, upper shadow ≤ 0.1 × range, range > 0. Answer from the first candle on. */
export const hammer = pattern(
  'hammer', 'A long shadow below a small body: lower shadow ≥ 2 × body, upper shadow ≤ 10 % of the range. The fall before it is yours to ask for.',
  pin('lowerShadow', 'upperShadow'), 'hammer() && close < sma(50)',
);

/** upper shadow ≥ 2 × body, lower shadow ≤ 0.1 × range, range > 0. Answer from the first candle on. */
export const shootingStar = pattern(
  'shootingStar', 'A long shadow above a small body: upper shadow ≥ 2 × body, lower shadow ≤ 10 % of the range. The rise before it is yours to ask for.',
  pin('upperShadow', 'lowerShadow'), 'shootingStar() && close > sma(50)',
);

const TALIB = `${SOURCE}; TA-Lib CDLENGULFING`;

/** close[1] < open[1], close > open, open ≤ close[1], close ≥ open[1], not both equal. Answer from the second candle on. */
export const bullishEngulfing = pattern(
  'bullishEngulfing', "A rising body covers the falling body before it: open ≤ close[1] and close ≥ open[1], at least one of them beyond. A market that never rests opens where it closed, so equal ends count.",
  engulfing(true), 'bullishEngulfing() && rsi(14) < 40', TALIB,
);

/** close[1] > open[1], close < open, open ≥ close[1], close ≤ open[1], not both equal. Answer from the second candle on. */
export const bearishEngulfing = pattern(
  'bearishEngulfing', 'A falling body covers the rising body before it: open ≥ close[1] and close ≤ open[1], at least one of them beyond.',
  engulfing(false), 'bearishEngulfing() && rsi(14) > 60', TALIB,
);

/**
 * close[2] < open[2] with a body ≥ 0.5 × range; body[1] ≤ 0.3 × body[2], its upper end not above the middle of the first body; close > open and above that middle. Without the
 * gaps of markets that close for the night. Answer from the third candle on.
 */
export const morningStar = pattern(
  'morningStar', 'Three candles: a long falling body (≥ half its range), a small one (≤ 30 % of it) that stays below its middle, a rising one that closes above its middle.',
  star(true), 'morningStar() && close < sma(50)',
);

/** `morningStar` mirrored. Answer from the third candle on. */
export const eveningStar = pattern(
  'eveningStar', 'Three candles: a long rising body (≥ half its range), a small one (≤ 30 % of it) that stays above its middle, a falling one that closes below its middle.',
  star(false), 'eveningStar() && close > sma(50)',
);

/** high < high[1] and low > low[1]. Answer from the second candle on. */
export const insideBar = pattern('insideBar', 'The whole candle lies inside the one before: high < high[1] and low > low[1].', (dag) => {
  const [now, before] = [candleOf(dag), candleOf(dag, 1)];
  return all(dag, above(dag, before.high, now.high), above(dag, now.low, before.low));
}, 'insideBar() && volume < sma(volume, 20)', 'T. Crabel, Day Trading with Short Term Price Patterns, 1990');
