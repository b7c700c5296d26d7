import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, machinePids, until, type Platform } from '../support/platform.ts';
import { machineView } from './compare.ts';

export type Victim = Parameters<Platform['pidOf']>[0];
export interface Harm { victim: Victim; afterMs: number }

/** Each victim `rounds` times, in an order and with pauses (0 to `pauseMs`) that only `random` decides. */
export function planHarm(victims: readonly Victim[], rounds: number, pauseMs: number, random: () => number): Harm[] {
  const harm = Array.from({ length: rounds }, () => victims).flat().map((victim) => ({ victim, afterMs: Math.floor(random() * pauseMs), at: random() }));
  return harm.sort((a, b) => a.at - b.at).map(({ victim, afterMs }) => ({ victim, afterMs }));
}

/** Victims and pauses without an end. */
export function* pauses(victims: readonly Victim[], pauseMs: number, random: () => number): Generator<Harm> {
  for (;;) yield { victim: victims[Math.floor(random() * victims.length)]!, afterMs: Math.floor(random() * pauseMs) };
}

/** `kill -9`; waits until there is such a process to kill. Answers its pid. */
export async function kill(platform: Platform, victim: Victim): Promise<number> {
  return until(`a process of ${victim}`, () => {
    const pid = platform.pidOf(victim);
    process.kill(pid, 'SIGKILL'); // throws while the one killed before has no successor yet
    return pid;
  }, 240_000);
}

/** How long it took until another process of the victim stands in its place (ms). */
export async function untilReplaced(platform: Platform, victim: Victim, before: number): Promise<number> {
  const began = performance.now();
  await until(`another process of ${victim}`, () => (platform.pidOf(victim) !== before && isAlive(platform.pidOf(victim)) ? true : undefined), 120_000);
  return performance.now() - began;
}

/** Waits until the machine screens and the control plane says so, with a word that the machine said after `since` (wall ms). */
export async function untilCalm(platform: Platform, since: number): Promise<void> {
  await until('the machine to screen again', async () => {
    const view = await machineView(platform);
    return view.phase === 'screening' && view.status?.phase === 'screening' && Date.parse(view.beatAt ?? '') > since ? true : undefined;
  }, 240_000);
}

export interface Machines { processes: number; apps: number; machines: number }

/** What there is of the machine: processes of this computer, apps and machines at Fly. */
export async function countMachines(platform: Platform): Promise<Machines> {
  await sleep(200);
  const headers = { authorization: `Bearer ${flyToken(platform)}` };
  const get = async <T>(path: string) => (await (await fetch(`${platform.ready.fly}${path}`, { headers, signal: AbortSignal.timeout(60_000) })).json()) as T;
  const { apps } = await get<{ apps: { name: string }[] }>('/v1/apps?org_slug=personal');
  const machines = await Promise.all(apps.map((app) => get<unknown[]>(`/v1/apps/${app.name}/machines`)));
  return { processes: machinePids(platform.dataDir).length, apps: apps.length, machines: machines.flat().length };
}

function flyToken(platform: Platform): string {
  return (JSON.parse(readFileSync(join(platform.dataDir, 'secrets.json'), 'utf8')) as { flyToken: string }).flyToken;
}
