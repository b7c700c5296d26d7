import type { CallExpression, Identifier } from 'acorn';
import type { Ref } from '../graph/dag.ts';
import { signatureOf, type Argument, type FunctionDefinition } from '../indicators/definition.ts';
import type { Compiler } from './compile-expression.ts';
import { suggest } from './suggest.ts';
import { TYPE_WORDS, type Typed } from './typed.ts';

/** Compiles `rsi(14)`, `macd(12, 26, 9).line` …: checks the arguments against the function's row, then lets it build its nodes. */
export function compileCall(
  compiler: Compiler, definition: FunctionDefinition, node: CallExpression, field: Identifier | undefined, depth: number,
): { ref: Ref; operands: readonly Typed[] } {
  const help = `${signatureOf(definition)}: ${definition.summary} Example: ${definition.example}.`;
  checkField(compiler, definition, node, field, help);

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
  return { ref: definition.build(compiler.dag, series, numbers, field?.name ?? ''), operands };
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
