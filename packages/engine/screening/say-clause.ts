import type { Clause, ClauseSide } from '../language/clauses.ts';
import type { Ref } from '../graph/dag.ts';
import { sayDistance, sayNumber, sayPair } from '../language/say-number.ts';
import { relationOf } from '../language/spoken.ts';
import type { Unit } from '../language/units.ts';

/** Value of a node on the candle spoken of; NaN where it is not ready. */
export type Read = (ref: Ref) => number;

/** Whether a clause holds: in three values, undefined = not ready. */
export function holds(clause: Clause, read: Read): boolean | undefined {
  if ('parts' in clause) {
    const decisive = clause.kind === 'any';
    const parts = new Set(clause.parts.map((part) => holds(part, read)));
    return parts.has(decisive) ? decisive : parts.has(undefined) ? undefined : !decisive;
  }
  const value = read(clause.ref);
  return Number.isNaN(value) ? undefined : (value === 1) !== clause.negated;
}

/** How a clause stands on a candle, in words and numbers: `RSI(14) is 34.2 and must be below 30: 4.2 points too high`. */
export function sayClause(clause: Clause, read: Read): string {
  const held = holds(clause, read);
  switch (clause.kind) {
    case 'all': case 'any': return sayParts(clause, held, read);
    case 'compare': return sayComparison(clause, held, read);
    case 'cross': return sayCrossing(clause, held, read);
    case 'run': return sayRun(clause, held, read);
    case 'within': return sayWithin(clause, held, read);
    case 'held': return sayHeld(clause, held, read);
    case 'event': return sayEvent(clause, held);
  }
}

const last = (n: number): string => (n === 1 ? 'the last candle' : `the last ${n} candles`);

type Of<K extends Clause['kind']> = Extract<Clause, { kind: K }>;

/** Of what must all hold those that do not, if any; of what one is enough those that do, if any. */
function sayParts({ kind, parts }: Of<'all' | 'any'>, held: boolean | undefined, read: Read): string {
  const telling = parts.filter((part) => held === undefined ? holds(part, read) === undefined : holds(part, read) === held);
  const said = (held === (kind === 'all') ? parts : telling).map((part) => sayClause(part, read)).join('; ');
  const others = parts.length - telling.length;
  if (held === undefined || held === (kind === 'all') || others === 0) return `${kind === 'any' && held === false ? 'none of these: ' : ''}${said}`;
  return kind === 'all' ? `${said} (the rest holds)` : said;
}

/** Whether the distance says more than the two numbers do. */
const tells = (b: number, unit: Unit | undefined): boolean => b !== 0 && unit !== 'none' && unit !== undefined;
const unitOf = (left: ClauseSide, right: ClauseSide): Unit | undefined => (left.unit === 'none' ? right.unit : left.unit);

function sayComparison(clause: Of<'compare'>, held: boolean | undefined, read: Read): string {
  const turned = clause.left.constant && !clause.right.constant;
  const [left, right] = turned ? [clause.right, clause.left] : [clause.left, clause.right];
  const operator = turned ? clause.operator.replace(/[<>]/, (sign) => (sign === '<' ? '>' : '<')) : clause.operator;
  const unit = unitOf(left, right);
  const [a, b] = [read(left.ref), read(right.ref)];
  if (held === undefined) return sayMissing([left, right], read);
  const [saidA, saidB] = sayPair(a, b, unit);
  const other = right.constant ? right.said : `${right.said} at ${saidB}`;
  if (held) return `${left.said} is ${saidA}, ${relationOf(operator)} ${other}`;
  const low = operator.startsWith('>');
  const how = operator.startsWith('=') || operator.startsWith('!') ? '' : a === b ? ': equal is not enough' : tells(b, unit) ? `: ${sayDistance(a, b, unit)} too ${low ? 'low' : 'high'}` : '';
  return `${left.said} is ${saidA} and must be ${relationOf(operator)} ${other}${how}`;
}

function sayCrossing({ up, negated, left, right }: Of<'cross'>, held: boolean | undefined, read: Read): string {
  if (held === undefined) return sayMissing([left, right], read);
  const unit = unitOf(left, right);
  const [a, b] = [read(left.ref), read(right.ref)];
  const [saidA, saidB] = sayPair(a, b, unit);
  const other = right.constant ? right.said : `${right.said} at ${saidB}`;
  const [beyond, short] = up ? ['above', 'below'] : ['below', 'above'];
  const crossed = held !== negated;
  if (crossed) return `${left.said} at ${saidA} has crossed ${beyond} ${other} on this candle${negated ? ', and must not' : ''}`;
  const past = up ? a > b : a < b;
  if (negated) return `${left.said} at ${saidA} has not crossed ${beyond} ${other} on this candle, as wanted`;
  if (past) return `${left.said} at ${saidA} was ${beyond} ${other} already; it must come back and cross anew`;
  return `${left.said} at ${saidA} must cross ${beyond} ${other}${a === b ? ': it stands on it' : tells(b, unit) ? `: it is ${sayDistance(a, b, unit)} ${short}` : ''}`;
}

function sayRun({ up, negated, candles, side }: Of<'run'>, held: boolean | undefined, read: Read): string {
  if (held === undefined) return sayMissing([side], read);
  const ran = held !== negated;
  const wanted = held ? (negated ? ', as wanted' : '') : negated ? ', and must not' : ', and must';
  return `${side.said} at ${sayNumber(read(side.ref), side.unit)} has ${ran ? '' : 'not '}${up ? 'risen' : 'fallen'} on each of the last ${candles}${wanted}`;
}

function sayWithin({ said, n, negated, measure }: Of<'within'>, held: boolean | undefined, read: Read): string {
  if (held === undefined) return `${said}: not known for all of ${last(n)}`;
  const ago = read(measure);
  const when = Number.isNaN(ago) ? 'not once so far' : ago === 0 ? 'on this candle' : `${ago === 1 ? 'one candle' : `${sayNumber(ago)} candles`} ago`;
  if (held !== negated) return `${said}: ${when}, within ${last(n)}${negated ? ', and must not' : ''}`;
  return `${said}: ${when}, and ${negated ? 'must not be' : 'must be'} within ${last(n)}`;
}

function sayHeld({ said, n, negated, measure }: Of<'held'>, held: boolean | undefined, read: Read): string {
  if (held === undefined) return `${said}: not known for all of ${last(n)}`;
  const times = read(measure);
  if (held !== negated) return `${said}: on all of ${last(n)}${negated ? ', and must not' : ''}`;
  return `${said}: on ${sayNumber(times)} of ${last(n)}${negated ? '' : ', and must be on all'}`;
}

function sayEvent({ said, pattern, negated }: Of<'event'>, held: boolean | undefined): string {
  if (held === undefined) return `${said}: not known`;
  const there = held !== negated;
  const wanted = held ? (negated ? ', as wanted' : '') : negated ? ', which must not be' : '';
  if (!pattern) return `${said}: ${there ? 'so it is' : 'not so'}${wanted}`;
  return there ? `there is ${/^[aeiou]/.test(said) ? 'an' : 'a'} ${said} on this candle${wanted}` : `there is no ${said} on this candle${wanted}`;
}

/** Which numbers have no value, though they have settled, and why. */
function sayMissing(sides: readonly ClauseSide[], read: Read): string {
  const without = sides.filter(({ ref }) => Number.isNaN(read(ref)));
  if (without.length === 0) return `${sides.map(({ said }) => said).join(' and ')}: not known on the candle before`;
  return without.map(({ said, awaits, elsewhere }) => `${said} has no value now${awaits !== undefined ? `: it waits for ${awaits}` : elsewhere ? ': a candle of it is missing' : ''}`).join('; ');
}
