import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fly's rule for a shared vCPU: 5 of every 80 ms, unused time banked for bursts up to 500 s. A performance vCPU is a whole core. */
export const SHARE = { periodUs: 80_000, quotaUs: 5_000, mostBankedS: 500 } as const;
/** What a new machine may burst before it has saved anything; ours, for nobody publishes Fly's. */
const FIRST_BALANCE_S = 50;
const LOOK_MS = 1000;

/** A control group of one machine, by the version of the system. */
interface Group { create(folder: string): void; limit(folder: string, quotaUs: number): void; add(folder: string, pid: number): void; usedUs(folder: string): number }

const put = (folder: string, file: string, text: string | number) => writeFileSync(join(folder, file), String(text));
const read = (folder: string, file: string) => readFileSync(join(folder, file), 'utf8');
const used = (folder: string, pattern: RegExp, file: string) => Number(pattern.exec(read(folder, file))?.[1] ?? 0);

const V1: Group = {
  create: (folder) => { mkdirSync(folder, { recursive: true }); put(folder, 'cpu.cfs_period_us', SHARE.periodUs); },
  limit: (folder, quotaUs) => put(folder, 'cpu.cfs_quota_us', Math.round(quotaUs)),
  add: (folder, pid) => put(folder, 'cgroup.procs', pid),
  usedUs: (folder) => Number(read(folder.replace('/cpu/', '/cpuacct/'), 'cpuacct.usage')) / 1000,
};
const V2: Group = {
  create: (folder) => { mkdirSync(folder, { recursive: true }); },
  limit: (folder, quotaUs) => put(folder, 'cpu.max', `${Math.round(quotaUs)} ${SHARE.periodUs}`),
  add: (folder, pid) => put(folder, 'cgroup.procs', pid),
  usedUs: (folder) => used(folder, /usage_usec (\d+)/, 'cpu.stat'),
};

/** Where control groups may be made here, or why not. */
export function findCgroup(root = '/sys/fs/cgroup'): { group: Group; base: string; name: string } | { why: string } {
  if (process.platform !== 'linux') return { why: `${process.platform} has no control groups` };
  const v1 = join(root, 'cpu');
  const candidate = existsSync(join(v1, 'cpu.cfs_quota_us')) ? { group: V1, base: v1, name: 'cgroup v1', needs: [v1, join(root, 'cpuacct')] }
    : existsSync(join(root, 'cgroup.controllers')) && /\bcpu\b/.test(read(root, 'cgroup.subtree_control')) ? { group: V2, base: root, name: 'cgroup v2', needs: [root] } : null;
  if (!candidate) return { why: 'no control group of the system governs cpu time' };
  try {
    for (const folder of candidate.needs) accessSync(folder, constants.W_OK);
  } catch {
    return { why: 'control groups may not be made by this user' };
  }
  return candidate;
}

interface Governed { folder: string; cpus: number; shared: boolean; balanceUs: number; usedUs: number; limit: number }

/**
 * What a machine may burst with: grows by its share while it uses less, up to the most that is banked, and is spent above it. Pure; microseconds.
 */
export function nextBalance(balanceUs: number, usedUs: number, elapsedUs: number, cpus: number): number {
  const share = SHARE.quotaUs / SHARE.periodUs;
  return Math.max(0, Math.min(balanceUs + elapsedUs * cpus * share - usedUs, SHARE.mostBankedS * 1e6 * share * cpus));
}

/** How much of a period a shared machine may use until the next look: its share and what it has banked, at most whole cores. Pure; microseconds. */
export function limitOf(balanceUs: number, cpus: number): number {
  return Math.min(SHARE.periodUs * cpus, SHARE.quotaUs * cpus + (SHARE.periodUs * balanceUs) / (LOOK_MS * 1000));
}

/** Holds machines to the CPU time of their size: a shared one to a sixteenth of a core once its bank is empty. */
export class CpuQuota {
  readonly #group: Group;
  readonly #base: string;
  readonly #machines = new Map<string, Governed>();
  readonly #timer: NodeJS.Timeout;
  #lookedAt = performance.now();

  constructor({ group, base }: { group: Group; base: string }) {
    this.#group = group;
    this.#base = base;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** From now on this process and its children are governed; a new machine begins with `balanceS` to burst. Throws the system's error when that is not possible. */
  govern(machineId: string, pid: number, guest: { cpu_kind: string; cpus: number }, balanceS = FIRST_BALANCE_S * guest.cpus): void {
    const folder = join(this.#base, `trademind-${machineId}`);
    this.#group.create(folder);
    if (this.#group === V1) mkdirSync(folder.replace('/cpu/', '/cpuacct/'), { recursive: true });
    const shared = guest.cpu_kind === 'shared';
    const before = this.#machines.get(machineId);
    const machine: Governed = { folder, cpus: guest.cpus, shared, balanceUs: before?.balanceUs ?? balanceS * 1e6, usedUs: this.#group.usedUs(folder), limit: 0 };
    machine.limit = shared ? limitOf(machine.balanceUs, guest.cpus) : SHARE.periodUs * guest.cpus;
    this.#machines.set(machineId, machine);
    this.#group.limit(folder, machine.limit);
    this.#group.add(folder, pid);
    if (this.#group === V1) put(folder.replace('/cpu/', '/cpuacct/'), 'cgroup.procs', pid);
  }

  #look(): void {
    const now = performance.now();
    const elapsedUs = (now - this.#lookedAt) * 1000;
    this.#lookedAt = now;
    for (const machine of this.#machines.values()) {
      if (!machine.shared) continue;
      const usedUs = this.#group.usedUs(machine.folder);
      machine.balanceUs = nextBalance(machine.balanceUs, usedUs - machine.usedUs, elapsedUs, machine.cpus);
      machine.usedUs = usedUs;
      const limit = limitOf(machine.balanceUs, machine.cpus);
      if (Math.abs(limit - machine.limit) > 100) this.#group.limit(machine.folder, (machine.limit = limit));
    }
  }

  /** Forgets a machine; its group goes when nothing runs in it any more. */
  release(machineId: string): void {
    const machine = this.#machines.get(machineId);
    this.#machines.delete(machineId);
    if (!machine) return;
    for (const folder of new Set([machine.folder, machine.folder.replace('/cpu/', '/cpuacct/')])) {
      try {
        rmdirSync(folder);
      } catch {
        // something of it still ends: an empty group costs nothing
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const id of this.#machines.keys()) this.release(id);
  }
}
