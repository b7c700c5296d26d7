import { COLUMNS, type Column, type Ref } from '../graph/dag.ts';
import { compileExpression } from './compile-expression.ts';
import type { EvaluateOptions } from './evaluate.ts';
import { Frames, prune } from './frames.ts';
import { scopeOf } from './scope.ts';

/**
 * The columns of a candle that an expression reads, by itself, inside an indicator or on another interval: what a source must have for it. Throws LanguageError, as
 * `evaluateExpression` does, and like it needs no candle to do so.
 */
export function columnsRead(text: string, options: Pick<EvaluateOptions, 'interval' | 'params' | 'let'> = {}): ReadonlySet<Column> {
  const drafts = new Frames(options.interval ?? '1m');
  const { ref } = compileExpression({ text, field: 'expression' }, scopeOf(options.params ?? {}, options.let ?? {}, drafts, []), drafts.own, drafts, []);
  const columns = new Set<Column>();
  const read = (one: Ref): void => {
    const column = COLUMNS[one];
    if (column !== undefined) columns.add(column);
  };
  read(ref);
  // Columns are the first nodes of every graph; what is kept is needed.
  for (const { dag } of prune(drafts, [ref]).frames) {
    for (const node of dag.nodes) {
      if ('kind' in node) for (const input of node.inputs) read(input);
      else if ('frame' in node) read(node.ref);
    }
  }
  return columns;
}
