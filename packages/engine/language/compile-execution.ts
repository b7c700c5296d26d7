import { paramValues, type Interval, type TraderDocument } from '@trademind/core';
import type { Ref } from '../graph/dag.ts';
import { checkSizes, warnAboutAge } from './check-sizes.ts';
import { compileExpression } from './compile-expression.ts';
import { Frames, MARKET, prune, type Frame } from './frames.ts';
import { errorAt, type Source } from './parse.ts';
import { driftOf, isStill } from './running-totals.ts';
import { scopeOf } from './scope.ts';
import { TYPE_WORDS, type Scope, type Typed } from './typed.ts';

/** The expressions of a trader's execution, in graphs of their own: screening neither waits for them nor pays for them. */
export interface CompiledExecution {
  /** Every frame after those that it reads; the trader's own is the last. */
  readonly frames: readonly Frame[];
  /** Nodes of the own frame by the field (`execution.stop`). */
  readonly fields: ReadonlyMap<string, Ref>;
  /** Candles of the trader's interval until all of them have settled, once what they read elsewhere has. */
  readonly settle: number;
  readonly warnings: readonly string[];
}

/**
 * Compiles what a trader says of its orders: amounts must be numbers above 0 and no running totals, `exit` a condition; all of the trader's own symbol. Throws LanguageError with the field.
 * @param defaultInterval the interval of a trader that names none.
 */
export function compileExecution({ execution, params, let: lets, interval }: Pick<TraderDocument, 'execution' | 'params' | 'let' | 'interval'>, defaultInterval: Interval): CompiledExecution {
  const drafts = new Frames(interval ?? defaultInterval);
  const warnings: string[] = [];
  const scope: Scope = scopeOf(paramValues(params), lets, drafts, warnings);
  const fields = new Map<string, Ref>();
  for (const [field, text] of expressionsOf(execution)) {
    const source = { text, field: `execution.${field}` };
    const typed = compileExpression(source, scope, drafts.own, drafts, warnings);
    if ((typed.type === 'condition') !== (field === 'exit')) {
      const span = { start: 0, end: text.length };
      throw field === 'exit'
        ? errorAt(source, 'wrong_type', span, `a condition is wanted, this is ${TYPE_WORDS[typed.type]}.`, `Compare it, for example ${typed.text.slice(0, 40)} > 0.`)
        : errorAt(source, 'wrong_type', span, 'a number is wanted, this is a condition.', 'For example 1.5 * atr(14).');
    }
    const needed = prune(drafts, [typed.ref]).frames;
    checkSizes(source, needed);
    if (needed.some(({ key, symbol }) => symbol !== undefined || key === MARKET)) {
      throw errorAt(source, 'not_allowed', { start: 0, end: text.length }, 'an order looks at its own symbol alone, without of, rank and percentile.', 'Put what looks at other symbols into a condition of where.');
    }
    if (field !== 'exit') checkAmount(source, typed, drafts);
    fields.set(source.field, typed.ref);
  }
  const { frames, refs } = prune(drafts, fields.values());
  checkSizes({ text: 'execution', field: 'execution' }, frames);
  warnAboutAge('execution', frames, warnings);
  return { frames, fields: new Map([...fields].map(([field, ref]) => [field, refs[ref]!])), settle: Math.max(...frames.at(-1)!.dag.settle), warnings };
}

/** Executions that were found in order, with their warnings. Long ones are rare, and are not kept. */
const inOrder = new Map<string, readonly string[]>();
const MOST_KEPT = 64;
const LONGEST_KEPT = 2_000;

/** The warnings of a trader's execution; throws what `compileExecution` throws. Most traders say the same of their orders, so that what was found in order is not compiled again. */
export function checkExecution(document: Parameters<typeof compileExecution>[0], interval: Interval): readonly string[] {
  const { execution, params, let: lets } = document;
  const key = JSON.stringify([interval, execution, params, lets]);
  const known = inOrder.get(key);
  if (known !== undefined) return known;
  const { warnings } = compileExecution(document, interval);
  if (inOrder.size === MOST_KEPT) inOrder.clear();
  if (key.length <= LONGEST_KEPT) inOrder.set(key, warnings);
  return warnings;
}

/** An amount must say the same wherever the candles began, and be above 0 on some candle at least. */
function checkAmount(source: Source, { ref, text }: Typed, frames: Frames): void {
  const span = { start: 0, end: source.text.length };
  if (!isStill(driftOf(frames, frames.own, ref))) {
    throw errorAt(source, 'cumulative', span, `${text} is or depends on a running total, whose level says only where the candles began.`, 'Use what does not: 1.5 * atr(14), or a difference such as abs(change(obv(), 10)).');
  }
  const constant = frames.own.dag.constantOf(ref);
  if (constant !== undefined && !(constant > 0 && constant < Infinity)) {
    throw errorAt(source, 'wrong_argument', span, `an amount must be above 0 and finite, this is always ${Number.isNaN(constant) ? 'not ready' : constant}.`, 'For example 1.5 * atr(14).');
  }
}

/** Every expression of an execution by its field; numbers need no compiling. */
function* expressionsOf({ entry, size, stop, targets, trail, exit }: TraderDocument['execution']): Generator<[field: string, text: string]> {
  if (typeof entry === 'object') yield* texts('entry.limit', entry.limit);
  if (typeof size !== 'object') yield* texts('size', size);
  else if ('percent' in size) yield* texts('size.percent', size.percent);
  else yield* texts('size.risk', size.risk);
  yield* level('stop', stop);
  for (const [index, { at }] of targets.entries()) yield* level(`targets.${index}.at`, at);
  yield* texts('trail', trail);
  yield* texts('exit', exit);
}

function* texts(field: string, amount: string | number | undefined): Generator<[string, string]> {
  if (typeof amount === 'string') yield [field, amount];
}

const level = (field: string, value: TraderDocument['execution']['stop']): Generator<[string, string]> =>
  (typeof value === 'object' ? texts(`${field}.price`, value.price) : texts(field, value));
