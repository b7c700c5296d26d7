import { tokTypes } from 'acorn';
import { compileExpression } from './compile-expression.ts';
import type { Frame, Frames } from './frames.ts';
import { FUNCTIONS } from './functions.ts';
import { LanguageError } from './language-error.ts';
import { LIMITS } from './limits.ts';
import { errorAt, parseExpression } from './parse.ts';
import { SERIES } from './series.ts';
import type { Scope, Typed } from './typed.ts';

const SERIES_NAMES = new Set(SERIES.map((series) => series.name));

/** What a trader may name in its conditions: its params and its `let` expressions, which may use each other but not in a circle. */
export function scopeOf(params: Readonly<Record<string, number>>, lets: Readonly<Record<string, string>>, frames: Frames, warnings: string[]): Scope & { compileAll(): void } {
  const numbers = new Map(Object.entries(params));
  const sources = new Map(Object.entries(lets));
  const compiled = new Map<Frame, Map<string, Typed>>();
  const underway = new Set<string>();
  checkNames('params', numbers.keys());
  checkNames('let', sources.keys());
  for (const name of sources.keys()) if (numbers.has(name)) throw nameError('let', name, `${name} is already a name in params.`);
  for (const [name, value] of numbers) if (!Number.isFinite(value)) throw nameError('params', name, `${name} must be a finite number.`);

  const scope: Scope & { compileAll(): void } = {
    series: true,
    names: () => [...numbers.keys(), ...sources.keys()],
    resolve: (name, frame) => {
      const number = numbers.get(name);
      if (number !== undefined) return { type: 'number', ref: frame.dag.constant(number), text: name, literal: false, readings: [] };
      const text = sources.get(name);
      if (text === undefined) return undefined;
      let here = compiled.get(frame);
      if (here === undefined) compiled.set(frame, (here = new Map()));
      let typed = here.get(name);
      if (typed === undefined) {
        const source = { text, field: `let.${name}` };
        if (underway.has(name)) throw errorAt(source, 'circular', { start: 0, end: text.length }, `${[...underway, name].join(' needs ')}: a circle.`, 'Write one of them without the others.');
        if (underway.size >= LIMITS.depth) throw errorAt(source, 'too_deep', { start: 0, end: text.length }, `let names nested more than ${LIMITS.depth} deep.`);
        underway.add(name);
        typed = compileExpression(source, scope, frame, frames, warnings);
        underway.delete(name);
        here.set(name, typed);
      }
      return typed;
    },
    compileAll: () => {
      for (const name of sources.keys()) scope.resolve(name, frames.own);
    },
  };
  return scope;
}

/** The scope of `when`: the names of the conditions alone. */
export function namesOnly(conditions: ReadonlyMap<string, Typed>): Scope {
  return {
    series: false,
    resolve: (name) => conditions.get(name),
    names: () => conditions.keys(),
    hint: `\`when\` joins the names of conditions: ${[...conditions.keys()].join(', ')}.`,
  };
}

function checkNames(place: 'params' | 'let', names: Iterable<string>): void {
  let count = 0;
  for (const name of names) {
    if (++count > LIMITS.names) throw nameError(place, name, `more than ${LIMITS.names} names.`, 'too_large');
    checkWord(place, name);
    if (SERIES_NAMES.has(name) || FUNCTIONS.has(name)) throw nameError(place, name, `${name} is a word of the language.`);
  }
}

/** Refuses a name that the grammar reads as something else (`new`, `in`, `true`): no expression could use it. Throws LanguageError. */
export function checkWord(place: 'params' | 'let' | 'where', name: string): void {
  if (!isName(name)) throw nameError(place, name, `${name} is a word of JavaScript, whose grammar expressions have, and cannot be a name.`);
}

/** What the grammar reads as something else, and what it keeps for strict code. */
const RESERVED = new Set([
  ...Object.values(tokTypes).map(({ keyword }) => keyword), 'await', 'enum', 'implements', 'interface', 'let', 'package', 'private', 'protected', 'public', 'static', 'yield',
]);

function isName(word: string): boolean {
  // Most are plain words, of which no parser need be asked.
  if (/^[a-z_]\w*$/i.test(word) && !RESERVED.has(word)) return word.length <= LIMITS.sourceLength;
  try {
    return parseExpression({ text: word, field: 'name' }).type === 'Identifier';
  } catch (error) {
    if (error instanceof LanguageError) return false;
    throw error;
  }
}

const nameError = (place: string, name: string, message: string, code: 'name_taken' | 'too_large' = 'name_taken'): LanguageError =>
  new LanguageError({ code, message, field: `${place}.${name}`, source: name, span: { start: 0, end: name.length }, nextStep: code === 'name_taken' ? 'Choose another name or value.' : undefined });
