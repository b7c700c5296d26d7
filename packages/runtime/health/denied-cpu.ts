import { readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second (USER_HZ), on every platform that this runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds, over all CPUs, in which something wanted to run and the host ran something else: the `steal` column of /proc/stat. undefined when the text has none. */
export function stolenSeconds(procStat: string): number | undefined {
  const steal = Number(/^cpu\s+(?:\d+\s+){7}(\d+)/.exec(procStat)?.[1] ?? Number.NaN);
  return Number.isFinite(steal) ? steal / TICKS_PER_SECOND : undefined;
}

/** Seconds in which a control group had used up its quota: `throttled_usec` of its cpu.stat. undefined when it has no quota. */
export function throttledSeconds(cpuStat: string): number | undefined {
  const micros = Number(/^throttled_usec (\d+)$/m.exec(cpuStat)?.[1] ?? Number.NaN);
  return Number.isFinite(micros) ? micros / 1e6 : undefined;
}

/**
 * CPU seconds since boot that were withheld from this machine. Inside a Fly machine the throttling of a shared vCPU shows as steal; in a
 * container on a host of one's own it shows in the control group. undefined where neither is told (not Linux).
 */
export function deniedCpuSeconds(): number | undefined {
  const parts = [stolenSeconds(read('/proc/stat')), throttledSeconds(read('/sys/fs/cgroup/cpu.stat'))].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.reduce((sum, part) => sum + part, 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
