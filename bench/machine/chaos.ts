import { once } from 'node:events';
import { DEFAULT_RULES } from '../../packages/runtime/analysis/analyzer-options.ts';
import { wait } from '../market/exchange-process.ts';
import type { ChaosArea, ChaosContext, ChaosReport } from '../frame/chaos.ts';
import { checkCalls, compareMachines } from './chaos-compare.ts';
import { machineHarms, KILL, type MachineHarm, type Victim } from './chaos-harms.ts';
import { startChaosWorld, statusOf, untilDecided, untilWell, type ChaosWorld, type MachineProcess } from './chaos-world.ts';

const SYMBOLS = 8;
const SPEED = 60;
const PAUSE_MS = 4_000;
const KILLS_A_MINUTE = 40;
/** Between the start of a machine and its end, at most; half of them do not live to the end of their boot. */
const LONGEST_LIFE_MS = 3_000;

/** Runs harm against a machine that always comes back, then holds its database against an undisturbed machine's. */
async function runAgainst(seed: number, say: (text: string) => void, harm: (victim: Victim, recoverySeconds: number[]) => Promise<Record<string, number>>): Promise<ChaosReport> {
  const world = await startChaosWorld({ symbols: SYMBOLS, speed: SPEED, seed: `chaos-${seed}` });
  let machine: MachineProcess | undefined;
  let calmMachine: MachineProcess | undefined;
  let ending = false;
  try {
    if (!world.smallDisk) say('no file system of its own can be mounted here: the full disk is left out');
    const account = await world.addAccount();
    const unexpected: string[] = [];
    const begin = async () => {
      const next = await world.startMachine(account, 'line');
      machine = next;
      void next.exited.then(async (code) => {
        if (ending || next.child.signalCode === 'SIGKILL') return;
        // Whatever ends it against its will, its host starts it again.
        unexpected.push(`the machine ended by itself with ${code ?? next.child.signalCode}: ${JSON.stringify(next.logged.slice(-3))}`);
        await wait(500);
        if (!ending) await begin();
      });
    };
    await begin();
    const victim: Victim = {
      world, account, machine: () => machine!,
      kill: async () => {
        const old = machine!;
        const gone = once(old.child, 'exit');
        if (old.child.exitCode === null && old.child.signalCode === null && old.child.kill('SIGKILL')) await gone;
        await begin();
      },
    };
    const recoverySeconds: number[] = [];
    say(`begun: well after ${(await untilWell(victim.machine, 'the start')).toFixed(1)} s`);
    const done = await harm(victim, recoverySeconds);
    await calmDown(world);
    recoverySeconds.push(await untilWell(victim.machine, 'the storm'));
    say(`the storm: recovered ${recoverySeconds.at(-1)!.toFixed(1)} s after its end; an undisturbed machine now screens the same market`);

    const calm = await world.addAccount();
    calmMachine = await world.startMachine(calm, 'straight');
    await untilWell(() => calmMachine!, 'the undisturbed machine');
    await untilAnalysed(victim.machine, say);
    ending = true;
    const codes = [await end(machine!), await end(calmMachine)];
    const compared = await compareMachines(world, account, calm);
    const calls = await checkCalls(world, account, DEFAULT_RULES.mostCalls);
    if (codes.some((code) => code !== 0)) compared.violations.push(`the machines ended with ${codes.join(' and ')} instead of 0`);
    return {
      harm: done, recoverySeconds, violations: [...unexpected, ...compared.violations, ...calls.violations],
      checked: [
        `${compared.signals} signals against ${compared.expected} of an undisturbed machine, each once`,
        `outcomes, one for each signal: ${Object.entries(compared.outcomes).toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(', ')}`,
        `${calls.calls} calls of the model, none for a signal more than ${DEFAULT_RULES.mostCalls} times, all counted`,
      ],
    };
  } finally {
    ending = true;
    for (const one of [machine, calmMachine]) one?.child.kill('SIGKILL');
    await Promise.all([machine?.exited, calmMachine?.exited]);
    await world.close();
  }
}

async function calmDown(world: ChaosWorld): Promise<void> {
  world.line.down = false;
  world.line.slowMs = 0;
  world.shiftClock(0);
  await world.gemini.setFaults([]);
  await fetch(`${world.exchange.admin}/faults`, { method: 'DELETE' });
}

/** What waits for the model gets its turn, as long as that is worth while. */
async function untilAnalysed(machine: () => MachineProcess, say: (text: string) => void): Promise<void> {
  const until = performance.now() + 60_000;
  for (let waiting = 1; waiting > 0 && performance.now() < until; await wait(500)) waiting = (await statusOf(machine()))?.status.analysis?.waiting ?? 1;
  say('what waited for the model has had its turn');
}

async function end({ child, exited }: MachineProcess): Promise<number | null> {
  child.kill('SIGTERM');
  return exited;
}

/** Answers since when it is over (performance.now): what has no duration is over as it begins. */
async function doHarm(harm: MachineHarm, victim: Victim, random: () => number): Promise<number> {
  const began = performance.now();
  await harm.begin(victim, random);
  if (harm.seconds === 0) return began;
  await wait(harm.seconds * 1_000);
  await harm.end?.(victim);
  return performance.now();
}

/** Each harm alone, then as many as fit into the minutes, at random and over each other. */
async function storm({ minutes, random, say }: ChaosContext, victim: Victim, recoverySeconds: number[]): Promise<Record<string, number>> {
  const harms = machineHarms(victim.world.smallDisk);
  const done: Record<string, number> = Object.fromEntries(harms.map(({ name }) => [name, 1]));
  for (const harm of harms) {
    const over = await doHarm(harm, victim, random);
    await untilWell(victim.machine, harm.name);
    if (harm.name.startsWith('gemini-')) await untilDecided(victim.world, victim.machine, victim.account);
    recoverySeconds.push((performance.now() - over) / 1_000);
    say(`${harm.name}: recovered ${recoverySeconds.at(-1)!.toFixed(1)} s after ${harm.seconds === 0 ? 'it was done' : 'its end'}`);
  }
  say(`each alone is done; ${minutes} min of all together`);
  const until = performance.now() + minutes * 60_000;
  const running = new Set<Promise<unknown>>();
  const busy = new Set<string>();
  while (performance.now() < until) {
    const harm = harms[Math.floor(random() * harms.length)]!;
    if (!busy.has(harm.name)) {
      busy.add(harm.name);
      done[harm.name]! += 1;
      const run: Promise<unknown> = doHarm(harm, victim, random).finally(() => { busy.delete(harm.name); running.delete(run); });
      running.add(run);
    }
    await wait(random() * PAUSE_MS);
  }
  await Promise.all(running);
  return done;
}

export const area: ChaosArea = {
  what: `kill -9, database away and slow, full disk, faults of exchange and Gemini, clock jumps, hostile and slow feed clients, against a real machine: ${SYMBOLS} symbols at ×${SPEED}`,
  defaultMinutes: 5,
  run: (context) => runAgainst(context.seed, context.say, (victim, recoverySeconds) => storm(context, victim, recoverySeconds)),
};

/** Nothing but kills, at any moment of a machine's life. */
export const kills: ChaosArea = {
  what: `kill -9 of a machine at random moments, ${KILLS_A_MINUTE} times for each minute given (200 by default): ${SYMBOLS} symbols at ×${SPEED}`,
  defaultMinutes: 5,
  run: ({ seed, minutes, random, say }) => runAgainst(seed, say, async (victim) => {
    const count = Math.round(minutes * KILLS_A_MINUTE);
    for (let n = 1; n <= count; n += 1) {
      await wait(random() * LONGEST_LIFE_MS);
      await KILL.begin(victim, random);
      if (n % 20 === 0) say(`${n} of ${count} kills`);
    }
    return { 'kill-9': count };
  }),
};
