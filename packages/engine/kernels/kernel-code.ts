import type { Computed, Dag, Ref } from '../graph/dag.ts';
import type { Run } from '../graph/node-kind.ts';
import type { KernelMemory } from './kernel-memory.ts';

/** Part of a program: rows from `from` to before `to`, of the code in the kernels' memory (bytes), or where there is a run of that run's code (cells). */
export interface Step { readonly run: Run | undefined; readonly from: number; readonly to: number }

/** Nodes with one run, and where their rows lie in the code of that run. */
interface Batch { readonly refs: readonly Ref[]; readonly run: Run; readonly from: number; readonly to: number }

/** Where a program's parts lie in the kernels' memory (bytes); states are counted from where that of a series begins. */
interface Places { readonly values: number; readonly reals: readonly number[]; readonly stateAt: Int32Array }

/**
 * Writes the code of a program's batches into the kernels' memory, for rows of values of this width; what stands one after the other there is one step. A batch whose kind is not among the kernels is a step of
 * its own.
 */
export function layKernelCode(memory: KernelMemory, dag: Dag, batches: readonly Batch[], width: number, { values, reals, stateAt }: Places): { code: Int32Array; steps: Step[] } {
  const valuesOf = (ref: Ref): number => values + ref * width * 8;
  const cellsOf = (input: Ref): number[] => {
    const node = dag.nodes[input]!;
    return 'kind' in node && node.kind.ring !== undefined ? [valuesOf(input), (stateAt[input]! + node.kind.ring.head) * 8, node.params[0]! - 1] : [valuesOf(input)];
  };
  const rowOf = (ref: Ref, { params, inputs }: Computed): number[] => [valuesOf(ref), stateAt[ref]! * 8, reals[ref]!, ...params.map((param) => Math.trunc(param)), ...inputs.flatMap(cellsOf)];
  const cells: number[] = [];
  /** Cells that tell where rows end. */
  const ends: number[] = [];
  const steps: Step[] = [];
  for (const { refs, run, from, to } of batches) {
    const { kernel } = dag.computed(refs[0]!).kind;
    if (kernel === undefined) {
      steps.push({ run, from, to });
      continue;
    }
    const begin = cells.length;
    const rows = refs.flatMap((ref) => rowOf(ref, dag.computed(ref)));
    cells.push(kernel, begin + 2 + rows.length, ...rows);
    ends.push(begin + 1);
    const last = steps.at(-1);
    if (last !== undefined && last.run === undefined) steps[steps.length - 1] = { ...last, to: cells.length };
    else steps.push({ run: undefined, from: begin, to: cells.length });
  }
  const code = memory.integers(cells.length);
  for (const end of ends) cells[end] = code.byteOffset + cells[end]! * 4;
  code.set(cells);
  return { code, steps: steps.map((step) => (step.run === undefined ? { run: undefined, from: code.byteOffset + step.from * 4, to: code.byteOffset + step.to * 4 } : step)) };
}
