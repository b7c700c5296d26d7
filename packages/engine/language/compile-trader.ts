import { paramValues, type Interval, type TraderDocument } from '@trademind/core';
import { Dag, type Ref } from '../graph/dag.ts';
import { and, atLeast, or } from '../graph/logic.ts';
import { Program } from '../graph/program.ts';
import { compileExecution } from './compile-execution.ts';
import { compileExpression } from './compile-expression.ts';
import { LIMITS } from './limits.ts';
import { errorAt, type Source } from './parse.ts';
import { namesOnly, scopeOf } from './scope.ts';
import { TYPE_WORDS, type Reading, type Typed } from './typed.ts';

export interface CompiledCondition {
  readonly name: string;
  readonly expression: string;
  readonly ref: Ref;
  readonly readings: readonly Reading[];
}

/** A trader ready to run: its graph, where its verdict stands in it, and how many candles it needs. */
export interface CompiledTrader {
  readonly document: TraderDocument;
  readonly interval: Interval;
  readonly dag: Dag;
  /** The node of the whole verdict. */
  readonly when: Ref;
  readonly conditions: readonly CompiledCondition[];
  /** Candles until every node has its first value, and until every node has settled (offsets included). */
  readonly first: number;
  readonly settle: number;
  /** What is allowed but hardly meant, in sentences. */
  readonly warnings: readonly string[];
}

/**
 * Compiles a trader's document. Throws LanguageError (with the field, the column, and what to do) for anything that is not in the language or
 * beyond its limits.
 * @param defaultInterval the interval of a trader that names none.
 */
export function compileTrader(document: TraderDocument, defaultInterval: Interval): CompiledTrader {
  const draft = new Dag();
  const warnings: string[] = [];
  const scope = scopeOf(paramValues(document.params), document.let, draft, warnings);
  scope.compileAll();

  const typed = new Map<string, Typed>();
  for (const [name, expression] of Object.entries(document.where).slice(0, LIMITS.names + 1)) {
    const source = { text: expression, field: `where.${name}` };
    if (typed.size === LIMITS.names) throw errorAt(source, 'too_large', { start: 0, end: 1 }, `more than ${LIMITS.names} conditions.`);
    typed.set(name, conditionOf(source, compileExpression(source, scope, draft, warnings)));
  }
  const whole = compileWhen(document.when, typed, draft, warnings);
  warnings.push(...compileExecution(document).warnings.filter((warning) => !warnings.includes(warning)));

  // Names that nothing uses, and what folding left behind, cost nothing.
  const dag = new Dag();
  const compiled = [...typed.values()];
  const refs = dag.merge(draft, [whole, ...compiled.map(({ ref }) => ref), ...compiled.flatMap(({ readings }) => readings.map(({ ref }) => ref))]);
  const conditions = [...typed].map(([name, { ref: own, readings }]) => ({
    name, expression: document.where[name]!.trim(), ref: refs[own]!, readings: readings.map(({ expression, ref }) => ({ expression, ref: refs[ref]! })),
  }));

  const settle = Math.max(...dag.settle);
  const stateSize = new Program(dag).stateSize;
  const source: Source = { text: document.name, field: 'where' };
  const span = { start: 0, end: 1 };
  if (settle > LIMITS.settle) throw errorAt(source, 'too_far', span, `the trader needs ${settle} candles until its indicators have settled, more than ${LIMITS.settle}.`, 'Use shorter lengths.');
  if (stateSize > LIMITS.stateSize) throw errorAt(source, 'too_large', span, `the trader keeps ${stateSize} numbers per symbol, more than ${LIMITS.stateSize}.`, 'Use shorter lengths or fewer of them.');
  return { document, interval: document.interval ?? defaultInterval, dag, when: refs[whole]!, conditions, first: Math.max(...dag.first), settle, warnings };
}

function compileWhen(when: TraderDocument['when'], conditions: ReadonlyMap<string, Typed>, dag: Dag, warnings: string[]): Ref {
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
  return conditionOf(source, compileExpression(source, namesOnly(conditions), dag, warnings)).ref;
}

function conditionOf(source: Source, typed: Typed): Typed {
  if (typed.type === 'condition') return typed;
  throw errorAt(source, 'wrong_type', { start: 0, end: source.text.length }, `a condition is wanted, this is ${TYPE_WORDS[typed.type]}.`, `Compare it, for example ${typed.text.slice(0, 40)} > 0.`);
}
