import { availableParallelism, cpus, totalmem, type, release } from 'node:os';

/** The machine that measured, in one line: a figure means little without it. */
export function describeMachine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}, Node ${process.versions.node}`;
}
