import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second: the same on every Linux that Node runs on. */
const TICKS = 100;

/** Fields after the name in /proc/<pid>/stat: its parent, and its own and its ended children's ticks; undefined for a process that is gone, and where there is no /proc. */
function statOf(pid: string): { parent: string; ticks: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { parent: fields[1] ?? '', ticks: [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) };
  } catch {
    return undefined;
  }
}

/** Processor seconds of a process and its children so far; unlike the wall's they hardly depend on what else runs on the machine. */
export function cpuSeconds(pid: number): number {
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return Number.NaN;
  }
  const ticks = pids.map((one) => ({ one, stat: statOf(one) })).reduce((sum, { one, stat }) => sum + (stat !== undefined && (one === String(pid) || stat.parent === String(pid)) ? stat.ticks : 0), 0);
  return ticks / TICKS;
}
