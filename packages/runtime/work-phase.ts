import type { MachineStatus } from '@trademind/core';

type Phase = MachineStatus['phase'];

/** What the machine is doing, and what keeps it from screening: a boot that is not over, another machine of its user, its user's pause, a drain. Pure. */
export class WorkPhase {
  #phase: Phase = 'booting';
  #waitingFor = 'the exchange';
  #isOpen = false;
  #waits = false;
  #settled = false;
  #pausedAt: number | undefined;

  /** @param pausedAt since when its user has paused it (wall ms), from before the start */
  constructor(pausedAt: number | undefined) {
    this.#pausedAt = pausedAt;
  }

  get current(): Phase { return this.#phase; }
  /** What a boot waits for. */
  get waitingFor(): string { return this.#waitingFor; }
  get pausedAt(): number | undefined { return this.#pausedAt; }
  /** Whether another machine acts for the user. */
  get waits(): boolean { return this.#waits; }
  /** Whether traders may be applied: the boot is over, and this machine acts. */
  get mayScreen(): boolean { return this.#isOpen && !this.#waits; }
  get screens(): boolean { return this.#phase === 'screening' && this.#pausedAt === undefined; }
  /** Whether no candle is screened. */
  get candlesRest(): boolean { return this.#waits || this.#phase === 'draining' || this.#pausedAt !== undefined; }
  /** Whether no call of the model begins: what was found before a pause is still reviewed. */
  get analysisRests(): boolean { return this.#waits || this.#phase === 'draining'; }

  waitFor(what: string): void {
    this.#waitingFor = what;
  }

  /** The boot is over. */
  open(): void {
    this.#isOpen = true;
  }

  /** So many series have their history. History of symbols that join later is fetched while the others are screened; while paused, none is waited for. */
  fetched({ done, total }: { done: number; total: number }): void {
    if (!this.mayScreen || this.#phase === 'draining') return;
    this.#phase = done < total && this.#phase !== 'screening' && this.#pausedAt === undefined ? 'backfilling' : 'screening';
  }

  pause(at: number): void {
    this.#pausedAt = at;
  }

  /** What closed meanwhile is caught up first. */
  resume(): void {
    this.#pausedAt = undefined;
    if (this.#phase === 'screening') this.#phase = 'booting';
  }

  /** Answers whether anything changed. */
  owner(mayAct: boolean): boolean {
    if (this.#settled || mayAct === !this.#waits) return false;
    this.#waits = !mayAct;
    if (this.#waits) this.#waitingFor = 'its turn: another machine of this user acts';
    if (this.#waits && this.#phase !== 'draining') this.#phase = 'booting';
    return true;
  }

  /** The control plane wishes that the machine rests, or that it goes on. Answers whether anything changed. */
  drain(wished: boolean): boolean {
    if (this.#settled || wished === (this.#phase === 'draining')) return false;
    this.#phase = wished ? 'draining' : 'booting';
    return true;
  }

  /** It ends: nothing changes any more. */
  settle(): void {
    this.#settled = true;
    this.#phase = 'draining';
  }
}
