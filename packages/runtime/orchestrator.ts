import { type AnalysisOutcome, type Candle, type CrashReport, type Interval, type Signal } from '@trademind/core';
import { ConcurrentAnalyzer } from './analysis/concurrent-analyzer.ts';
import { GeminiClient } from './analysis/gemini-client.ts';
import { marketViewOf } from './analysis/market-view.ts';
import { withOwnKey, type OwnKey } from './analysis/own-key.ts';
import { ArchivedCandles } from './archive/stored-candles.ts';
import type { CloudHooks, CloudLink } from './control/cloud-link.ts';
import { ControlPlane } from './control/control-plane.ts';
import { UserKeys } from './control/user-keys.ts';
import { HealthMonitor } from './health/health-monitor.ts';
import { History } from './history.ts';
import type { HealthReadings } from './health/health-readings.ts';
import { heardBy, LogRing, type Log } from './log.ts';
import { MachineCommands } from './machine-commands.ts';
import { MachineReport } from './machine-report.ts';
import { MachineView } from './machine-view.ts';
import type { ExchangeAccess } from './market/exchange-access.ts';
import type { RecordedMemberships } from './market/recording/recorded-memberships.ts';
import { MarketLink } from './market/market-link.ts';
import { MarketTable } from './market/market-table.ts';
import { listingsInMemory } from './market/universe.ts';
import { News } from './notifications/news.ts';
import type { Notifier } from './notifications/notifier.ts';
import { Publisher } from './publisher.ts';
import { RecentSignals } from './recent-signals.ts';
import { DynamicScaler, lastOutOfMemory } from './scaling/dynamic-scaler.ts';
import { ControlPlaneScaling } from './scaling/scale-port.ts';
import { ParallelScreener } from './screening/parallel-screener.ts';
import { SignalLedger } from './screening/signal-ledger.ts';
import { TraderFollower } from './screening/trader-follower.ts';
import { candlesKept, TraderSet } from './screening/trader-set.ts';
import { Snapshots } from './snapshots.ts';
import { recordAnalysis } from './state/analysis-facts.ts';
import type { MembershipEntry } from './state/membership-book.ts';
import { StateStore, type StoredTrader } from './state/state-store.ts';
import { StepWriter } from './step-writer.ts';
import { every, type Wall } from './time.ts';
import { keptPause, WorkControl } from './work-control.ts';
import { WorkPhase } from './work-phase.ts';

/** How long a boot waits for the database before it goes on with the traders that it knows. */
const TRADERS_WAIT_MS = 2_000;
const FLUSH_MS = 15_000;
/** A replay knows who was missing: whoever was not is waited for so much market time. */
const REPLAY_DEADLINE_MS = 60_000;
const SNAPSHOT_MS = 300_000;

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
  /** Folder of a candle archive: what it holds of the history is not asked of the exchange. */
  archive?: string | undefined;
  /** Of what was kept of the market (snapshot, archive, first days) nothing is used: the exchange is asked for all, so that a recording of the session holds all that a replay needs. */
  marketAnew?: boolean;
  wall: Wall;
  log: Log;
  /** Hears of traders' memberships as they are kept. */
  onMembership?: ((entry: MembershipEntry) => void) | undefined;
  /** Whom the traders of the session that is replayed screened. */
  recorded?: RecordedMemberships | undefined;
  /** How processes before this one ended against their will, newest last. */
  crashes?: readonly CrashReport[];
  /** What must never be told: the user's keys join it when they are fetched. */
  secrets?: Set<string>;
  /** Given traders, without a cloud; or the ties to the cloud, which bring them. */
  traders?: (store: StateStore) => readonly StoredTrader[];
  cloud?: (hooks: CloudHooks) => CloudLink;
  /** The machine's own key for the model that reviews signals. */
  gemini?: OwnKey | undefined;
  /** Who keeps the user's keys and settings, and whom the machine asks for another size. `secret`: the one that it was born with. */
  controlPlane?: { url: string; secret: string };
  /** Tells the user what matters; how messages ended is kept in the store. */
  notifier?: (store: StateStore, log: Log) => Notifier;
}

/**
 * The machine: opens its state, hears of its traders, follows the exchange, screens each closed candle, keeps what it finds and tells it.
 * Below, in this order: how it is put together, as the data flows; how it boots, and follows what others decide; how a candle goes through; how it ends.
 */
export class Orchestrator {
  readonly store: StateStore;
  /** The machine's log, for services beside it: what they say is counted, kept for the feed and told like its own words. */
  get say(): Log { return this.#log; }
  /** What others see of the machine. */
  readonly view: MachineView;
  /** What its user may tell it. */
  readonly commands: MachineCommands;
  readonly #options: OrchestratorOptions;
  readonly #ending = new AbortController();
  readonly #log: Log;
  readonly #market: MarketLink;
  readonly #screener: ParallelScreener;
  readonly #snapshots: Snapshots;
  readonly #ledger: SignalLedger;
  readonly #traders: TraderSet;
  readonly #follower: TraderFollower;
  readonly #analyzer: ConcurrentAnalyzer;
  readonly #steps: StepWriter;
  readonly #cloud: CloudLink | undefined;
  readonly #keys: UserKeys | undefined;
  readonly #scaler: DynamicScaler | undefined;
  readonly #notifier: Notifier | undefined;
  readonly #news: News;
  readonly #history: History;
  readonly #table: MarketTable;
  readonly #recent: RecentSignals;
  readonly #publisher: Publisher;
  readonly #health: HealthMonitor;
  readonly #phase: WorkPhase;
  readonly #control: WorkControl;
  readonly #ownerKnown = Promise.withResolvers<void>();
  #feedStats: (() => NonNullable<HealthReadings['feed']>) | undefined;
  #settled: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    const { machineId, userId, bootId, version, dataDir, defaultInterval, wall, crashes = [], secrets = new Set(), archive, marketAnew = false } = options;
    const { signal } = this.#ending;
    const changed = (): void => this.#control.changed();

    // State, and who hears of it. The one step that can fail comes before anything that would have to be ended.
    const store = this.store = new StateStore({ dataDir, epoch: wall.epoch, outbox: options.cloud !== undefined });
    store.memberships.tell = options.onMembership;
    const ring = new LogRing();
    const log = this.#log = heardBy(options.log, wall, secrets, (entry) => {
      if (entry.level === 'error') this.#health.errored(entry.code);
      ring.add(entry);
      this.#publisher.log(entry);
    });
    this.#publisher = new Publisher({ status: () => this.view.status(), changedRows: () => this.#table.changed(), marketTime: () => this.#market.clock.now() });
    this.#health = new HealthMonitor({ wall, log, version, dataDir, crashes, readings: () => report.readings(), onChange: (change) => this.#news.health(change) });
    this.#phase = new WorkPhase(keptPause(store));
    const history = this.#history = new History({ outbox: store.outbox, wall, log });

    // Exchange → candles.
    this.#market = new MarketLink({
      exchange: options.exchange, wall, log, signal, marks: store, listings: marketAnew ? listingsInMemory() : store, stored: marketAnew ? undefined : ArchivedCandles.in(archive, log), onChange: changed, onUniverse: () => this.#follower.reselect(),
      rules: () => (store.cachedTraders() ?? []).map(({ document }) => document.universe),
      startOf: (symbol, interval) => this.#traders.startOf(symbol, interval), longer: (symbol) => this.#traders.longer(symbol),
      seed: (symbol, interval, candles) => this.#screener.seed(symbol, interval, candles),
      take: (symbol, interval, candle) => this.#take(symbol, interval, candle),
      restart: (symbol, interval) => this.#screener.forget(symbol, interval),
      held: (symbol, interval, limit) => this.#screener.candles.read(symbol, interval, limit), heldFrom: (symbol, interval) => this.#screener.candles.series(symbol, interval)?.openTime(0),
      onPrice: (symbol, price) => this.#table.priced(symbol, price),
    });

    // Candles → matches → signals.
    this.#screener = new ParallelScreener({
      defaultInterval, wall, log, capacity: (interval) => candlesKept(interval, this.#screener.settleCandles(interval)), marketNow: () => this.#market.clock.now(), deadlineMs: options.recorded?.isEmpty === false ? REPLAY_DEADLINE_MS : undefined,
      onScreened: ({ matches, screened, absent }) => {
        this.#ledger.matched(matches);
        this.#ledger.absent(absent);
        for (const to of screened) this.#ledger.screened(to);
        this.#steps.soon();
      },
    });
    this.#snapshots = new Snapshots({ dataDir, screener: this.#screener, log });
    this.#ledger = new SignalLedger({
      recent: store.signalsSince(86_400_000), rules: (traderId) => this.#traders.rules(traderId), onTripped: (traderId, why) => this.#follower.pauseSoon(traderId, why),
    });
    this.#traders = new TraderSet({ store, recorded: options.recorded, market: this.#market, screener: this.#screener, ledger: this.#ledger, defaultInterval, log });
    this.#follower = new TraderFollower({ traders: this.#traders, store, log, signal, mayScreen: () => this.#phase.mayScreen, onChanged: () => this.#tradersChanged() });

    // Signals → decisions; both to the disk, and from there to the cloud.
    const controlPlane = options.controlPlane && new ControlPlane({ ...options.controlPlane, signal });
    this.#keys = controlPlane && new UserKeys({ controlPlane, secret: options.controlPlane!.secret, own: options.gemini, wall, log, signal, secrets, onChange: () => this.#keysChanged() });
    const model = this.#keys ?? withOwnKey(options.gemini);
    this.#analyzer = new ConcurrentAnalyzer({
      file: store.file, wall, log, market: marketViewOf(this.#screener.candles, this.#market.clock), record: recordAnalysis(store.outbox),
      trader: (id, ofVersion) => this.#traders.running().find((one) => one.id === id && one.version === ofVersion)?.document,
      onOutcome: (outcome) => this.#outcome(outcome), client: new GeminiClient(), access: () => model.access(), model: () => model.model(), caps: () => model.caps(),
      learning: () => this.#cloud?.calls.learning ?? false,
    });
    this.#steps = new StepWriter({ store, ledger: this.#ledger, analyzer: this.#analyzer, log, onWritten: (fresh) => this.#written(fresh) });
    this.#cloud = options.cloud?.({
      store, wall, log, signal, status: () => this.view.status(), worst: () => this.#health.worst(), onChange: changed, onDrain: (drain) => this.#control.drain(drain),
      // Whoever edited a trader waits to see it run.
      onTraders: (traders, unreadable) => { this.#follower.set(traders, unreadable); this.#cloud?.beatNow(); },
      onNews: (news) => this.#keys?.heard(news), onCalls: (calls) => this.#analyzer.learn(calls),
      onOwner: () => { this.#ownerKnown.resolve(); this.#followOwner(); },
    });

    // To people: what is news, what a screen shows, what size the load wants; and from them: what they tell the machine.
    this.#notifier = options.notifier?.(store, log);
    this.#news = new News(this.#notifier, wall);
    this.#table = new MarketTable({ candles: this.#screener.candles, matches: (symbol) => this.#screener.matching(symbol), halted: (symbol) => this.#market.candles.isHalted(symbol) });
    this.#recent = new RecentSignals(store.signals(RecentSignals.kept));
    this.#scaler = controlPlane && new DynamicScaler({
      port: new ControlPlaneScaling(controlPlane), sample: () => this.#health.load(), memory: store, outOfMemory: lastOutOfMemory(crashes), wall, log, signal, onAdvice: changed,
    });
    const report = new MachineReport({
      bootId, version, wall, store, market: this.#market, screener: this.#screener, traders: this.#traders, analyzer: this.#analyzer, notifier: this.#notifier, scaler: this.#scaler, health: this.#health,
      phase: this.#phase, analysisModel: () => (model.access().state === 'none' ? undefined : model.model()), database: () => this.#cloud?.health(), feed: () => this.#feedStats?.(),
      diskProblem: () => this.#steps.problem, cloudProblems: () => [...(this.#cloud?.problems() ?? []), ...(this.#keys?.problem ? [this.#keys.problem] : [])],
    });
    this.view = new MachineView({
      machineId, userId, bootId, report, phase: this.#phase, market: this.#market, table: this.#table, screener: this.#screener, traders: this.#traders, ledger: this.#ledger, recent: this.#recent, analyzer: this.#analyzer, ring,
      publisher: this.#publisher, health: this.#health,
    });
    this.#control = new WorkControl({
      phase: this.#phase, store, wall, log, candles: this.#market.candles, analyzer: this.#analyzer, publisher: this.#publisher, detail: () => report.detail(), onOwner: (acts) => history.owner(acts, this.#cloud?.owner.problem?.message),
      onMayScreen: () => this.#follower.apply(), onPhase: () => this.#cloud?.beatNow(),
    });
    this.commands = new MachineCommands({ control: this.#control, cloud: this.#cloud, notifier: this.#notifier, history, log });
  }

  /** Public keys that tickets are verified with, as the beat brought them; null: those of the machine's birth. */
  get ticketKeys(): CloudLink['ticketKeys'] { return this.#cloud?.ticketKeys ?? null; }

  // How it boots, and follows what others decide.

  /**
   * Begins; all else happens by itself. What it waits for, `view.status()` says.
   * @param feed how the feed fares that serves this machine
   */
  start(feed?: () => NonNullable<HealthReadings['feed']>): void {
    this.#feedStats = feed;
    this.#history.crashes(this.#options.crashes ?? []);
    for (const at of this.#options.recorded?.times ?? []) this.#options.wall.after(at - this.#options.wall.epoch(), () => this.#follower.reselect());
    this.#followOwner();
    if (!this.#cloud) this.#ownerKnown.resolve();
    this.#running = Promise.all([this.#boot(), this.#cloud?.run(), this.#keys?.run()]);
  }

  async #boot(): Promise<void> {
    const { wall, dataDir, exchange, screeningIntervalMs, marketAnew } = this.#options;
    const began = wall.now();
    const step = (code: string, message: string) => this.#log('info', code, `${message} (${Math.round(wall.now() - began)} ms after the start).`);
    step('state_open', `The state of ${dataDir} is open; ${this.store.outboxState().rows} rows wait to be sent`);
    // The exchange and the cloud answer while the snapshot is being taken in.
    const following = this.#market.open().then((open) => { if (open) step('exchange_open', `The exchange at ${new URL(exchange.restUrl).host} has told its time and symbols`); return open; });
    const restored = marketAnew ? undefined : await this.#snapshots.restore();
    if (restored !== undefined) step('snapshot_restored', restored);
    if (this.#options.traders) this.#follower.set(this.#options.traders(this.store), []);
    if (!(await following)) return;
    const running = this.#market.run();
    this.#phase.waitFor('the traders');
    this.#control.changed();
    const patience = setTimeout(() => { this.#ownerKnown.resolve(); this.#follower.useCached(); }, TRADERS_WAIT_MS);
    await Promise.all([this.#follower.known, this.#ownerKnown.promise]);
    clearTimeout(patience);
    if (!this.#ending.signal.aborted) {
      step('traders_known', `${this.#follower.count} traders are to run`);
      this.#control.open();
      this.#follower.apply();
      this.#analyzer.start();
      step('services_started', 'The analysis, the beat of forming candles and the snapshots have begun');
    }
    const endSnapshots = every(SNAPSHOT_MS, wall, () => { if (this.#phase.current === 'screening') void this.#snapshots.save(); });
    const endBeat = every(screeningIntervalMs, wall, () => { if (this.#phase.screens) this.#screener.peek((series) => this.#market.streams.forming(series)?.candle); });
    await Promise.all([running, this.#scaler?.run()]);
    endBeat();
    endSnapshots();
  }

  /** Other traders run, or on other symbols: whoever goes by them follows. */
  #tradersChanged(): void {
    this.#table.setSymbols(this.#traders.symbols());
    this.#table.touch();
    this.#analyzer.setTraders(this.#traders.running().map(({ id }) => id));
    this.#news.traders(this.#traders.statuses());
    this.#steps.soon();
    this.#control.changed();
  }

  #followOwner(): void {
    this.#control.owner(this.#cloud?.owner.mayAct !== false);
  }

  /** Other keys, another share of the platform's, or other channels for notifications. */
  #keysChanged(): void {
    if (!this.#keys || this.#settled) return;
    this.#analyzer.setShare(this.#keys.share());
    this.#analyzer.accessChanged();
    this.#notifier?.set(this.#keys.notifications());
    this.#control.changed();
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
    this.#control.changed();
  }

  /** What became of a signal is on disk. */
  #outcome(outcome: AnalysisOutcome): void {
    // That history is not analysed is no news.
    if (outcome.kind === 'none' && outcome.reason === 'history') return;
    this.#publisher.analysis(outcome);
    this.#news.outcome(outcome, this.#recent.find(outcome.signalId));
    if (outcome.kind === 'decision') this.#cloud?.sendNow();
    this.#control.changed();
  }

  // How it ends.

  /** No new work from here on; what was found is written, and sent as far as the database answers (≤ 15 s). */
  settle(): Promise<void> {
    this.#settled ??= this.#settle();
    return this.#settled;
  }

  async #settle(): Promise<void> {
    const screened = this.#phase.mayScreen;
    this.#control.settle();
    await this.#screener.idle();
    this.#steps.write();
    // What was not begun has nothing to leave behind.
    await Promise.all([this.#analyzer.stop(), screened && this.#snapshots.save()]);
    this.#control.settled();
    await this.#cloud?.leave(FLUSH_MS);
  }

  /** Settles, then ends everything and waits for it. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.settle();
    this.#ending.abort();
    this.#follower.stop();
    this.#ownerKnown.resolve();
    await this.#running;
    this.#steps.stop();
    await this.#notifier?.stop();
    await this.#screener.stop();
    this.#publisher.stop();
    this.#health.stop();
    this.store.close();
  }
}
