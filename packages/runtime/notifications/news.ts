import type { AnalysisOutcome, Signal, TraderStatus } from '@trademind/core';
import type { HealthChange } from '../health/health-monitor.ts';
import type { Wall } from '../time.ts';
import { decisionEvent, healthEvent, signalEvent, traderEvent } from './events.ts';
import type { Notifier } from './notifier.ts';

/** What of all that happens on the machine is worth telling its user. Without a notifier nothing is told. */
export class News {
  readonly #notifier: Pick<Notifier, 'notify'> | undefined;
  readonly #wall: Pick<Wall, 'epoch'>;
  /** How each trader fared when that was last looked at. */
  #states: ReadonlyMap<string, TraderStatus['state']> = new Map();

  constructor(notifier: Pick<Notifier, 'notify'> | undefined, wall: Pick<Wall, 'epoch'>) {
    this.#notifier = notifier;
    this.#wall = wall;
  }

  signal(signal: Signal): void {
    this.#notifier?.notify(signalEvent(signal, this.#wall.epoch()));
  }

  /** @param signal the one that it is about; undefined when it is no longer kept */
  outcome(outcome: AnalysisOutcome, signal: Signal | undefined): void {
    if (outcome.kind === 'decision' && signal) this.#notifier?.notify(decisionEvent(outcome, signal, this.#wall.epoch()));
  }

  health(change: HealthChange): void {
    this.#notifier?.notify(healthEvent(change, this.#wall.epoch()));
  }

  /** A trader that ceased to run, or runs again, is told. That one runs which was not there before is not. */
  traders(statuses: readonly TraderStatus[]): void {
    for (const { state: standing, ...rest } of statuses) {
      // That some wait for lack of time is the machine's health, which has its own message.
      const status = { ...rest, state: standing === 'shed' ? 'running' as const : standing };
      const before = this.#states.get(status.id);
      if (before !== status.state && (status.state !== 'running' || before !== undefined)) this.#notifier?.notify(traderEvent(status, this.#wall.epoch()));
    }
    this.#states = new Map(statuses.map(({ id, state }) => [id, state === 'shed' ? 'running' : state]));
  }
}
