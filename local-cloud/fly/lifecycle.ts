import { afterExit } from './after-exit.ts';
import { durationMs } from './duration.ts';
import type { Faults } from './faults/faults.ts';
import { backoffMs, haltOf, nextMove } from './next-move.ts';
import { UNSEEN_EXIT, type Runtime } from './runtime.ts';
import type { Store } from './store.ts';
import type { Exit, MachineRow } from './types.ts';

export interface LifecycleOptions {
  store: Store;
  runtime: Runtime;
  faults: Faults;
  /** Called when a machine runs (also when it was taken over), and when it has ended. */
  onRunning: (machine: MachineRow) => void;
  onEnded: (machineId: string) => void;
  /** Called after a machine is gone, its volumes released. */
  onBuried: (machine: MachineRow) => Promise<void>;
  /** Says one line to whoever runs the stand-in. */
  report: (line: string) => void;
}

/** A machine that could not be launched so many times in a row is given up as failed. */
const MOST_LAUNCHES = 5;
/** Even where nothing takes time, a machine that ends at every boot must not take the whole processor. */
const LEAST_BACKOFF_MS = 20;

/**
 * Brings every machine to its goal, one move at a time and one at a time per machine. Level-based: it reads the row, makes the next move, and reads
 * again, so that requests may change the goal at any moment and a killed stand-in loses nothing.
 */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  /** Machines being moved; `again` when something changed meanwhile. */
  readonly #moving = new Map<string, { done: Promise<void>; again: boolean }>();
  /** Machines whose end was asked for. */
  readonly #halting = new Set<string>();
  /** Restarts that wait for their time. */
  readonly #retries = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  #closed = false;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** Takes over what runs, notes what has ended, and moves what has not arrived. To be called once, before anyone may ask. */
  open(): void {
    const { store, runtime } = this.#options;
    for (const machine of store.livingMachines()) {
      if (machine.run && runtime.adopt(machine.id, machine.run, machine)) this.#options.onRunning(machine);
      else if (machine.run) this.ended(machine.id, machine.run.id, UNSEEN_EXIT);
      else if (machine.goal === 'started' && machine.state === 'started') store.changeMachine(machine.id, (row) => { row.state = 'starting'; });
      this.kick(machine.id);
    }
  }

  /** Looks at a machine soon: to be called after every change of its goal. A start asked for by someone does not wait for a back-off. */
  kick(id: string, options: { now?: boolean } = {}): void {
    if (this.#closed) return;
    if (options.now) this.#forgetRetry(id);
    const moving = this.#moving.get(id);
    if (moving) {
      moving.again = true;
      return;
    }
    const entry = { again: false, done: Promise.resolve() };
    this.#moving.set(id, entry);
    entry.done = this.#move(id, entry).finally(() => {
      this.#moving.delete(id);
      if (entry.again) this.kick(id);
    });
  }

  async #move(id: string, entry: { again: boolean }): Promise<void> {
    await Promise.resolve();
    do {
      entry.again = false;
      let goOn = true;
      while (goOn && !this.#closed) goOn = await this.#step(id).catch((error: unknown) => this.#failed(id, error));
    } while (entry.again && !this.#closed);
  }

  /** Makes one move; true when there may be another. */
  async #step(id: string): Promise<boolean> {
    const { store } = this.#options;
    const machine = store.machine(id);
    if (!machine) return false;
    const move = nextMove(machine, this.#retries.get(id)?.at ?? 0, store.now());
    if (move !== 'rest' && this.#isHeld(machine)) return false;
    switch (move) {
      case 'rest':
      case 'wait': return false;
      case 'launch': return this.#launch(machine);
      case 'halt': await this.#halt(machine); return true;
      case 'settle': store.changeMachine(id, (row) => { row.goal = row.state = 'stopped'; row.stopWith = null; }); return true;
      case 'freeze':
      case 'thaw': await this.#still(machine, move === 'freeze'); return true;
      default: await this.#bury(machine); return false; // bury
    }
  }

  #appOf(machine: MachineRow): string {
    return this.#options.store.appById(machine.appId)?.name ?? '';
  }

  /** What is known of the machine's host now. */
  hostOf(machine: MachineRow): 'ok' | 'unknown' | 'unreachable' {
    const { faults } = this.#options;
    return (faults.touchMachines ? faults.holds('host-unreachable', machine, this.#appOf(machine))?.as : undefined) ?? 'ok';
  }

  isUnreachable(machine: MachineRow): boolean {
    return this.hostOf(machine) !== 'ok';
  }

  /** Whether a fault keeps the machine where it is; nothing moves it until the fault ends, or until something else is wished. */
  #isHeld(machine: MachineRow): boolean {
    const { faults, store } = this.#options;
    if (!faults.touchMachines) return false;
    if (this.isUnreachable(machine)) return true;
    const wedge = faults.holds('wedge', machine, this.#appOf(machine), (order) => order.state === machine.state);
    const shown = wedge?.as;
    if (shown !== undefined && shown !== machine.state) store.changeMachine(machine.id, (row) => { row.state = shown; });
    return wedge !== undefined;
  }

  /** Suspends a run, or lets it go on. */
  async #still(machine: MachineRow, frozen: boolean): Promise<void> {
    const { store, runtime } = this.#options;
    const { run } = machine;
    if (!run) return;
    await (frozen ? runtime.freeze(run) : runtime.thaw(run));
    store.changeMachine(machine.id, (row) => {
      if (row.run?.id !== run.id) return;
      row.run = { ...row.run, frozen };
      if (frozen) store.closeRun(run.id);
      else store.openRun(row, run);
      if (row.goal === (frozen ? 'suspended' : 'started')) row.state = frozen ? 'suspended' : 'started';
      store.addEvent(row.id, { type: frozen ? 'suspend' : 'start', status: row.state, source: 'flyd' });
    });
  }

  /** A move that could not be made (a full disk, a folder that is gone): said, and tried again. */
  #failed(id: string, error: unknown): false {
    if (this.#closed) return false;
    this.#options.report(`machine ${id}: ${String(error)}`);
    this.#retry(id, 1000);
    return false;
  }

  async #launch(planned: MachineRow): Promise<boolean> {
    const { store, runtime, faults } = this.#options;
    const machine = store.changeMachine(planned.id, (row) => {
      if (!['replacing', 'restarting', 'starting'].includes(row.state)) row.state = 'starting';
    }) ?? planned;
    const appName = this.#appOf(machine);
    const secrets = Object.fromEntries(store.secrets(machine.appId).map(({ name, value }) => [name, value]));
    try {
      const refused = faults.machine('launch', machine, appName);
      if (refused) throw new Error(refused.error);
      await runtime.launch(machine, { appName, secrets }, (run) => {
        const running = store.changeMachine(machine.id, (row) => {
          row.run = run;
          delete row.movedFrom;
          store.openRun(row, run);
          if (row.goal === 'started' && row.boot === run.boot) row.state = 'started';
          store.addEvent(row.id, { type: 'start', status: 'started', source: 'flyd' });
        });
        if (!running) return;
        this.#options.onRunning(running);
        const end = faults.machine('boot', running, appName);
        if (end) setTimeout(() => { if (!this.#closed) runtime.crash(machine.id, run, end, end.log); }, end.afterMs).unref();
      });
      return true;
    } catch (error) {
      if (this.#closed) return false;
      store.changeMachine(machine.id, (row) => {
        row.restartCount += 1;
        store.addEvent(row.id, { type: 'launch', status: 'launch_failed', source: 'flyd', request: { error: (error as Error).message } });
        if (row.goal !== 'started') return;
        const givenUp = row.restartCount >= MOST_LAUNCHES;
        row.state = givenUp ? 'failed' : 'launch_failed';
        if (givenUp) row.goal = 'stopped';
        else this.#retry(row.id, this.#backoff(row.restartCount));
      });
      return false;
    }
  }

  async #halt(machine: MachineRow): Promise<void> {
    const { run } = machine;
    if (!run) return;
    this.#halting.add(machine.id);
    try {
      await this.#options.runtime.halt(machine.id, run, haltOf(machine, durationMs));
      // a run that the runtime no longer knew is told here
      this.ended(machine.id, run.id, UNSEEN_EXIT);
    } finally {
      this.#halting.delete(machine.id);
    }
  }

  #backoff(restarts: number): number {
    return Math.max(LEAST_BACKOFF_MS, backoffMs(restarts) * this.#options.runtime.pace);
  }

  /** Notes the end of a run and decides what follows. Telling it twice changes nothing. */
  ended(id: string, runId: string, exit: Exit): void {
    const { store } = this.#options;
    const machine = store.machine(id);
    if (machine?.run?.id !== runId) return;
    const unseen = this.isUnreachable(machine);
    store.changeMachine(id, (row) => {
      if (!row.run) return;
      store.closeRun(runId);
      if (unseen) {
        row.run = null; // nobody there can tell: what is shown stays as it was
        return;
      }
      const { events, retry } = afterExit(row, exit, { halting: this.#halting.has(id), now: store.now() });
      for (const event of events) store.addEvent(id, event);
      if (retry) this.#retry(id, this.#backoff(row.restartCount));
    });
    this.#options.onEnded(id);
    this.kick(id);
  }

  /** A fault has ended: what it held may move again. */
  release(): void {
    for (const { id } of this.#options.store.livingMachines()) this.kick(id);
  }

  #retry(id: string, wait: number): void {
    this.#forgetRetry(id);
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#retries.delete(id);
      this.kick(id);
    }, wait);
    this.#retries.set(id, { at: this.#options.store.now() + wait, timer });
  }

  #forgetRetry(id: string): void {
    clearTimeout(this.#retries.get(id)?.timer);
    this.#retries.delete(id);
  }

  async #bury(machine: MachineRow): Promise<void> {
    const { store, runtime } = this.#options;
    this.#forgetRetry(machine.id);
    await runtime.discard(machine.id);
    store.db.transaction(() => {
      store.changeMachine(machine.id, (row) => {
        row.state = 'destroyed';
        row.destroyedAt = store.now();
      });
      store.addEvent(machine.id, { type: 'destroy', status: 'destroyed', source: 'flyd' });
      store.dropLease(machine.id);
      for (const volume of store.volumesOf(machine.id)) store.saveVolume({ ...volume, machineId: null });
    });
    await this.#options.onBuried(machine);
  }

  /** The host goes down: ends what ends with it, and leaves every wish as it was, so that the next start brings all back. */
  async close(): Promise<void> {
    this.#closed = true;
    const { store, runtime } = this.#options;
    for (const id of this.#retries.keys()) this.#forgetRetry(id);
    if (!runtime.endsWithHost) runtime.close();
    const ids = new Set([...this.#moving.keys(), ...store.livingMachines().filter((machine) => machine.run).map((machine) => machine.id)]);
    await Promise.all([...ids].map(async (id) => {
      await this.#moving.get(id)?.done;
      const machine = store.machine(id);
      if (machine?.run && runtime.endsWithHost) await this.#halt(machine);
    }));
    runtime.close();
  }
}
