import { FINDING_KINDS, ROLLED_STATES, ROLLOUT_STATES } from '@trademind/core';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { FleetFigures } from './database/fleet-figures.ts';
import { HALT_CODES } from './rollouts/gates.ts';
import type { Step } from './rollouts/plan.ts';

/** What sweeps and rollouts did on this replica. */
export interface FleetMetrics {
  /** `seconds` from the claim to the end; what was done only of one that was completed. */
  swept(outcome: 'done' | 'broken_off' | 'lost', seconds: number, did?: { woken: number; removed: number }): void;
  /** A step that was written: each is written by one replica. */
  stepped(step: Pick<Step, 'marks' | 'state' | 'reason'>): void;
}

/** All gauges of one scrape show the same reading. */
const FRESH_MS = 500;

/**
 * Figures of two kinds. What this replica did is counted here: sum it over the replicas. How the fleet stands is read from the database when somebody looks, and is the same on each replica: take the
 * maximum. While the database is away it stays as it was, and `trademind_fleet_figures_up` is 0.
 */
export function registerFleetMetrics(registry: Registry, read: () => Promise<FleetFigures>, now: () => number): FleetMetrics {
  const registers = [registry];
  const seconds = new Histogram({ name: 'trademind_sweep_seconds', help: 'Time of one sweep.', labelNames: ['outcome'], buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120], registers });
  const woken = new Counter({ name: 'trademind_sweep_woken_total', help: 'Findings of which whoever looks after the machine was woken.', registers });
  const removed = new Counter({ name: 'trademind_sweep_removed_total', help: 'Orphans that were removed.', registers });
  const rolled = new Counter({ name: 'trademind_rollout_machines_total', help: 'Machines by how a rollout ended for them: healthy, failed, left, reverted, stuck.', labelNames: ['state'], registers });
  const halts = new Counter({ name: 'trademind_rollout_halts_total', help: 'Rollouts that halted by themselves and go back, by reason.', labelNames: ['code'], registers });
  for (const outcome of ['done', 'broken_off', 'lost']) seconds.zero({ outcome });
  for (const state of ['healthy', 'failed', 'left', 'reverted', 'stuck']) rolled.inc({ state }, 0);
  for (const code of HALT_CODES) halts.inc({ code }, 0);

  let readAt = -Infinity;
  let reading: Promise<FleetFigures | null> = Promise.resolve(null);
  const figures = (): Promise<FleetFigures | null> => {
    if (now() - readAt > FRESH_MS) {
      readAt = now();
      reading = read().catch(() => null);
    }
    return reading;
  };
  type Write = (seen: FleetFigures, set: (value: number, labels?: Record<string, string>) => void) => void;
  const shared = (name: string, help: string, labelNames: string[], write: Write): void => {
    const gauge = new Gauge({
      name, help, labelNames, registers,
      async collect() {
        const seen = await figures();
        if (seen === null) return;
        gauge.reset();
        write(seen, (value, labels = {}) => gauge.set(labels, value));
      },
    });
  };
  const each = <K extends string>(names: readonly K[], label: string, counts: (seen: FleetFigures) => Partial<Record<K, number>>): Write =>
    (seen, set) => { for (const name of names) set(counts(seen)[name] ?? 0, { [label]: name }); };

  const up = new Gauge({ name: 'trademind_fleet_figures_up', help: '1 when the figures of the fleet below could be read; 0: they are as they were.', registers, async collect() { up.set((await figures()) === null ? 0 : 1); } });
  shared('trademind_sweep_last_success_timestamp_seconds', 'When a sweep was last completed; 0: never.', [], ({ sweep }, set) => set(sweep.succeededAt));
  shared('trademind_sweep_machines', 'Machines of the last sweep: listed by Fly, known to the database.', ['side'], ({ sweep: { listed, known } }, set) => {
    if (listed !== null) set(listed, { side: 'listed' });
    if (known !== null) set(known, { side: 'known' });
  });
  shared('trademind_sweep_halted', '1 while the breaker is open: too many look orphaned, nothing is removed until an operator has looked.', [], ({ sweep }, set) => set(sweep.halted ? 1 : 0));
  shared('trademind_sweep_halts', 'How often the breaker has ever opened.', [], ({ sweep }, set) => set(sweep.halts));
  shared('trademind_fleet_findings', 'What is not as it should be: differs, double, missing (drift), orphan, foreign.', ['kind'], each(FINDING_KINDS, 'kind', ({ findings }) => findings));
  shared('trademind_fleet_abandoned', 'Findings that were given up and wait for a person.', [], ({ abandoned }, set) => set(abandoned));
  shared('trademind_contract_machines', 'Machines by how they stand to what all are given: ready with it, under way, waiting for their turn, late (it was their turn, and they are not ready).', ['state'], ({ contract }, set) => {
    for (const [state, n] of [['ready', contract.ready], ['under_way', contract.underWay], ['waiting', contract.waiting], ['late', contract.late]] as const) set(n, { state });
  });
  shared('trademind_contract_halted', '1 while nobody takes what all are given: those that took it do not become ready.', [], ({ contract }, set) => set(contract.halted ? 1 : 0));
  shared('trademind_rollouts', 'Rollouts by state.', ['state'], each(ROLLOUT_STATES, 'state', ({ rollouts }) => rollouts));
  shared('trademind_rollout_wave', 'The wave of a rollout under way; 0: the canary.', ['environment'], ({ underWay }, set) => { for (const { environment, wave } of underWay) set(wave, { environment }); });
  shared('trademind_rollout_machines', 'Machines of a rollout under way by state.', ['environment', 'state'], ({ underWay }, set) => {
    for (const { environment, machines } of underWay) for (const state of ROLLED_STATES) set(machines[state] ?? 0, { environment, state });
  });

  return {
    swept(outcome, took, did) {
      seconds.observe({ outcome }, took);
      woken.inc(did?.woken ?? 0);
      removed.inc(did?.removed ?? 0);
    },
    stepped({ marks, state, reason }) {
      for (const mark of marks) rolled.inc({ state: mark.state });
      if (state === 'rolling_back' && reason !== undefined) halts.inc({ code: reason.code });
    },
  };
}
