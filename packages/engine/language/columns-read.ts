import type { Interval } from '@trademind/core';
import type { Column } from '../graph/dag.ts';
import { compileExpression } from './compile-expression.ts';
import { Frames, prune } from './frames.ts';
import { scopeOf } from './scope.ts';

/**
 * The columns of a candle that an expression reads, by itself or inside an indicator, on whatever interval: what a source must have for it. Throws LanguageError, as
 * `evaluateExpression` does, and like it needs no candle to do so.
 */
export function columnsRead(text: string, options: { interval?: Interval; params?: Record<string, number>; let?: Record<string, string> } = {}): ReadonlySet<Column> {
  const drafts = new Frames(options.interval ?? '1m');
  const { ref } = compileExpression({ text, field: 'expression' }, scopeOf(options.params ?? {}, options.let ?? {}, drafts, []), drafts.own, drafts, []);
  const columns = new Set<Column>();
  for (const { dag } of prune(drafts, [ref]).frames) {
    const read = new Set(dag.nodes.flatMap((node) => ('kind' in node ? node.inputs : [])));
    for (const [index, node] of dag.nodes.entries()) if ('column' in node && read.has(index)) columns.add(node.column);
  }
  // The expression may be a column itself, and nothing reads it.
  const whole = drafts.own.dag.nodes[ref]!;
  if ('column' in whole) columns.add(whole.column);
  return columns;
}
