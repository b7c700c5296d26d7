import { TradeMindError } from '@trademind/core';
import { describeLanguage, type FunctionDescription, type LanguageDescription } from '@trademind/engine';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count } from '../output/format.ts';
import { createTerminal, type Colors } from '../output/terminal.ts';

/** `trademind language [NAME]`: the whole language on a page, or all about one of its words. */
export async function language(options: { json?: boolean }, io: Io, name?: string): Promise<number> {
  const all = describeLanguage();
  const found = name === undefined ? undefined : find(all, name);
  if (options.json) {
    io.stdout(`${JSON.stringify(found ?? all)}\n`);
    return EXIT.ok;
  }
  const { colors, line } = createTerminal(io.streams.stdout, io.color.stdout);
  for (const text of found === undefined ? overview(all, colors) : pageOf(found, colors)) line(text);
  return Promise.resolve(EXIT.ok);
}

type Word = { kind: 'function' } & FunctionDescription | { kind: 'series' } & LanguageDescription['series'][number] | { kind: 'operator' } & LanguageDescription['operators'][number];

/** Looks a word up, letter for letter, else in any case. Throws `not_found` with what begins like it. */
function find({ functions, series, operators }: LanguageDescription, name: string): Word {
  const words: Word[] = [
    ...functions.map((one) => ({ kind: 'function' as const, ...one })), ...series.map((one) => ({ kind: 'series' as const, ...one })), ...operators.map((one) => ({ kind: 'operator' as const, ...one })),
  ];
  const word = words.find((one) => one.name === name) ?? words.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (word) return word;
  const near = words.filter((one) => one.name.toLowerCase().includes(name.toLowerCase().slice(0, 3))).map((one) => one.name);
  throw new TradeMindError({
    code: 'not_found', field: 'name', message: `The language has no word "${name.slice(0, 40)}".`,
    nextStep: near.length > 0 ? `Is one of these meant: ${[...new Set(near)].join(', ')}?` : '`npx trademind language` lists all.',
  });
}

function overview({ series, families, functions, operators, limits }: LanguageDescription, c: Colors): string[] {
  const table = (rows: readonly (readonly [string, string])[]): string[] => {
    const width = Math.min(44, Math.max(...rows.map(([head]) => head.length)));
    return rows.map(([head, text]) => `  ${head.padEnd(width)}  ${c.dim(text)}`);
  };
  return [
    c.bold('Series'), ...table(series.map(({ name, summary }) => [name, summary] as const)), '',
    ...families.flatMap((family) => [c.bold(family), ...table(functions.filter((one) => one.family === family).map(({ signature, summary }) => [signature.replace(/\).*$/, ')'), summary] as const)), '']),
    c.bold('Operators'), ...table(operators.map(({ form, summary }) => [form, summary] as const)), '',
    c.bold('Limits'), ...table(limits.map(({ value, summary }) => [value.toLocaleString('en-US'), summary] as const)), '',
    `npx trademind language NAME tells all about one; docs/language.md has the rules.`,
  ];
}

function pageOf(word: Word, c: Colors): string[] {
  const row = (head: string, text: string): string => `  ${c.dim(head.padEnd(10))} ${text}`;
  if (word.kind === 'series') return [c.bold(word.name), word.summary, '', row('look back', `${word.name}[1] is that of the candle before`)];
  if (word.kind === 'operator') return [c.bold(word.form), word.summary, '', row('operands', word.operands), row('gives', word.gives), row('binds', `level ${word.level}, 1 being the closest`), row('example', word.example)];
  return [
    c.bold(word.signature), word.summary, '',
    ...word.arguments.map((one) => row('argument', `${one.name}: ${argumentText(one)}`)),
    ...(word.outputs.length > 0 ? [row('outputs', word.outputs.map((output) => `.${output}`).join(' '))] : []),
    row('gives', word.returns === 'same' ? 'what its expression is' : `a ${word.returns}${word.unit === word.returns ? '' : `, unit: ${word.unit}`}`),
    row('seed', word.seed),
    ...(word.warmUp === undefined ? [] : [row('warm-up', `${word.warmUp.expression}: first value after ${count(word.warmUp.first, 'candle')}${word.awaits === undefined ? '' : ' at the earliest'}, settled after ${word.warmUp.settle.toLocaleString('en-US')}`)]),
    ...(word.cumulative ? [row('level', 'a running total: compare its differences or slopes')] : []),
    ...(word.cost === undefined ? [] : [row('cost', `${word.cost} (of a candle)`)]),
    ...(word.awaits === undefined ? [] : [row('waits for', word.awaits)]),
    row('source', word.source),
    row('example', word.example),
  ];
}

const TYPES: Readonly<Record<string, string>> = {
  series: 'a series', value: 'a series or a number', condition: 'a condition', length: 'a whole number of candles', number: 'a number', interval: 'an interval in quotes', symbol: 'a symbol in quotes', expression: 'a series or a condition',
};

function argumentText({ type, default: given, min, max, rest }: FunctionDescription['arguments'][number]): string {
  const range = min === undefined && max === undefined ? '' : max === undefined ? `, at least ${min}` : `, ${min ?? '…'} to ${max}`;
  return `${TYPES[type] ?? type}${range}${given === undefined ? '' : `; ${given} if left out`}${rest ? '; may be repeated' : ''}`;
}
