import type { BinaryExpression, Expression, Identifier } from 'acorn';
import { memo } from './memo.ts';
import { callOf, letOf, type Names } from './reading.ts';

/** What a number counts. `money` is volume in the quote asset, `none` a plain number. */
export type Unit = 'price' | 'points' | 'ratio' | 'volume' | 'money' | 'candles' | 'count' | 'none';

const SERIES_UNITS: Readonly<Record<string, Unit>> = {
  open: 'price', high: 'price', low: 'price', close: 'price', hl2: 'price', hlc3: 'price', ohlc4: 'price', volume: 'volume', takerBuy: 'volume', quoteVolume: 'money', quoteVolume24h: 'money',
  trades: 'count', hour: 'count', minute: 'count', dayOfWeek: 'count',
};
/** Outputs whose unit is not that of their function. */
const OUTPUT_UNITS: Readonly<Record<string, Unit>> = { 'bollinger.width': 'ratio', 'bollinger.percentB': 'ratio', 'linreg.r2': 'ratio', 'supertrend.direction': 'none' };
const UNITS: ReadonlySet<string> = new Set(['price', 'points', 'ratio', 'volume', 'candles', 'count'] satisfies Unit[]);

/** The unit of a number of the language, where the tables know it. */
export const unitOf = memo(readUnit);

function readUnit(node: Expression, names: Names): Unit | undefined {
  switch (node.type) {
    case 'ParenthesizedExpression': return unitOf(node.expression, names);
    case 'Literal': return 'none';
    case 'Identifier': return unitOfName(node, names);
    case 'UnaryExpression': return unitOf(node.argument, names);
    case 'BinaryExpression': return unitOfArithmetic(node, names);
    case 'ConditionalExpression': return same(unitOf(node.consequent, names), unitOf(node.alternate, names));
    case 'MemberExpression': if (node.computed && node.object.type !== 'Super') return unitOf(node.object, names); break;
    default: break;
  }
  const call = callOf(node);
  if (call === undefined) return undefined;
  const { definition, args, output } = call;
  const own = OUTPUT_UNITS[`${definition.name}.${output}`];
  if (own !== undefined) return own;
  const said = definition.unit.split(';')[0]!;
  if (UNITS.has(said)) return said as Unit;
  if (definition.elsewhere !== undefined) return args.length === 0 ? undefined : unitOf(args.at(-1)!, names);
  // That of its series, which is the close where it is left out.
  return definition.arguments[0]?.default === 'close' && args.length < definition.arguments.length ? 'price' : args[0] && unitOf(args[0], names);
}

function unitOfName({ name }: Identifier, names: Names): Unit | undefined {
  if (Object.hasOwn(names.params, name)) return 'none';
  const meant = letOf(name, names);
  return meant === undefined ? SERIES_UNITS[name] : unitOf(meant, names);
}

function unitOfArithmetic({ operator, left, right }: BinaryExpression, names: Names): Unit | undefined {
  if (left.type === 'PrivateIdentifier') return undefined;
  const [a, b] = [unitOf(left, names), unitOf(right, names)];
  if (operator === '+' || operator === '-' || operator === '%') return a === 'none' ? b : b === 'none' ? a : same(a, b);
  const plain = (unit: Unit | undefined): boolean => unit === 'none' || unit === 'ratio';
  if (operator === '*') return plain(a) ? b : plain(b) ? a : (a === 'price' && b === 'volume') || (a === 'volume' && b === 'price') ? 'money' : undefined;
  if (operator === '/') return a !== undefined && a === b ? 'ratio' : plain(b) ? a : undefined;
  return undefined;
}

const same = (a: Unit | undefined, b: Unit | undefined): Unit | undefined => (a === b ? a : undefined);
