import type { ConcurrentAnalyzer } from './analysis/concurrent-analyzer.ts';
import type { Log } from './log.ts';
import type { CandleFeed } from './market/candle-feed.ts';
import type { Publisher } from './publisher.ts';
import type { StateStore } from './state/state-store.ts';
import type { Wall } from './time.ts';
import type { WorkPhase } from './work-phase.ts';

const PAUSED_AT = 'paused_at';

/** Since when the machine's user has paused it (wall ms), as it was kept. */
export const keptPause = (store: Pick<StateStore, 'get'>): number | undefined => Number(store.get(PAUSED_AT) ?? '') || undefined;

export interface WorkControlOptions {
  phase: WorkPhase;
  store: Pick<StateStore, 'set'>;
  wall: Pick<Wall, 'epoch'>;
  log: Log;
  candles: Pick<CandleFeed, 'setPaused' | 'progress'>;
  analyzer: Pick<ConcurrentAnalyzer, 'setPaused'>;
  publisher: Pick<Publisher, 'statusChanged' | 'phaseChanged'>;
  /** A sentence: what the machine does or waits for. */
  detail: () => string;
  /** Whether this machine acts for its user has changed. */
  onOwner: (acts: boolean) => void;
  /** The machine may screen again, after another one had acted for its user. */
  onMayScreen: () => void;
  /** The phase changed: whoever is away hears of it now. */
  onPhase: () => void;
}

/**
 * Whether the machine works or rests, by everything that has a say in it: its boot, its user (`pause`, `resume`), the control plane (a drain), the other machines of its user, and its own end.
 * The state itself is `WorkPhase`; here its effects follow: candles and analysis rest or go on, and everybody is told.
 */
export class WorkControl {
  readonly #options: WorkControlOptions;

  constructor(options: WorkControlOptions) {
    this.#options = options;
  }

  /** The boot is over. */
  open(): void {
    this.#options.phase.open();
    this.#rest();
  }

  /** Something of the market or the services changed: the phase follows, and who listens hears of it. */
  changed(): void {
    const { phase, candles, publisher } = this.#options;
    const before = phase.current;
    phase.fetched(candles.progress());
    if (phase.current !== before) this.#tell();
    publisher.statusChanged();
  }

  /** No candle is screened from here on, also after a restart, until `resume`. The control plane's drain is another thing. */
  pause(): void {
    const { phase, wall } = this.#options;
    if (phase.pausedAt !== undefined) return;
    phase.pause(wall.epoch());
    this.#pauseChanged();
  }

  /** Goes on; what closed meanwhile is caught up. */
  resume(): void {
    const { phase } = this.#options;
    if (phase.pausedAt === undefined) return;
    phase.resume();
    this.#pauseChanged();
  }

  /** The control plane wishes that the machine rests (before a stop or a resize), or that it goes on. */
  drain(wished: boolean): void {
    const { phase, log } = this.#options;
    if (!phase.drain(wished)) return;
    log('info', wished ? 'drain' : 'resume', wished ? 'The control plane asks for a drain: no further candle is screened.' : 'The drain is over: screening goes on.');
    this.#rest();
    if (wished) this.#tell();
    this.changed();
  }

  /** Of all machines of a user one acts. While that is another, this one looks at nothing; then it catches up. */
  owner(mayAct: boolean): void {
    const { phase, onMayScreen, onOwner } = this.#options;
    const before = phase.current;
    if (!phase.owner(mayAct)) return;
    onOwner(!phase.waits);
    this.#rest();
    if (phase.waits && before !== 'draining') this.#tell();
    if (!phase.waits) onMayScreen();
    this.changed();
  }

  /** It ends: no new work from here on. */
  settle(): void {
    this.#options.phase.settle();
    this.#rest();
  }

  /** What was under way when it ended is done. */
  settled(): void {
    this.#tell();
  }

  #pauseChanged(): void {
    const { phase, store, onPhase } = this.#options;
    store.set(PAUSED_AT, String(phase.pausedAt ?? ''));
    this.#rest();
    this.changed();
    onPhase();
  }

  #rest(): void {
    const { phase, candles, analyzer } = this.#options;
    candles.setPaused(phase.candlesRest);
    analyzer.setPaused(phase.analysisRests);
  }

  #tell(): void {
    const { phase, log, detail, publisher, onPhase } = this.#options;
    log('info', 'phase', detail(), { phase: phase.current });
    publisher.phaseChanged();
    onPhase();
  }
}
