import type { BinaryExpression, Expression, LogicalExpression } from 'acorn';
import { TooLarge } from './memo.ts';
import { bare, callOf, constantOf, isComparison, isCondition, isConstant, letOf, type Names } from './reading.ts';
import { sayNumber } from './say-number.ts';

/** Where and when a number is read, in words before and behind it: `1h close`, `close one candle before`. */
export interface Place { readonly before: string; readonly behind: string; readonly interval: string }
export const HERE: Place = { before: '', behind: '', interval: '' };

/** The place inside `on(interval, …)`, `of(symbol, …)` and `[n]`. */
export const onInterval = (place: Place, interval: string): Place => ({ ...place, before: `${place.before}${interval} `, interval: `${interval} ` });
export const ofSymbol = (place: Place, symbol: string): Place => ({ ...place, before: `${place.before}${symbol} ` });
export const ago = (place: Place, n: number): Place => (n === 0 ? place : { ...place, behind: ` ${n === 1 ? 'one candle' : `${n} candles`}${place.interval === '' ? '' : ` of ${place.interval.trim()}`} before${place.behind}` });

/** Characters: an expression of the greatest length is said in less. */
const LONGEST = 10_000;

/** Functions as charts title them; others are said by the words of their name. */
const ACRONYMS = new Set('sma ema smma wma vwma hma dema tema kama rsi macd atr roc cci trix tsi adx obv adl cmf mfi vwap'.split(' '));
const TITLES: Readonly<Record<string, string>> = {
  bollinger: 'Bollinger', keltner: 'Keltner', donchian: 'Donchian', ichimoku: 'Ichimoku', aroon: 'Aroon', vortex: 'Vortex', stochastic: 'Stochastic', stochRsi: 'StochRSI', williamsR: 'Williams %R',
  supertrend: 'SuperTrend', psar: 'Parabolic SAR', awesome: 'Awesome oscillator', ultimate: 'Ultimate oscillator', rollingVwap: 'rolling VWAP', linreg: 'linear regression', stdev: 'standard deviation',
  zScore: 'z-score', percentChange: 'change in %', doji: 'doji',
};
const OUTPUTS: Readonly<Record<string, string>> = {
  value: '', plusDi: '+DI', minusDi: '−DI', percentB: '%B', r2: 'r²', poc: 'POC', k: '%K', d: '%D', upper: 'upper band', middle: 'middle band', lower: 'lower band',
  'supertrend.direction': 'direction (1 up, −1 down)',
};
const SERIES: Readonly<Record<string, string>> = { quoteVolume: 'quote volume', quoteVolume24h: '24 h quote volume', takerBuy: 'taker buy volume', dayOfWeek: 'day of the week', trades: 'number of trades' };
const RELATIONS: Readonly<Record<string, string>> = { '>': 'above', '>=': 'at or above', '<': 'below', '<=': 'at or below', '==': 'equal to', '===': 'equal to', '!=': 'other than', '!==': 'other than' };
const SIGNS: Readonly<Record<string, string>> = { '*': '×', '-': '−' };

/** How two numbers are compared, in words. */
export const relationOf = (operator: string): string => RELATIONS[operator]!;

/** `bullishEngulfing` → `bullish engulfing`. */
const words = (name: string): string => name.replaceAll(/([A-Z])/g, ' $1').toLowerCase().trim();
const titleOf = (name: string): string => (ACRONYMS.has(name) ? name.toUpperCase() : (TITLES[name] ?? words(name)));
const outputOf = (name: string, output: string): string => OUTPUTS[`${name}.${output}`] ?? OUTPUTS[output] ?? words(output);

/** An expression in the words of the market, params by their values: `RSI(14) below 30`. For expressions that the compiler has accepted. */
/** @throws TooLarge where that would be more than anybody reads. */
export function speak(node: Expression, names: Names, place: Place = HERE): string {
  const text = spoken(node, names, place);
  if (text.length > LONGEST) throw new TooLarge();
  return text;
}

function spoken(node: Expression, names: Names, place: Place): string {
  switch (node.type) {
    case 'ParenthesizedExpression': return isCondition(node, names) || isConstant(node, names) || bare(node).type !== 'BinaryExpression' ? speak(node.expression, names, place) : `(${speak(node.expression, names, place)})`;
    case 'Literal': return sayNumber(Number(node.value));
    case 'Identifier': return sayName(node.name, names, place);
    case 'UnaryExpression': return node.operator === '!' ? `not ${speak(node.argument, names, place)}` : `${node.operator === '-' ? '−' : ''}${speak(node.argument, names, place)}`;
    case 'BinaryExpression': return sayBinary(node, names, place);
    case 'LogicalExpression': return sayLogical(node, names, place);
    case 'ConditionalExpression': return `${speak(node.consequent, names, place)} if ${speak(node.test, names, place)}, otherwise ${speak(node.alternate, names, place)}`;
    case 'MemberExpression':
      if (node.computed && node.object.type !== 'Super') return speak(node.object, names, ago(place, constantOf(node.property as Expression, names)));
      return sayCall(node, names, place);
    default: return sayCall(node, names, place);
  }
}

/** A param by its value, a `let` that is one number of the market by that, any other by its name. */
function sayName(name: string, names: Names, place: Place): string {
  if (Object.hasOwn(names.params, name)) return sayNumber(names.params[name]!);
  const meant = letOf(name, names);
  if (meant === undefined) return placed(SERIES[name] ?? name, place);
  const inner = bare(meant);
  const one = inner.type === 'CallExpression' || inner.type === 'MemberExpression' || inner.type === 'Identifier' || isConstant(inner, names);
  return one && !isCondition(inner, names) ? speak(inner, names, place) : placed(name.replaceAll('_', ' '), place);
}

const placed = (text: string, { before, behind }: Place): string => `${before}${text}${behind}`;

function sayBinary(node: BinaryExpression, names: Names, place: Place): string {
  if (isConstant(node, names) && !isComparison(node.operator)) return sayNumber(constantOf(node, names));
  const { operator, left, right } = node;
  if (left.type === 'PrivateIdentifier') return '';
  return `${speak(left, names, place)} ${RELATIONS[operator] ?? SIGNS[operator] ?? operator} ${speak(right, names, place)}`;
}

function sayLogical({ operator, left, right }: LogicalExpression, names: Names, place: Place): string {
  const side = (one: Expression): string => {
    const inner = bare(one);
    const text = speak(inner, names, place);
    return inner.type === 'LogicalExpression' && inner.operator !== operator ? `(${text})` : text;
  };
  return `${side(left)} ${operator === '&&' ? 'and' : 'or'} ${side(right)}`;
}

function sayCall(node: Expression, names: Names, place: Place): string {
  if (node.type === 'CallExpression' && isConstant(node, names)) return sayNumber(constantOf(node, names));
  const call = callOf(node);
  if (call === undefined) return '';
  const { definition: { name }, args, output } = call;
  const [x, y] = args;
  const text = (at: number, where: Place = HERE): string => speak(args[at]!, names, where);
  const candles = (at: number): string => {
    const n = constantOf(args[at]!, names);
    return `${sayNumber(n)} ${place.interval}candle${n === 1 ? '' : 's'}`;
  };
  switch (name) {
    case 'on': return speak(y!, names, onInterval(place, String((x as { value?: unknown }).value)));
    case 'of': return speak(y!, names, ofSymbol(place, String((x as { value?: unknown }).value)));
    case 'crossover': return `${text(0, place)} crossing above ${text(1, place)}`;
    case 'crossunder': return `${text(0, place)} crossing below ${text(1, place)}`;
    case 'rising': case 'falling': return `${text(0, place)} ${name} for ${candles(1)}`;
    case 'within': return `${text(0, place)} within ${candles(1)}`;
    case 'held': return `${text(0, place)} for ${candles(1)} in a row`;
    case 'count': return placed(`count of candles with ${text(0)} (of the last ${candles(1)}${place.behind === '' ? '' : `,${place.behind}`})`, { ...place, behind: '' });
    case 'barsSince': return placed(`candles since ${text(0)}`, place);
    case 'highest': case 'lowest': return `the ${name} ${text(0, { ...place, behind: '' })} of ${candles(1)}${place.behind}`;
    case 'rank': case 'percentile': return placed(`${name} in the market by ${text(0)}`, place);
    case 'bullishDivergence': case 'bearishDivergence': return placed(`${words(name)} of ${text(0)}`, place);
    default: {
      const told = args.map((_, at) => text(at)).join(', ');
      const said = outputOf(name, output);
      return placed(`${titleOf(name)}${told === '' ? '' : `(${told})`}${said === '' ? '' : ` ${said}`}`, place);
    }
  }
}
