import type { CallExpression, Identifier } from 'acorn';
import { intervalMs, INTERVALS, NO_3D, type Interval } from '@trademind/core';
import type { Dag, Ref } from '../graph/dag.ts';
import { helpOf, type Argument, type FunctionDefinition } from '../indicators/definition.ts';
import type { Compiler } from './compile-expression.ts';
import { suggest } from './suggest.ts';
import type { Frame } from './frames.ts';
import { TYPE_WORDS, type Reading, type Typed } from './typed.ts';

/** Compiles `rsi(14)`, `macd(12, 26, 9).line` …: checks the arguments against the function's row, then lets it build its nodes. */
export function compileCall(
  compiler: Compiler, definition: FunctionDefinition, node: CallExpression, field: Identifier | undefined, depth: number,
): { ref: Ref; type: Typed['type']; readings: readonly Reading[] } {
  const help = helpOf(definition);
  checkField(compiler, definition, node, field, help);
  if (definition.elsewhere !== undefined) return compileElsewhere(compiler, definition, node, depth, help);

  const given = node.arguments.map((argument) => {
    if (argument.type === 'SpreadElement') throw compiler.error(argument, 'not_allowed', '`...` is not part of the language.', help);
    return { node: argument, typed: compiler.compile(argument, depth + 1) };
  });
  const wanted = argumentsFor(definition, given.length);
  if (wanted === undefined) {
    const last = given.at(-1)?.node;
    throw compiler.error(last ?? node, 'wrong_argument', `${definition.name} wants ${countOf(definition)}, not ${given.length}.`, help);
  }

  const series: Ref[] = [];
  const numbers: number[] = [];
  const operands: Typed[] = [];
  let next = 0;
  for (const { argument, omitted } of wanted) {
    if (omitted) {
      if (typeof argument.default === 'number') numbers.push(argument.default);
      else series.push(compiler.dag.column('close'));
      continue;
    }
    const { node: place, typed } = given[next++]!;
    const number = typed.type === 'number' ? compiler.dag.constantOf(typed.ref) : undefined;
    const wrong = (what: string): Error =>
      compiler.error(place, 'wrong_type', `${definition.name} wants ${what} for ${argument.name}, ${typed.text} is ${TYPE_WORDS[typed.type]}.`, help);
    if (argument.type === 'length' || argument.type === 'number') {
      if (number === undefined) throw wrong('a constant number');
      numbers.push(checkNumber(compiler, definition, argument, number, place, help));
    } else {
      if (argument.type === 'condition' ? typed.type !== 'condition' : typed.type === 'condition' || (argument.type === 'series' && typed.type === 'number')) {
        throw wrong(argument.type === 'condition' ? 'a condition' : argument.type === 'series' ? 'a series' : 'a number or a series');
      }
      series.push(typed.ref);
      operands.push(typed);
    }
  }
  if (definition.returns === 'condition') compiler.checkDrift(node, operands);
  const [a, b] = operands;
  if (definition.name === 'crossover') compiler.warnAboutReach(a!, b!);
  if (definition.name === 'crossunder') compiler.warnAboutReach(b!, a!);
  const ref = definition.build(compiler.dag, series, numbers, field?.name ?? '');
  return { ref, type: definition.returns === 'condition' ? 'condition' : 'series', readings: compiler.readingsOf(operands) };
}

/** Compiles `on("1h", …)`, `of("BTCUSDT", …)`, `rank(…)`: the last argument in the frame where it is computed, and what this frame reads of it. */
function compileElsewhere(
  compiler: Compiler, definition: FunctionDefinition, node: CallExpression, depth: number, help: string,
): { ref: Ref; type: Typed['type']; readings: readonly Reading[] } {
  const { name } = definition;
  const wanted = definition.arguments.length;
  if (node.arguments.length !== wanted) throw compiler.error(node.arguments.at(-1) ?? node, 'wrong_argument', `${name} wants ${countOf(definition)}, not ${node.arguments.length}.`, help);
  const inner = node.arguments.at(-1)!;
  if (inner.type === 'SpreadElement') throw compiler.error(inner, 'not_allowed', '`...` is not part of the language.', help);
  const frame = frameOf(compiler, definition, node, help);
  const typed = compiler.in(frame).compile(inner, depth + 1);
  if (definition.elsewhere === 'market') {
    if (typed.type !== 'series') throw compiler.error(inner, 'wrong_type', `${name} wants a series, ${typed.text} is ${TYPE_WORDS[typed.type]}.`, help);
    compiler.in(frame).checkDrift(inner, [typed], true);
    return { ref: definition.build(compiler.dag, [typed.ref], [], ''), type: 'series', readings: [] };
  }
  const { dag } = compiler;
  if (frame.dag === dag) return { ref: typed.ref, type: typed.type, readings: typed.readings };
  const here = (ref: Ref): Ref => lift(dag, frame, ref);
  const wrap = (expression: string): string => `${name}(${compiler.text(node.arguments[0]!)}, ${expression})`;
  return { ref: here(typed.ref), type: typed.type, readings: typed.readings.map(({ expression, ref }) => ({ expression: wrap(expression), ref: here(ref) })) };
}

/** A node of another frame, as this one reads it; constants are the same everywhere. */
function lift(dag: Dag, frame: Frame, ref: Ref): Ref {
  const constant = frame.dag.constantOf(ref);
  return constant === undefined ? dag.external(frame.key, ref) : dag.constant(constant);
}

function frameOf(compiler: Compiler, definition: FunctionDefinition, node: CallExpression, help: string): Frame {
  const { frame, frames } = compiler;
  const { name, elsewhere } = definition;
  if (elsewhere === 'market') {
    if (frame !== frames.own) throw compiler.error(node, 'not_allowed', `${name} cannot stand inside on, of, rank or percentile.`, `Put it outside: ${name}(on("1h", …)).`);
    return frames.market;
  }
  const place = node.arguments[0]!;
  const text = place.type === 'Literal' && typeof place.value === 'string' ? place.value : undefined;
  if (elsewhere === 'symbol') {
    if (text === undefined || !/^[\p{Lu}\p{Lo}\p{N}]{2,30}$/u.test(text)) throw compiler.error(place, 'wrong_argument', `${name} wants a symbol in capitals and quotes, such as "BTCUSDT".`, help);
    if (frame.symbol !== undefined) throw compiler.error(node, 'not_allowed', `of cannot stand inside of("${frame.symbol}", …).`, 'Name one symbol at a time.');
    if (frame.interval !== frames.own.interval) throw compiler.error(node, 'not_allowed', 'of cannot stand inside on.', `Turn them round: of("${text}", on("${frame.interval}", …)).`);
    return frames.of(text, frame.interval);
  }
  const interval = INTERVALS.find((known) => known === text);
  if (text === '3d') throw compiler.error(place, 'wrong_argument', `${NO_3D}.`, help);
  if (interval === undefined) throw compiler.error(place, 'wrong_argument', `${name} wants an interval in quotes: ${INTERVALS.join(', ')}.`, help);
  if (interval === frame.interval) return frame;
  const order = (one: Interval): number => INTERVALS.indexOf(one);
  if (order(interval) < order(frame.interval)) {
    throw compiler.error(place, 'wrong_argument', `"${interval}" is lower than ${frame.interval}: on looks at higher intervals only.`, `Let the trader screen ${interval} candles and look at ${frame.interval} with on("${frame.interval}", …).`);
  }
  if (!dividesInto(frame.interval, interval)) {
    throw compiler.error(place, 'wrong_argument', `${interval} candles cannot be made of ${frame.interval} ones.`, 'Use an interval that is a whole number of times as long.');
  }
  return frames.of(frame.symbol, interval);
}

/** Whether candles of one interval make up those of a longer one. */
function dividesInto(shorter: Interval, longer: Interval): boolean {
  if (longer === '1M') return intervalMs(shorter) <= 86_400_000;
  return intervalMs(longer) % intervalMs(shorter) === 0;
}

function checkField(compiler: Compiler, definition: FunctionDefinition, node: CallExpression, field: Identifier | undefined, help: string): void {
  const { fields, name } = definition;
  if (field === undefined) {
    if (fields !== undefined) throw compiler.error(node, 'wrong_type', `${name} has several outputs: add ${fields.map((one) => `.${one}`).join(', ')}.`, help);
    return;
  }
  if (fields?.includes(field.name)) return;
  const meant = fields === undefined ? undefined : suggest(field.name, fields);
  const has = fields === undefined ? `${name} has one output: leave .${field.name.slice(0, 40)} out.` : `${name} has no output "${field.name.slice(0, 40)}".${meant === undefined ? '' : ` Did you mean .${meant}?`}`;
  throw compiler.error(field, 'unknown_field', has, help);
}

/** Which arguments were meant by so many: a series with a default may be left out, as may trailing numbers with one. */
function argumentsFor(definition: FunctionDefinition, count: number): { argument: Argument; omitted: boolean }[] | undefined {
  const all = definition.arguments;
  const last = all.at(-1);
  if (last?.rest && count > all.length) return [...all, ...Array.from({ length: count - all.length }, () => last)].map((argument) => ({ argument, omitted: false }));
  const series = all[0]?.default === 'close' && count < all.length;
  const rest = series ? count + 1 : count;
  if (rest > all.length || all.slice(rest).some((argument) => argument.default === undefined)) return undefined;
  return all.map((argument, index) => ({ argument, omitted: (series && index === 0) || index >= rest }));
}

function countOf(definition: FunctionDefinition): string {
  const most = definition.arguments.length;
  const least = definition.arguments.filter((argument) => argument.default === undefined).length;
  if (definition.arguments.at(-1)?.rest) return `${least} arguments or more`;
  if (most === 0) return 'no arguments';
  return least === most ? `${most} argument${most === 1 ? '' : 's'}` : `${least} to ${most} arguments`;
}

function checkNumber(compiler: Compiler, definition: FunctionDefinition, argument: Argument, value: number, place: { start: number; end: number }, help: string): number {
  const { min = -Infinity, max = Infinity } = argument;
  const whole = argument.type === 'length';
  const fits = value >= min && value <= max && (!whole || Number.isInteger(value));
  if (fits) return value;
  const range = max === Infinity ? (min === -Infinity ? '' : ` of at least ${min}`) : ` from ${min} to ${max}`;
  throw compiler.error(place, whole && value > max ? 'too_far' : 'wrong_argument', `${definition.name} wants a ${whole ? 'whole number' : 'number'}${range} for ${argument.name}, not ${value}.`, help);
}
