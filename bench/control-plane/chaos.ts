import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosArea } from '../frame/chaos.ts';
import { BROKEN, harmFly, migrate, wish } from './harm.ts';
import { judge, type Standing } from './judge.ts';
import { MOST_VCPUS, startTown, type MachineState, type Town } from './town.ts';

const CITIZENS = 14;
const REPLICAS = 3;
/** Pause between two steps, at most (ms): short enough that they overlap. */
const PAUSE_MS = 700;
/** What takes longer than this is said: meanwhile no other harm is done. */
const SLOW_STEP_MS = 5_000;
/** Longest that all of them together may take to be as wished after the last harm (s). */
const MOST_CONVERGE_S = 240;

/** Replicas die, the database restarts, Fly fails in every way it knows, users wish; then every user has exactly what is wished. */
export const area: ChaosArea = {
  what: `${REPLICAS} replicas killed at random, the database restarted, every fault of Fly mixed, ${CITIZENS} users deploying, resizing, moving, stopping, destroying`,
  defaultMinutes: 5,
  async run({ seed, minutes, random, say }) {
    const harm: Record<string, number> = {};
    const recoverySeconds: number[] = [];
    const town = await startTown({ citizens: CITIZENS, replicas: REPLICAS, random, seed });
    const beats = setInterval(() => { town.beat().catch(() => undefined); }, 1_000);
    try {
      await town.fly.admin.fault(BROKEN);
      const end = performance.now() + minutes * 60_000;
      while (performance.now() < end) {
        await sleep(random() * PAUSE_MS);
        const stepBegan = performance.now();
        const did = await step(town, random);
        if (performance.now() - stepBegan > SLOW_STEP_MS) say(`${did} took ${((performance.now() - stepBegan) / 1_000).toFixed(1)} s`);
        harm[did] = (harm[did] ?? 0) + 1;
      }
      await town.fly.admin.clearFaults();
      await town.fly.admin.fault(BROKEN);
      await Promise.all(town.replicas.map((_, at) => town.revive(at)));
      const began = performance.now();
      const waiting = await untilSettled(town);
      recoverySeconds.push((performance.now() - began) / 1_000);
      say(`converged ${recoverySeconds.at(-1)!.toFixed(1)} s after the last harm`);
      const { checked, violations } = await inspect(town);
      for (const row of waiting) violations.push(`not settled within ${MOST_CONVERGE_S} s: ${JSON.stringify(row)}`);
      for (const row of await town.machines()) {
        if (violations.some((violation) => violation.includes(row.id) || (row.fly_app !== null && violation.includes(row.fly_app)))) say(`${row.fly_app}: ${await story(town, row.id)}`);
      }
      return { harm, violations, recoverySeconds, checked };
    } finally {
      clearInterval(beats);
      await town.close();
    }
  },
};

/** What its user was told last. */
async function story(town: Town, machineId: string): Promise<string> {
  const events = await town.sql<{ at: Date; message: string }>('select at, message from public.machine_events where machine_id = $1 order by id desc limit 14', [machineId]);
  return events.toReversed().map(({ at, message }) => `\n    ${at.toISOString().slice(11, 23)} ${message}`).join('');
}

/** One harm or one wish. */
async function step(town: Town, random: () => number): Promise<string> {
  const dice = random();
  if (dice < 0.5) return wish(town, random);
  if (dice < 0.82) return harmFly(town, random);
  if (dice < 0.86) return migrate(town, random);
  if (dice < 0.88) {
    const signal = random() < 0.5 ? 'SIGKILL' : 'SIGTERM';
    await town.cluster.restart(signal);
    return `database ${signal}`;
  }
  const at = Math.floor(random() * town.replicas.length);
  const signal = random() < 0.7 ? 'SIGKILL' : 'SIGTERM';
  const replica = town.replicas[at];
  town.replicas[at] = null;
  await replica?.kill(signal);
  await sleep(random() * 1_500);
  await town.revive(at);
  return `replica ${signal}`;
}

/** As wished, or given up with a reason its user can read. */
const isSettled = (row: MachineState): boolean =>
  row.observed_generation === row.generation ? row.last_error === null : row.failed_generation === row.generation && row.last_error !== null && ['screening', 'failed', 'stopped'].includes(row.phase);

/** Those that are not settled in time. */
async function untilSettled(town: Town): Promise<MachineState[]> {
  const end = performance.now() + MOST_CONVERGE_S * 1_000;
  let waiting: MachineState[] = [];
  let calm = 0;
  while (performance.now() < end) {
    const rows = await town.machines().catch(() => null);
    waiting = rows === null ? waiting : rows.filter((row) => !isSettled(row));
    calm = rows !== null && waiting.length === 0 ? calm + 1 : 0;
    // what was settled when a fault ended is looked at once more
    if (calm === 1) await town.sql(`update public.machines set next_look_at = now() where phase <> 'destroyed' and lease_expires_at is null`);
    if (calm > 6) return [];
    await sleep(500);
  }
  return waiting;
}

const NOTHING: Standing = { machines: [], volumes: 0, addresses: [] };

async function standingOf(fly: Town['fly']['fly'], app: string): Promise<Standing> {
  const [machines, volumes, ips] = [await fly.machines.list(app), await fly.volumes.list(app), await fly.ipAssignments.list(app)];
  return {
    machines: machines.filter(({ state }) => state !== 'destroyed').map(({ id, state, region, config }) => ({ id, state, region, image: config?.image, cpuKind: config?.guest?.cpu_kind, cpus: config?.guest?.cpus, memoryMb: config?.guest?.memory_mb })),
    volumes: volumes.length, addresses: ips.map(({ ip }) => ip),
  };
}

/** Every user against what stands at Fly, and Fly's own rules against its journal. */
async function inspect(town: Town): Promise<{ checked: string[]; violations: string[] }> {
  const { fly } = town.fly;
  // before this asks Fly for anything itself
  const audit = await town.fly.admin.audit();
  const rows = await town.machines();
  const violations: string[] = [];
  const apps = (await fly.apps.list({ orgSlug: 'personal' })).map((app) => app.name);
  for (const app of apps) if (!rows.some((row) => row.fly_app === app)) violations.push(`the app ${app} belongs to nobody`);
  let [running, addresses, wentBack] = [0, 0, 0];
  for (const row of rows) {
    const app = row.fly_app;
    const standing = app === null || !apps.includes(app) ? NOTHING : await standingOf(fly, app);
    running += standing.machines.filter(({ state }) => state === 'started').length;
    addresses += standing.addresses.length;
    if (row.failed_generation === row.generation) wentBack += 1;
    for (const wrong of judge(row, standing)) violations.push(`${app ?? row.id} (${row.last_error?.code ?? 'no trouble'}): ${wrong}`);
  }
  for (const citizen of town.citizens) {
    const own = rows.filter((row) => row.user_id === citizen.id);
    const cpus = Math.max(0, ...own.map((row) => row.desired_cpus));
    if (own.length > 1 || cpus > MOST_VCPUS) violations.push(`the quota of ${citizen.id} was broken: ${own.length} machines, ${cpus} vCPUs`);
  }
  if (audit.runs === 0) violations.push('no machine ever ran: nothing was shown');
  for (const overlap of audit.overlaps) violations.push(`two machines of ${overlap.owner} ran at once: ${overlap.first} and ${overlap.second}, ${overlap.to === null ? 'still' : `for ${overlap.to - overlap.from} ms`}`);
  for (const write of audit.unleased) violations.push(`${write.verb} of ${write.machine} without its lease (${write.lease})`);
  for (const { verb, machine, app, times } of audit.limited) violations.push(`${times} times ${verb} of ${machine ?? app ?? 'all'} above Fly's rates`);
  const kinds = await town.sql<{ kind: string; count: string }>('select kind, count(*) from public.machine_events group by kind order by 2 desc');
  return {
    violations,
    checked: [
      `${rows.length} machines of ${town.citizens.length} users against ${apps.length} apps, ${running} of them running`,
      `${audit.runs} runs of machines: none overlapped another of its user's; ${audit.writes} writes, every change under its lease`,
      `no user has more than one machine of ${MOST_VCPUS} vCPUs, however often more was asked for`,
      `each machine against its region, size, image and volume, ${addresses} addresses; ${wentBack} wishes were given up, and what worked before stands in their place`,
      `no write above Fly's rates`,
      `events told: ${kinds.map(({ kind, count }) => `${kind} ${count}`).join(', ')}`,
    ],
  };
}
