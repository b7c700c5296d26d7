import type { Log } from '../log.ts';
import type { Wall } from '../time.ts';
import { afterFailure, HEALTHY, stateOf, type Circuit, type CircuitTimes, type Failure } from './circuit.ts';

/** The circuits of all models, kept on disk so that a restart does not ask a model that said it is closed for the day. */
export class ModelCircuits {
  readonly #wall: Wall;
  readonly #log: Log;
  readonly #times: CircuitTimes;
  readonly #save: (model: string, circuit: Circuit) => void;
  readonly #circuits: Map<string, Circuit>;
  /** Calls under way, by model. */
  readonly #running = new Map<string, number>();

  constructor(options: { wall: Wall; log: Log; times: CircuitTimes; stored: Map<string, Circuit>; save: (model: string, circuit: Circuit) => void }) {
    this.#wall = options.wall;
    this.#log = options.log;
    this.#times = options.times;
    this.#circuits = options.stored;
    this.#save = options.save;
  }

  /** Models that are not asked now: their circuit is open, or a trial is under way. */
  blocked(): string[] {
    const now = this.#wall.epoch();
    return [...this.#circuits].filter(([model, circuit]) => {
      const state = stateOf(circuit, now);
      return state === 'open' || (state === 'trial' && (this.#running.get(model) ?? 0) > 0);
    }).map(([model]) => model);
  }

  /** Those that are open, with until when (wall time, ms) and why. */
  open(): { model: string; until: number; message: string }[] {
    const now = this.#wall.epoch();
    return [...this.#circuits].flatMap(([model, circuit]) => (circuit.open && stateOf(circuit, now) === 'open' ? [{ model, until: circuit.open.until, message: circuit.open.message }] : []));
  }

  began(model: string): void {
    this.#running.set(model, (this.#running.get(model) ?? 0) + 1);
  }

  ended(model: string): void {
    this.#running.set(model, (this.#running.get(model) ?? 1) - 1);
  }

  answered(model: string): void {
    const before = this.#circuits.get(model);
    if (!before || before.failures === 0) return;
    if (before.open) this.#log('info', 'analysis_circuit', `The model ${model} answers again.`);
    this.#set(model, HEALTHY);
  }

  failed(model: string, failure: Failure): void {
    const before = this.#circuits.get(model) ?? HEALTHY;
    const after = afterFailure(before, failure, this.#wall.epoch(), this.#wall.random(), this.#times);
    if (after.open && after.open !== before.open) {
      this.#log('warn', 'analysis_circuit', `The model ${model} is not asked until ${new Date(after.open.until).toISOString()}. ${after.open.message}`);
    }
    if (after !== before) this.#set(model, after);
  }

  /** All are asked again, such as with another key. */
  reset(): void {
    for (const model of this.#circuits.keys()) this.#set(model, HEALTHY);
  }

  #set(model: string, circuit: Circuit): void {
    this.#circuits.set(model, circuit);
    try {
      this.#save(model, circuit);
    } catch {
      // A disk that fails is said by whoever writes what counts; what is lost here is one trial after a restart.
    }
  }
}
