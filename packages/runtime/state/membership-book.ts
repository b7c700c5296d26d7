import { intervalOpen, type Interval, type TraderDocument } from '@trademind/core';
import { Membership, type Absence, type MemberSpan } from '@trademind/engine';
import type { DatabaseFile } from './database-file.ts';

/** Spans and absences kept of a trader's version, and of all together: the oldest are let go. With a change an hour that is six weeks of one; 20,000 choices of a hundred symbols take some 20 MB. */
const KEPT = 1_000;
const KEPT_IN_ALL = 20_000;

/** Tables of the book; what is known of memberships from before it is who is screened now. */
export const MEMBERSHIP_TABLES = `
  create table universes (
    trader_id text not null, version integer not null, after_close integer not null, symbols text not null,
    primary key (trader_id, version, after_close)) strict, without rowid;
  create index universes_oldest on universes (after_close);
  create table absences (
    trader_id text not null, version integer not null, from_close integer not null, to_close integer not null, symbols text not null,
    primary key (trader_id, version, from_close)) strict, without rowid;
  create index absences_oldest on absences (from_close);
  insert into universes (trader_id, version, after_close, symbols)
    select trader_id, version, history_from, json_group_array(symbol) from watermarks join trader_state using (trader_id, version) group by trader_id, version;`;

/** A version of a trader. */
export interface TraderVersion { readonly id: string; readonly version: number }

/** What became known of a trader's membership: all that is known as it begins here, then what is new. */
export interface MembershipEntry extends TraderVersion {
  /** Given with the first entry. */
  readonly document?: TraderDocument;
  readonly spans: readonly MemberSpan[];
  readonly absences: readonly Absence[];
}

/**
 * Who was in each trader's universe, close by close, and who was missing when a close was screened: kept so that whoever screens it again ranks the same symbols. Times in ms of market
 * time. Rows are added, never changed, but for a stretch of absence that goes on and a choice that another one replaces before any close has seen it.
 */
export class MembershipBook {
  readonly #file: DatabaseFile;
  /** Hears of everything that is new, once it is kept. */
  tell: ((entry: MembershipEntry) => void) | undefined;
  #news: MembershipEntry[] = [];

  constructor(file: DatabaseFile) {
    this.#file = file;
  }

  /** Does a transaction that may write here, and tells of what it wrote once it is done. */
  telling<T>(transaction: () => T): T {
    this.#news = [];
    const result = transaction();
    for (const entry of this.#news.splice(0)) this.tell?.(entry);
    return result;
  }

  /** A trader begins here with this: all that is known of it is told. */
  begins(trader: TraderVersion & { readonly document: TraderDocument }, { spans, absences }: Membership): void {
    const { id, version, document } = trader;
    this.tell?.({ id, version, document, spans: spans.filter(({ after }) => Number.isFinite(after)).map(({ after, symbols }) => ({ after, symbols: [...symbols] })), absences });
  }

  /** All that is known of a trader's version; undefined where nothing is. */
  of({ id, version }: TraderVersion): Membership | undefined {
    const spans = this.#file.all<{ after: number; symbols: string }>('select after_close as "after", symbols from universes where trader_id = ? and version = ? order by after_close', id, version);
    const absences = this.#file.all<{ from: number; to: number; symbols: string }>('select from_close as "from", to_close as "to", symbols from absences where trader_id = ? and version = ? order by from_close', id, version);
    return spans.length === 0 ? undefined : new Membership(spans.map(read), absences.map(read));
  }

  /** A trader screens these symbols on the closes after `span.after`. */
  choose({ id, version }: TraderVersion, span: MemberSpan): void {
    this.#file.transaction(() => {
      this.#file.run('insert into universes (trader_id, version, after_close, symbols) values (?, ?, ?, ?) on conflict do update set symbols = excluded.symbols', id, version, span.after, JSON.stringify(span.symbols));
      this.#bound('universes', 'after_close', id, version);
    });
    this.#news.push({ id, version, spans: [span], absences: [] });
  }

  /** These were missing when a close was screened. */
  absent({ id, version }: TraderVersion, interval: Interval, closeTime: number, symbols: readonly string[]): void {
    const names = JSON.stringify(symbols);
    this.#file.transaction(() => {
      // The close before it.
      const before = intervalOpen(interval, closeTime - 1);
      const goesOn = this.#file.run('update absences set to_close = ? where trader_id = ? and version = ? and to_close = ? and symbols = ?', closeTime, id, version, before, names);
      if (goesOn > 0) return;
      this.#file.run('insert into absences (trader_id, version, from_close, to_close, symbols) values (?, ?, ?, ?, ?) on conflict do nothing', id, version, closeTime, closeTime, names);
      this.#bound('absences', 'from_close', id, version);
    });
    this.#news.push({ id, version, spans: [], absences: [{ from: closeTime, to: closeTime, symbols }] });
  }

  #bound(table: 'universes' | 'absences', time: 'after_close' | 'from_close', id: string, version: number): void {
    this.#file.run(`delete from ${table} where trader_id = ? and version = ? and ${time} in (select ${time} from ${table} where trader_id = ? and version = ? order by ${time} desc limit -1 offset ${KEPT})`, id, version, id, version);
    this.#file.run(`delete from ${table} where (trader_id, version, ${time}) in (select trader_id, version, ${time} from ${table} order by ${time} desc limit -1 offset ${KEPT_IN_ALL})`);
  }
}

const read = <Row extends { symbols: string }>({ symbols, ...row }: Row) => ({ ...row, symbols: JSON.parse(symbols) as string[] });
