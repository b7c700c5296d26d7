import { join } from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { codeOf, TradeMindError, TraderDocument, type Interval, type Signal } from '@trademind/core';
import type { MemberSpan } from '@trademind/engine';
import { makeFolder } from '../make-folder.ts';
import type { CandleMark } from '../market/candle-marks.ts';
import { Ballast } from './ballast.ts';
import { DatabaseFile, isDiskFull } from './database-file.ts';
import { MembershipBook } from './membership-book.ts';
import { Outbox } from './outbox.ts';
import { MIGRATIONS } from './schema.ts';

/** Signals kept for the feed: of so many days of market time, and at most so many. */
const KEPT_DAYS = 7;
const KEPT_SIGNALS = 5_000;
const PRUNE_EVERY = 500;
/** Marks of candles this much older than the newest marked one are forgotten: their candles are long gone from every ring. */
const KEPT_MARKS_MS = 370 * 86_400_000;
export const STATE_FILE = 'machine.db';

export interface StoredTrader { id: string; version: number; document: TraderDocument }
export interface Watermark { traderId: string; version: number; symbol: string; interval: Interval; closeTime: number }
/** Symbols that were missing when a trader's version screened a close. */
export interface Missed { readonly traderId: string; readonly version: number; readonly interval: Interval; readonly closeTime: number; readonly symbols: readonly string[] }
/** Times in ms of market time. Candles that close in (historyFrom, liveFrom] give history, later ones are live. */
export interface TraderState { traderId: string; version: number; historyFrom: number; liveFrom: number; liveSignals: number; historySignals: number }

/**
 * All that must survive on this machine, in one SQLite file (WAL): what a kill -9 interrupts is either wholly there or not at all. Every
 * method is synchronous and one transaction.
 */
export class StateStore {
  /** The file itself, for rooms with tables of their own in it. */
  readonly file: DatabaseFile;
  /** Who was in each trader's universe, and who was missing, close by close. */
  readonly memberships: MembershipBook;
  /** Facts on their way to the database. */
  readonly outbox: Outbox;
  readonly #epoch: () => number;
  readonly #ballast: Ballast;
  #sincePrune = 0;

  /**
   * Opens or makes the store in `dataDir`. Throws `data_dir_unusable` or `state_unreadable`.
   * @param options.outbox false where nothing is sent anywhere (local mode): signals are kept, no outbox grows
   */
  constructor(options: { dataDir: string; epoch: () => number; outbox: boolean }) {
    this.#epoch = options.epoch;
    const path = join(options.dataDir, STATE_FILE);
    this.#ballast = new Ballast(options.dataDir);
    try {
      makeFolder(options.dataDir, 0o700);
      this.file = this.#open(path);
    } catch (cause) {
      throw new TradeMindError({
        code: 'data_dir_unusable', field: 'DATA_DIR', message: `The data folder ${options.dataDir} cannot be used (${codeOf(cause)}).`,
        nextStep: 'Give a folder that this process may write to, with free space.', cause,
      });
    }
    this.#migrate(path);
    this.memberships = new MembershipBook(this.file);
    this.outbox = new Outbox(this.file, { epoch: options.epoch, open: options.outbox });
    this.#ballast.lay();
    this.file.onFull = (leaving) => this.#makeRoom(leaving);
  }

  /** A start on a full disk gives up the reserve: without the file there is no machine. */
  #open(path: string): DatabaseFile {
    try {
      return new DatabaseFile(path);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#ballast.drop(true);
      return new DatabaseFile(path);
    }
  }

  close(): void {
    this.file.close();
  }

  /**
   * Keeps a step of screening: the signals, how far each trader has come and who was missing on the way, together. Answers the signals that were new; a repeat
   * changes nothing.
   * @param also belongs to the same transaction, such as to put the new signals into a queue: then each is in both or in neither.
   */
  commit(step: { signals: readonly Signal[]; watermarks: readonly Watermark[]; missed?: readonly Missed[] }, also?: (fresh: readonly Signal[]) => void): Signal[] {
    return this.memberships.telling(() => this.#transaction(() => {
      const fresh = step.signals.filter((signal) => this.#addSignal(signal));
      also?.(fresh);
      for (const mark of step.watermarks) this.#setWatermark(mark);
      for (const { traderId: id, version, interval, closeTime, symbols } of step.missed ?? []) this.memberships.absent({ id, version }, interval, closeTime, symbols);
      return fresh;
    }));
  }

  #addSignal(signal: Signal): boolean {
    const added = this.#run('insert into signals (id, close_time, payload) values (?, ?, ?) on conflict do nothing', signal.id, signal.closeTime, JSON.stringify(signal));
    if (added === 0) return false;
    this.#run(`update trader_state set ${signal.origin === 'live' ? 'live_signals = live_signals' : 'history_signals = history_signals'} + 1 where trader_id = ? and version = ?`, signal.traderId, signal.traderVersion);
    this.outbox.add('signal', signal.id, rowOfSignal(signal));
    if (++this.#sincePrune >= PRUNE_EVERY) this.#prune();
    return true;
  }

  #setWatermark(mark: Watermark): void {
    this.#run(`insert into watermarks (trader_id, version, symbol, interval, close_time) values (?, ?, ?, ?, ?)
      on conflict do update set close_time = max(close_time, excluded.close_time), interval = excluded.interval`,
    mark.traderId, mark.version, mark.symbol, mark.interval, mark.closeTime);
  }

  /** A full disk: what only takes up room goes, then what waits to be sent and may be let go. What was found stays. */
  #makeRoom(leaving: boolean): void {
    this.#ballast.drop(leaving);
    this.file.shrink();
    this.outbox.letGoAll();
    this.file.shrink();
  }

  /** Lays aside again what a full disk made this give up, once there is room. */
  keepReserve(): void {
    this.#ballast.lay();
  }

  #prune(): void {
    this.#sincePrune = 0;
    this.#run('delete from signals where close_time < (select max(close_time) from signals) - ?', KEPT_DAYS * 86_400_000);
    this.#run('delete from signals where id in (select id from signals order by close_time desc, id limit -1 offset ?)', KEPT_SIGNALS);
  }

  /** Newest first. */
  signals(limit: number): Signal[] {
    return this.#all<{ payload: string }>('select payload from signals order by close_time desc, id limit ?', limit).map((row) => JSON.parse(row.payload) as Signal);
  }

  /** Those whose candles closed within so many ms before the newest one's, oldest first; of one candle what was said while it was under way comes first. */
  signalsSince(ms: number): Signal[] {
    return this.#all<{ payload: string }>(`select payload from signals where close_time > (select max(close_time) from signals) - ?
      order by close_time, json_extract(payload, '$.phase') <> 'forming'`, ms).map((row) => JSON.parse(row.payload) as Signal);
  }

  traderState(traderId: string, version: number): TraderState | undefined {
    return this.#all<TraderState>(`select trader_id as traderId, version, history_from as historyFrom, live_from as liveFrom, live_signals as liveSignals,
      history_signals as historySignals from trader_state where trader_id = ? and version = ?`, traderId, version)[0];
  }

  /** Keeps when a trader's version was first seen here, who is in its universe and from where each of its symbols is screened, together. */
  beginTrader(begin: { traderId: string; version: number; historyFrom: number; liveFrom: number; spans?: readonly MemberSpan[] }, marks: readonly Watermark[]): TraderState {
    return this.memberships.telling(() => this.#transaction(() => {
      const { traderId, version, historyFrom, liveFrom } = begin;
      this.#run('insert into trader_state (trader_id, version, history_from, live_from) values (?, ?, ?, ?) on conflict do nothing', traderId, version, historyFrom, liveFrom);
      for (const span of begin.spans ?? []) this.memberships.choose({ id: traderId, version }, span);
      for (const mark of marks) this.#setWatermark(mark);
      return this.traderState(traderId, version) as TraderState;
    }));
  }

  watermarks(traderId: string, version: number): Watermark[] {
    return this.#all<Watermark>(`select trader_id as traderId, version, symbol, interval, close_time as closeTime from watermarks
      where trader_id = ? and version = ?`, traderId, version);
  }

  /** A trader's symbols as of now: those that are done are forgotten, those that joined begin where they say; `spans`: the choices that are new. */
  setMembers(traderId: string, version: number, change: { left: readonly string[]; joined: readonly Watermark[]; spans?: readonly MemberSpan[] }): void {
    this.memberships.telling(() => this.#transaction(() => {
      for (const span of change.spans ?? []) this.memberships.choose({ id: traderId, version }, span);
      for (const symbol of change.left) this.#run('delete from watermarks where trader_id = ? and version = ? and symbol = ?', traderId, version, symbol);
      for (const mark of change.joined) this.#setWatermark(mark);
    }));
  }

  /** Traders that no longer run, in any version but those named, lose their watermarks: if one comes back, it begins anew from then. */
  keepOnly(running: readonly { id: string; version: number }[]): void {
    const keep = new Set(running.map((trader) => `${trader.id}:${trader.version}`));
    this.#transaction(() => {
      for (const row of this.#all<{ id: string; version: number }>('select distinct trader_id as id, version from watermarks')) {
        if (!keep.has(`${row.id}:${row.version}`)) this.#run('delete from watermarks where trader_id = ? and version = ?', row.id, row.version);
      }
    });
  }

  /** The traders as last heard of; undefined when none was ever heard of. */
  cachedTraders(): StoredTrader[] | undefined {
    if (this.get('traders_known') === undefined) return undefined;
    return this.#all<{ id: string; version: number; document: string }>('select id, version, document from traders order by id')
      .map(({ id, version, document }) => ({ id, version, document: withDefaults(JSON.parse(document) as TraderDocument) }));
  }

  cacheTraders(traders: readonly StoredTrader[]): void {
    this.#transaction(() => {
      this.#run('delete from traders');
      for (const trader of traders) this.#run('insert into traders (id, version, document) values (?, ?, ?)', trader.id, trader.version, JSON.stringify(trader.document));
      this.#set('traders_known', 'yes');
    });
  }

  /** How much waits to be written to the database. */
  outboxState(): { rows: number; oldestAt: number | null } {
    return this.outbox.state();
  }

  get(key: string): string | undefined {
    return this.#all<{ value: string }>('select value from kv where key = ?', key)[0]?.value;
  }

  set(key: string, value: string): void {
    this.#set(key, value);
  }

  /** Keeps what is to be known of a candle beyond itself: a hole, a correction. It replaces one of the same kind. */
  addCandleMark(mark: CandleMark): void {
    this.#run('insert into candle_marks (symbol, interval, open_time, kind, payload) values (?, ?, ?, ?, ?) on conflict do update set payload = excluded.payload',
      mark.symbol, mark.interval, mark.openTime, mark.kind, JSON.stringify(mark));
    this.#run('delete from candle_marks where open_time < ?', mark.openTime - KEPT_MARKS_MS);
  }

  /** Marks of a series, oldest first. */
  candleMarks(symbol: string, interval: Interval): CandleMark[] {
    return this.#all<{ payload: string }>('select payload from candle_marks where symbol = ? and interval = ? order by open_time', symbol, interval)
      .map(({ payload }) => JSON.parse(payload) as CandleMark);
  }

  /** When a symbol was first traded (ms); undefined while not known. */
  listedAt(symbol: string): number | undefined {
    return this.#all<{ at: number }>('select listed_at as at from listings where symbol = ?', symbol)[0]?.at;
  }

  setListedAt(symbol: string, ms: number): void {
    this.#run('insert into listings (symbol, listed_at) values (?, ?) on conflict do nothing', symbol, ms);
  }

  hasUsedTicket(jti: string): boolean {
    return this.#all('select 1 as one from used_tickets where jti = ?', jti).length > 0;
  }

  addUsedTicket(jti: string, expiresAt: number): void {
    this.#run('delete from used_tickets where expires_at < ?', this.#epoch() - 60_000);
    this.#run('insert into used_tickets (jti, expires_at) values (?, ?) on conflict do nothing', jti, expiresAt);
  }

  #set(key: string, value: string): void {
    this.#run('insert into kv (key, value) values (?, ?) on conflict do update set value = excluded.value', key, value);
  }

  #migrate(path: string): void {
    let version: number;
    try {
      version = this.#all<{ user_version: number }>('pragma user_version')[0]?.user_version ?? 0;
      if (version > MIGRATIONS.length) {
        throw new TradeMindError({ code: 'state_newer', message: `${path} was written by a newer version of this program.`, nextStep: 'Run that version, or move the file away.' });
      }
      for (; version < MIGRATIONS.length; version++) {
        const sql = MIGRATIONS[version] as string;
        this.#transaction(() => this.file.exec(`${sql}; pragma user_version = ${version + 1}`));
      }
    } catch (cause) {
      this.file.close();
      if (cause instanceof TradeMindError) throw cause;
      throw new TradeMindError({ code: 'state_unreadable', message: `${path} cannot be read (${(cause as Error).message}).`, nextStep: 'Move the file away; the machine then fetches and screens its history again.', cause });
    }
  }

  #transaction<T>(work: () => T): T {
    return this.file.transaction(work);
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return this.file.run(sql, ...values);
  }

  #all<T>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.file.all<T>(sql, ...values);
  }
}

/** A document that an earlier release stored has none of the fields that came since. One that is not valid stays as it is: whoever compiles it says why. */
function withDefaults(stored: TraderDocument): TraderDocument {
  const parsed = TraderDocument.safeParse(stored);
  return parsed.success ? parsed.data : stored;
}

/** A signal as the database's `write_facts` takes it: column names, times in ISO form. */
export function rowOfSignal(signal: Signal): Record<string, unknown> {
  return {
    trader_id: signal.traderId, trader_version: signal.traderVersion, trader_name: signal.traderName,
    symbol: signal.symbol, interval: signal.interval, open_time: new Date(signal.openTime).toISOString(), close_time: new Date(signal.closeTime).toISOString(),
    side: signal.side, price: signal.price, phase: signal.phase, origin: signal.origin, conditions: signal.conditions,
    ...(signal.suppressed && { suppressed: signal.suppressed }), ...(signal.missing && { missing: signal.missing }),
  };
}
