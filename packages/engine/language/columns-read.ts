import { Dag, type Column, type Ref } from '../graph/dag.ts';
import { compileExpression } from './compile-expression.ts';
import { scopeOf } from './scope.ts';

/**
 * The columns of a candle that an expression reads, by itself or inside an indicator: what a source must have for it. Throws LanguageError, as
 * `evaluateExpression` does, and like it needs no candle to do so.
 */
export function columnsRead(text: string, options: { params?: Record<string, number>; let?: Record<string, string> } = {}): ReadonlySet<Column> {
  const dag = new Dag();
  const { ref } = compileExpression({ text, field: 'expression' }, scopeOf(options.params ?? {}, options.let ?? {}, dag, []), dag, []);
  const columns = new Set<Column>();
  const seen = new Set<Ref>();
  const visit = (ref: Ref): void => {
    if (seen.has(ref)) return;
    seen.add(ref);
    const node = dag.nodes[ref]!;
    if ('column' in node) columns.add(node.column);
    else if ('kind' in node) for (const input of node.inputs) visit(input);
  };
  visit(ref);
  return columns;
}
