import { codeOf, intervalMs, sentenceOf, type AnalysisOutcome, type Candle, type CrashReport, type Interval, type LogEntry, type MachineStatus, type MarketRow, type Signal } from '@trademind/core';
import { ConcurrentAnalyzer } from './analysis/concurrent-analyzer.ts';
import { GeminiClient } from './analysis/gemini-client.ts';
import { marketViewOf } from './analysis/market-view.ts';
import { withOwnKey, type OwnKey } from './analysis/own-key.ts';
import type { CloudHooks, CloudLink } from './control/cloud-link.ts';
import type { BeatNews } from './control/beat.ts';
import { ControlPlane } from './control/control-plane.ts';
import { UserKeys } from './control/user-keys.ts';
import type { CommandAudit } from './feed/commands.ts';
import type { FeedEvent, FeedSource } from './feed/source.ts';
import { HealthMonitor } from './health/health-monitor.ts';
import { LogRing, type Log } from './log.ts';
import { MachineReport } from './machine-report.ts';
import type { CandleMark } from './market/candle-marks.ts';
import type { ExchangeAccess } from './market/exchange-access.ts';
import { withUniverse } from './market/explain-universe.ts';
import { MarketLink } from './market/market-link.ts';
import { MarketTable } from './market/market-table.ts';
import { News } from './notifications/news.ts';
import type { Notifier } from './notifications/notifier.ts';
import { Publisher } from './publisher.ts';
import { RecentSignals } from './recent-signals.ts';
import { DynamicScaler } from './scaling/dynamic-scaler.ts';
import { ControlPlaneScaling } from './scaling/scale-port.ts';
import { ParallelScreener } from './screening/parallel-screener.ts';
import { SignalLedger } from './screening/signal-ledger.ts';
import { HISTORY_MS, TraderSet, type InvalidTrader } from './screening/trader-set.ts';
import { Snapshots } from './snapshots.ts';
import { recordAnalysis } from './state/analysis-facts.ts';
import { StateStore, type StoredTrader } from './state/state-store.ts';
import { StepWriter } from './step-writer.ts';
import { every, type Wall } from './time.ts';
import { WorkPhase } from './work-phase.ts';

/** How long a boot waits for the database before it goes on with the traders that it knows. */
const TRADERS_WAIT_MS = 2_000;
const FLUSH_MS = 15_000;
const TRADERS_RETRY_MS = 5_000;
const SPARE_CANDLES = 100;
const SNAPSHOT_MS = 300_000;
const PAUSED_AT = 'paused_at';

export interface OrchestratorOptions {
  machineId: string;
  userId: string;
  bootId: string;
  version: string;
  dataDir: string;
  /** Interval of traders that name none. */
  defaultInterval: Interval;
  /** How often candles under way are looked at, ms of wall time. */
  screeningIntervalMs: number;
  exchange: ExchangeAccess;
  wall: Wall;
  log: Log;
  /** How processes before this one ended against their will, newest last. */
  crashes?: readonly CrashReport[];
  /** Given traders, without a cloud; or the ties to the cloud, which bring them. */
  traders?: (store: StateStore) => readonly StoredTrader[];
  cloud?: (hooks: CloudHooks) => CloudLink;
  /** The machine's own key for the model that reviews signals. */
  gemini?: OwnKey | undefined;
  /** Who keeps the user's keys and settings, and whom the machine asks for another size. `secret`: the one that it was born with. */
  controlPlane?: { url: string; secret: string };
  /** Tells the user what matters. */
  notifier?: Notifier;
}

/** When the process before this one ran out of memory, and how much it had. */
function lastOutOfMemory(crashes: readonly CrashReport[]): { at: number; mb: number } | null {
  const last = crashes.findLast(({ kind }) => kind === 'out-of-memory');
  return last === undefined ? null : { at: Date.parse(last.at), mb: last.memory.limitMb };
}

/**
 * The machine: opens its state, hears of its traders, follows the exchange, screens each closed candle, keeps what it finds and tells it.
 * Below, in this order: how it is put together, how it boots, how a candle goes through, what it says of itself, how it ends.
 */
export class Orchestrator implements FeedSource {
  readonly machineId: string;
  readonly userId: string;
  readonly bootId: string;
  readonly store: StateStore;
  readonly #options: OrchestratorOptions;
  readonly #ending = new AbortController();
  readonly #log: Log;
  readonly #ring = new LogRing();
  readonly #market: MarketLink;
  readonly #screener: ParallelScreener;
  readonly #snapshots: Snapshots;
  readonly #ledger: SignalLedger;
  readonly #traders: TraderSet;
  readonly #table: MarketTable;
  readonly #recent: RecentSignals;
  readonly #news: News;
  readonly #analyzer: ConcurrentAnalyzer;
  readonly #steps: StepWriter;
  readonly #scaler: DynamicScaler | undefined;
  readonly #health: HealthMonitor;
  readonly #publisher: Publisher;
  readonly #report: MachineReport;
  readonly #cloud: CloudLink | undefined;
  readonly #keys: UserKeys | undefined;
  #ticketKeys: BeatNews['jwks'] = null;
  readonly #phase: WorkPhase;
  #known: { traders: readonly StoredTrader[]; unreadable: readonly InvalidTrader[] } | undefined;
  #tradersKnown = Promise.withResolvers<void>();
  #ownerKnown = Promise.withResolvers<void>();
  #feedStats: (() => { connections: number; most: number; gaps: number }) | undefined;
  #settled: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.machineId = options.machineId;
    this.userId = options.userId;
    this.bootId = options.bootId;
    const { wall, defaultInterval } = options;
    // The one step that can fail comes before anything that would have to be ended.
    this.store = new StateStore({ dataDir: options.dataDir, epoch: wall.epoch, outbox: options.cloud !== undefined });
    this.#phase = new WorkPhase(Number(this.store.get(PAUSED_AT) ?? '') || undefined);
    this.#log = (level, code, message, fields) => {
      const entry: LogEntry = { at: wall.epoch(), level, code, message };
      options.log(level, code, message, fields);
      if (level === 'error') this.#health.errored(code);
      this.#ring.add(entry);
      this.#publisher.log(entry);
    };
    this.#news = new News(options.notifier, wall);
    this.#health = new HealthMonitor({
      wall, readings: () => this.#report.readings(), version: options.version, dataDir: options.dataDir, crashes: options.crashes ?? [],
      onChange: (change) => {
        const { component, state, sentence, nextStep } = change.component;
        this.#log(state === 'failing' ? 'warn' : 'info', `health_${state}`, [sentence, nextStep].filter(Boolean).join(' '), { component });
        this.#news.health(change);
      },
    });
    this.#publisher = new Publisher({ status: () => this.status(), changedRows: () => this.#table.changed(), marketTime: () => this.#market.clock.now() });
    this.#recent = new RecentSignals(this.store.signals(RecentSignals.kept));
    this.#ledger = new SignalLedger({
      recent: this.store.signalsSince(86_400_000), waits: (traderId) => this.#screener.shed.has(traderId) || this.#screener.trader(traderId)?.waits === true, rules: (traderId) => this.#traders.rules(traderId),
      onTripped: (traderId, why) => setImmediate(() => { if (!this.#ending.signal.aborted) this.#guard(() => { this.#traders.pause(traderId, why); this.#tradersChanged(); }); }),
    });
    this.#screener = new ParallelScreener({
      defaultInterval, capacity: (interval) => this.#capacity(interval),
      wall, log: this.#log, marketNow: () => this.#market.clock.now(),
      onScreened: ({ matches, screened }) => {
        this.#ledger.matched(matches);
        for (const { symbol, interval, closeTime, traderId } of screened) this.#ledger.screened(symbol, interval, closeTime, traderId);
        this.#steps.soon();
      },
    });
    this.#snapshots = new Snapshots({ dataDir: options.dataDir, screener: this.#screener, log: this.#log });
    this.#market = new MarketLink({
      exchange: options.exchange, wall, log: this.#log, signal: this.#ending.signal,
      startOf: (symbol, interval) => this.#traders.startOf(symbol, interval),
      longer: (symbol) => this.#traders.longer(symbol),
      seed: (symbol, interval, candles) => this.#screener.seed(symbol, interval, candles),
      take: (symbol, interval, candle) => this.#take(symbol, interval, candle),
      restart: (symbol, interval) => this.#screener.forget(symbol, interval),
      onPrice: (symbol, price) => this.#table.priced(symbol, price),
      onChange: () => this.#changed(),
      onUniverse: () => this.#guard(() => { this.#traders.reselect(); this.#tradersChanged(); }),
      held: (symbol, interval, limit) => this.#screener.candles.read(symbol, interval, limit),
      store: this.store,
      rules: () => (this.store.cachedTraders() ?? []).map(({ document }) => document.universe),
    });
    this.#table = new MarketTable({
      candles: this.#screener.candles, matches: (symbol) => this.#screener.matching(symbol), halted: (symbol) => this.#market.candles.isHalted(symbol),
    });
    this.#traders = new TraderSet({ store: this.store, market: this.#market, screener: this.#screener, ledger: this.#ledger, defaultInterval, log: this.#log });
    const { signal } = this.#ending;
    const controlPlane = options.controlPlane && new ControlPlane({ ...options.controlPlane, signal });
    this.#keys = controlPlane && new UserKeys({ controlPlane, secret: options.controlPlane!.secret, own: options.gemini, wall, log: this.#log, signal, onChange: () => this.#keysChanged() });
    const model = this.#keys ?? withOwnKey(options.gemini);
    this.#analyzer = new ConcurrentAnalyzer({
      file: this.store.file, wall, log: this.#log, market: marketViewOf(this.#screener.candles, this.#market.clock), record: recordAnalysis(this.store.outbox),
      trader: (id, version) => this.#traders.running().find((one) => one.id === id && one.version === version)?.document,
      onOutcome: (outcome) => this.#outcome(outcome), client: new GeminiClient(), access: () => model.access(), model: () => model.model(), caps: () => model.caps(),
    });
    this.#steps = new StepWriter({ store: this.store, ledger: this.#ledger, analyzer: this.#analyzer, log: this.#log, onWritten: (fresh) => this.#written(fresh) });
    this.#scaler = controlPlane && new DynamicScaler({
      port: new ControlPlaneScaling(controlPlane), sample: () => this.#health.load(), memory: this.store, outOfMemory: lastOutOfMemory(options.crashes ?? []), wall, log: this.#log, signal,
      onAdvice: () => this.#changed(),
    });
    this.#report = new MachineReport({
      bootId: this.bootId, version: options.version, wall, store: this.store, market: this.#market, screener: this.#screener, traders: this.#traders, health: this.#health,
      database: () => this.#cloud?.health(), analyzer: this.#analyzer, analysisModel: () => (model.access().state === 'none' ? undefined : model.model()), scaler: this.#scaler, notifier: options.notifier, feed: () => this.#feedStats?.(),
      diskProblem: () => this.#steps.problem,
      phase: this.#phase,
      cloudProblems: () => [...(this.#cloud?.problems() ?? []), ...(this.#keys?.problem ? [this.#keys.problem] : [])],
    });
    this.#cloud = options.cloud?.({
      store: this.store, wall, log: this.#log, signal: this.#ending.signal, status: () => this.status(),
      onTraders: (traders, unreadable) => this.#setTraders(traders, unreadable),
      onDrain: (drain) => this.#drainWished(drain),
      onNews: (news) => { this.#ticketKeys = news.jwks; this.#keys?.heard(news); },
      onOwner: () => { this.#ownerKnown.resolve(); this.#ownerChanged(); },
      onChange: () => this.#changed(),
    });
  }

  // How it boots.

  /** Begins; all else happens by itself. What it waits for, `status()` says. */
  start(): void {
    this.#ownerChanged();
    if (!this.#cloud) this.#ownerKnown.resolve();
    this.#running = Promise.all([this.#boot(), this.#cloud?.run(), this.#keys?.run()]);
  }

  async #boot(): Promise<void> {
    const { wall } = this.#options;
    const began = wall.now();
    const step = (code: string, message: string) => this.#log('info', code, `${message} (${Math.round(wall.now() - began)} ms after the start).`);
    step('state_open', `The state of ${this.#options.dataDir} is open; ${this.store.outboxState().rows} rows wait to be sent`);
    const restored = await this.#snapshots.restore();
    if (restored !== undefined) step('snapshot_restored', restored);
    const following = this.#market.open().then((open) => { if (open) step('exchange_open', `The exchange at ${new URL(this.#options.exchange.restUrl).host} has told its time and symbols`); return open; });
    if (this.#options.traders) this.#setTraders(this.#options.traders(this.store), []);
    if (!(await following)) return;
    const running = this.#market.run();
    this.#phase.waitFor('the traders');
    this.#changed();
    const patience = setTimeout(() => { this.#ownerKnown.resolve(); this.#useCachedTraders(); }, TRADERS_WAIT_MS);
    await Promise.all([this.#tradersKnown.promise, this.#ownerKnown.promise]);
    clearTimeout(patience);
    if (!this.#ending.signal.aborted) {
      step('traders_known', `${this.#known?.traders.length ?? 0} traders are to run`);
      this.#phase.open();
      this.#rest();
      this.#applyTraders();
      this.#analyzer.start();
      step('services_started', 'The analysis, the beat of forming candles and the snapshots have begun');
    }
    const endSnapshots = every(SNAPSHOT_MS, wall, () => { if (this.#phase.current === 'screening') void this.#snapshots.save(); });
    const endBeat = every(this.#options.screeningIntervalMs, wall, () => this.#peek());
    await Promise.all([running, this.#scaler?.run()]);
    endBeat();
    endSnapshots();
  }

  /** The beat of traders that ask for the candle under way. */
  #peek(): void {
    if (!this.#phase.screens) return;
    for (const { interval, symbols } of this.#screener.forming()) {
      for (const symbol of symbols) {
        const forming = this.#market.streams.forming({ symbol, interval });
        if (forming) this.#screener.peek(symbol, interval, forming.candle);
      }
    }
  }

  /** The database is away: the traders that it named last are as good as any. Without any, the machine waits. */
  #useCachedTraders(): void {
    const cached = this.#known ? undefined : this.store.cachedTraders();
    if (!cached) return;
    this.#log('warn', 'traders_cached', `The database has not named its traders yet; the machine goes on with the ${cached.length} that it knows.`);
    this.#setTraders(cached, []);
  }

  #setTraders(traders: readonly StoredTrader[], unreadable: readonly InvalidTrader[]): void {
    this.#known = { traders, unreadable };
    this.#tradersKnown.resolve();
    this.#applyTraders();
    // Whoever edited a trader waits to see it run.
    this.#cloud?.beatNow();
  }

  #applyTraders(): void {
    if (!this.#phase.mayScreen || !this.#known) return;
    const { traders, unreadable } = this.#known;
    this.#guard(() => { this.#traders.set(traders, unreadable); this.#tradersChanged(); });
  }

  #tradersChanged(): void {
    const symbols = new Map<string, Interval[]>();
    for (const trader of this.#traders.running()) {
      for (const symbol of this.#ledger.symbolsOf(trader.id)) symbols.set(symbol, [...(symbols.get(symbol) ?? []), trader.document.interval ?? this.#options.defaultInterval]);
    }
    this.#table.setSymbols(symbols);
    this.#table.touch();
    this.#analyzer.setTraders(this.#traders.running().map(({ id }) => id));
    this.#news.traders(this.#traders.statuses());
    this.#steps.soon();
    this.#changed();
  }

  // How a candle goes through.

  #take(symbol: string, interval: Interval, candle: Candle): void {
    this.#screener.push(symbol, interval, candle);
    this.#table.closed(symbol, interval, candle.close);
  }

  /** These signals are new and on disk. */
  #written(fresh: readonly Signal[]): void {
    this.#recent.add(fresh);
    for (const signal of fresh) {
      this.#publisher.signal(signal);
      this.#news.signal(signal);
    }
    if (fresh.length > 0) this.#cloud?.sendNow();
    this.#changed();
  }

  /** What became of a signal is on disk. */
  #outcome(outcome: AnalysisOutcome): void {
    // That history is not analysed is no news.
    if (outcome.kind === 'none' && outcome.reason === 'history') return;
    this.#publisher.analysis(outcome);
    this.#news.outcome(outcome, this.#recent.find(outcome.signalId));
    if (outcome.kind === 'decision') this.#cloud?.sendNow();
    this.#changed();
  }

  /** 24 h to search, what settling needs before them, and some to spare. */
  #capacity(interval: Interval): number {
    return Math.ceil(HISTORY_MS / intervalMs(interval)) + this.#screener.settleCandles(interval) + SPARE_CANDLES;
  }

  // What it says of itself.

  status(): MachineStatus {
    return this.#report.status();
  }

  /** What is still missing before the machine screens; empty when it does. */
  missing(): string[] {
    if (this.#phase.current === 'screening') return [];
    return [this.#report.detail(), ...this.#market.problems().map(({ message }) => message)];
  }

  metrics(): Promise<string> {
    return this.#health.metrics();
  }

  /** The feed that serves this machine says how it fares. */
  feedIs(stats: () => { connections: number; most: number; gaps: number }): void {
    this.#feedStats = stats;
  }

  markets(): MarketRow[] {
    return this.#table.rows();
  }

  signals(limit: number): Signal[] {
    return this.#recent.newest(limit);
  }

  analyses(limit: number): AnalysisOutcome[] {
    return this.#analyzer.outcomes(limit);
  }

  log(): LogEntry[] {
    return this.#ring.entries();
  }

  traders(): StoredTrader[] {
    return this.#traders.running();
  }

  candles(symbol: string, interval: Interval, limit: number): Candle[] {
    return this.#screener.candles.read(symbol, interval, limit);
  }

  marks(symbol: string, interval: Interval, limit: number): CandleMark[] {
    return this.#market.marks.of(symbol, interval).slice(-limit);
  }

  explain(traderId: string, symbol: string): unknown {
    const trader = this.#traders.running().find(({ id }) => id === traderId);
    return trader && withUniverse(this.#screener.explain(traderId, symbol), this.#market.universe.why(trader.document.universe, this.#ledger.symbolsOf(traderId), symbol));
  }

  subscribe(listener: (event: FeedEvent) => void): () => void {
    return this.#publisher.subscribe(listener);
  }

  /** Something changed: the phase follows, and who listens hears of it. */
  #changed(): void {
    const before = this.#phase.current;
    this.#phase.fetched(this.#market.candles.progress());
    if (this.#phase.current !== before) this.#phaseChanged();
    this.#publisher.statusChanged();
  }

  #phaseChanged(): void {
    this.#log('info', 'phase', this.#report.detail(), { phase: this.#phase.current });
    this.#publisher.phaseChanged();
    this.#cloud?.beatNow();
  }

  /** Whoever is to rest rests, and whoever may go on goes on. */
  #rest(): void {
    this.#market.candles.setPaused(this.#phase.candlesRest);
    this.#analyzer.setPaused(this.#phase.analysisRests);
  }

  // What its user may tell it.

  /** No candle is screened from here on, also after a restart, until `resume`. The control plane's drain is another thing. */
  pause(): void {
    if (this.#phase.pausedAt !== undefined) return;
    this.#phase.pause(this.#options.wall.epoch());
    this.#pauseChanged();
  }

  /** Goes on; what closed meanwhile is caught up. */
  resume(): void {
    if (this.#phase.pausedAt === undefined) return;
    this.#phase.resume();
    this.#pauseChanged();
  }

  #pauseChanged(): void {
    this.store.set(PAUSED_AT, String(this.#phase.pausedAt ?? ''));
    this.#rest();
    this.#changed();
    this.#cloud?.beatNow();
  }

  /** Other keys, another share of the platform's, or other channels for notifications. */
  #keysChanged(): void {
    if (!this.#keys || this.#settled) return;
    this.#analyzer.setShare(this.#keys.share());
    this.#analyzer.accessChanged();
    this.#options.notifier?.set(this.#keys.notifications());
    this.#changed();
  }

  /** The public keys that tickets are verified with, as the beat brought them; null: those of the machine's birth. */
  ticketKeys(): BeatNews['jwks'] {
    return this.#ticketKeys;
  }

  /** Looks at the stored traders now instead of with the next beat. */
  lookAtTraders(): void {
    this.#cloud?.beatNow();
  }

  /** Somebody told the machine to do something: its user can see who, what and how it ended. */
  audit({ command, sessionId, outcome, code }: CommandAudit): void {
    this.#log(outcome === 'done' ? 'info' : 'warn', 'command', `Session ${sessionId.slice(0, 8)} asked for "${command}": ${outcome}${code === undefined ? '' : ` (${code})`}.`, { command, sessionId, outcome });
  }

  /** Of all machines of a user one acts. While that is another, this one looks at nothing; then it catches up. */
  #ownerChanged(): void {
    const before = this.#phase.current;
    if (!this.#phase.owner(this.#cloud?.owner.mayAct !== false)) return;
    this.#rest();
    if (this.#phase.waits && before !== 'draining') this.#phaseChanged();
    if (!this.#phase.waits) this.#applyTraders();
    this.#changed();
  }

  // How it ends.

  /** The control plane wishes that the machine rests (before a stop or a resize), or that it goes on. */
  #drainWished(drain: boolean): void {
    if (!this.#phase.drain(drain)) return;
    this.#log('info', drain ? 'drain' : 'resume', drain ? 'The control plane asks for a drain: no further candle is screened.' : 'The drain is over: screening goes on.');
    this.#rest();
    if (drain) this.#phaseChanged();
    this.#changed();
  }

  /** No new work from here on; what was found is written, and sent as far as the database answers (≤ 15 s). */
  settle(): Promise<void> {
    this.#settled ??= this.#settle();
    return this.#settled;
  }

  async #settle(): Promise<void> {
    const screened = this.#phase.mayScreen;
    this.#phase.settle();
    this.#rest();
    await this.#screener.idle();
    this.#steps.write();
    // What was not begun has nothing to leave behind.
    await Promise.all([this.#analyzer.stop(), screened && this.#snapshots.save()]);
    this.#phaseChanged();
    const waiting = this.store.outboxState().rows;
    if (this.#cloud && waiting > 0) {
      const empty = await this.#cloud.flush(FLUSH_MS);
      this.#log(empty ? 'info' : 'warn', 'outbox', empty ? `The last ${waiting} rows were written.` : `${this.store.outboxState().rows} rows wait on disk for the next start.`);
    }
    await this.#cloud?.owner.release();
  }

  /** Settles, then ends everything and waits for it. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.settle();
    this.#ending.abort();
    this.#tradersKnown.resolve();
    this.#ownerKnown.resolve();
    await this.#running;
    this.#steps.stop();
    await this.#options.notifier?.stop();
    await this.#screener.stop();
    this.#publisher.stop();
    this.#health.stop();
    this.store.close();
  }

  /** A failure in applying what others stored (a full disk) must not end the machine: it is said and tried again. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#log('error', codeOf(error), `The traders could not be applied: ${sentenceOf(error)} It is tried again.`);
      setTimeout(() => { if (!this.#ending.signal.aborted) this.#applyTraders(); }, TRADERS_RETRY_MS).unref();
    }
  }
}
