import { paramValues, type Interval, type TraderDocument } from '@trademind/core';
import type { Dag, Ref } from '../graph/dag.ts';
import { and, atLeast, or } from '../graph/logic.ts';
import { checkSizes, warnAboutAge } from './check-sizes.ts';
import { checkExecution } from './compile-execution.ts';
import { compileExpression } from './compile-expression.ts';
import { exportsOf, Frames, MARKET, prune, type Frame } from './frames.ts';
import { LIMITS } from './limits.ts';
import { errorAt, type Source } from './parse.ts';
import { checkWord, namesOnly, scopeOf } from './scope.ts';
import { TYPE_WORDS, type Reading, type Typed } from './typed.ts';

export interface CompiledCondition {
  readonly name: string;
  readonly expression: string;
  readonly ref: Ref;
  readonly readings: readonly Reading[];
}

/** A trader ready to run: its graphs, where its verdict stands, and how many candles it needs. */
export interface CompiledTrader {
  readonly document: TraderDocument;
  readonly interval: Interval;
  /** Every frame after those that it reads; the trader's own is the last. */
  readonly frames: readonly Frame[];
  /** The graph of its own frame: the symbol being screened, on the trader's interval. */
  readonly dag: Dag;
  /** The node of the whole verdict. */
  readonly when: Ref;
  readonly conditions: readonly CompiledCondition[];
  /** Candles of its own interval until every node has its first value, and until every node has settled (offsets included), once what it reads elsewhere has. */
  readonly first: number;
  readonly settle: number;
  /** What it reads elsewhere: per symbol (undefined: the one screened) and interval the candles until all of it has settled. */
  readonly elsewhere: readonly { readonly symbol: string | undefined; readonly interval: Interval; readonly settle: number }[];
  /** Whether it looks at other symbols, and so waits for their candles. */
  readonly waits: boolean;
  /** What is allowed but hardly meant, in sentences. */
  readonly warnings: readonly string[];
}

/**
 * Compiles a trader's document. Throws LanguageError (with the field, the column, and what to do) for anything that is not in the language or
 * beyond its limits.
 * @param defaultInterval the interval of a trader that names none.
 */
export function compileTrader(document: TraderDocument, defaultInterval: Interval): CompiledTrader {
  const interval = document.interval ?? defaultInterval;
  const drafts = new Frames(interval);
  const warnings: string[] = [];
  const scope = scopeOf(paramValues(document.params), document.let, drafts, warnings);
  scope.compileAll();

  const typed = new Map<string, Typed>();
  for (const [name, expression] of Object.entries(document.where).slice(0, LIMITS.names + 1)) {
    const source = { text: expression, field: `where.${name}` };
    if (typed.size === LIMITS.names) throw errorAt(source, 'too_large', { start: 0, end: 1 }, `more than ${LIMITS.names} conditions.`);
    checkWord('where', name);
    typed.set(name, conditionOf(source, compileExpression(source, scope, drafts.own, drafts, warnings)));
  }
  const whole = compileWhen(document.when, typed, drafts, warnings);

  const compiled = [...typed.values()];
  const { frames, refs } = prune(drafts, [whole, ...compiled.map(({ ref }) => ref), ...compiled.flatMap(({ readings }) => readings.map(({ ref }) => ref))]);
  const conditions = [...typed].map(([name, { ref: own, readings }]) => ({
    name, expression: document.where[name]!.trim(), ref: refs[own]!, readings: readings.map(({ expression, ref }) => ({ expression, ref: refs[ref]! })),
  }));
  const { dag } = frames.at(-1)!;
  checkSizes({ text: document.name, field: 'where' }, frames);
  warnAboutAge('where', frames, warnings);
  warnings.push(...checkExecution(document, interval).filter((warning) => !warnings.includes(warning)));
  const waits = frames.some(({ symbol, key }) => symbol !== undefined || key === MARKET);
  if (waits && document.candles === 'forming') {
    throw errorAt({ text: 'forming', field: 'candles' }, 'not_allowed', { start: 0, end: 7 }, 'a trader that looks at other symbols (of, rank, percentile) screens closed candles only.', 'Leave candles out.');
  }
  return {
    document, interval, frames, dag, when: refs[whole]!, conditions, first: Math.max(...dag.first), settle: Math.max(...dag.settle), elsewhere: elsewhereOf(frames),
    waits, warnings,
  };
}

function elsewhereOf(frames: readonly Frame[]): CompiledTrader['elsewhere'] {
  const exported = exportsOf(frames);
  return frames.slice(0, -1).map(({ key, symbol, interval, dag }) => ({ symbol, interval, settle: Math.max(...[...exported.get(key)!].map((ref) => dag.settle[ref]!)) }));
}

function compileWhen(when: TraderDocument['when'], conditions: ReadonlyMap<string, Typed>, frames: Frames, warnings: string[]): Ref {
  const { dag } = frames.own;
  const refs = [...conditions.values()].map(({ ref }) => ref);
  const distinct = [...new Set(refs)];
  if (typeof when === 'object') {
    const source = { text: `atLeast: ${when.atLeast}`, field: 'when.atLeast' };
    if (when.atLeast > refs.length) {
      throw errorAt(source, 'wrong_argument', { start: 9, end: source.text.length }, `${when.atLeast} of ${refs.length} conditions can never hold.`, `Use 1 to ${refs.length}.`);
    }
    return dag.node(atLeast, refs, [when.atLeast, refs.length]);
  }
  if (when === 'all' && !conditions.has('all')) return distinct.reduce((a, b) => dag.node(and, [a, b]));
  if (when === 'any' && !conditions.has('any')) return distinct.reduce((a, b) => dag.node(or, [a, b]));
  const source = { text: when, field: 'when' };
  return conditionOf(source, compileExpression(source, namesOnly(conditions), frames.own, frames, warnings)).ref;
}

function conditionOf(source: Source, typed: Typed): Typed {
  if (typed.type === 'condition') return typed;
  throw errorAt(source, 'wrong_type', { start: 0, end: source.text.length }, `a condition is wanted, this is ${TYPE_WORDS[typed.type]}.`, `Compare it, for example ${typed.text.slice(0, 40)} > 0.`);
}
