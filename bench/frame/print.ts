import type { BenchResult } from './row.ts';

const figure = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value === 0 ? '0' : value.toPrecision(3));
const mark = (ok: boolean): string => (ok ? 'ok   ' : 'SHORT');
const bound = (must: number | null, atLeast: boolean): string => (must === null ? '' : `must ${atLeast ? '≥' : '≤'} ${Number(must.toPrecision(3))}`);

/** A row as a person reads it: our figure, each peer's with the ratio, what else was measured, and what was done. */
export function printRow(result: BenchResult): string {
  const { unit, p99Must } = result;
  const spread = `min ${figure(result.min)}, max ${figure(result.max)}, ${result.samples} runs`;
  const lines = [[mark(result.reached), result.id, `${figure(result.value)} ${unit}`, bound(result.must, result.atLeast), `(${spread})`]];
  if (p99Must !== null) lines.push([mark(result.p99 <= p99Must), '  99th percentile', `${figure(result.p99)} ${unit}`, bound(p99Must, false), '']);
  for (const peer of result.peers) {
    lines.push([mark(peer.ok), `  ${peer.name}`, `${figure(peer.value)} ${unit}`, `× ${figure(peer.ratio)}`, `${bound(peer.must, true)} (${peer.samples} runs)`.trim()]);
  }
  for (const one of result.also) lines.push([mark(one.ok), `  ${one.name}`, `${figure(one.value)} ${one.unit}`.trim(), bound(one.must, one.atLeast), '']);
  const table = lines.map(([ok, name, value, must, rest]) => `${ok} ${name!.padEnd(50)} ${value!.padStart(14)}  ${must!.padEnd(14)} ${rest}`.trimEnd());
  return `${table.join('\n')}\n      ${result.what}\n`;
}
