import { ANALYSIS_TABLES } from '../analysis/schema.ts';

/** Tables of the machine's own database, by version: an older file is brought forward step by step, a newer one is refused. */
export const MIGRATIONS: readonly string[] = [
  `create table outbox (seq integer primary key autoincrement, kind text not null, id text not null, payload text not null, at integer not null) strict;
   create table set_aside (id text primary key, kind text not null, payload text not null, code text not null, message text not null, at integer not null) strict, without rowid;
   create table signals (id text primary key, close_time integer not null, payload text not null) strict, without rowid;
   create index signals_newest on signals (close_time desc, id);
   create table traders (id text primary key, version integer not null, document text not null) strict, without rowid;
   create table trader_state (
     trader_id text not null, version integer not null, history_from integer not null, live_from integer not null,
     live_signals integer not null default 0, history_signals integer not null default 0,
     primary key (trader_id, version)) strict, without rowid;
   create table watermarks (
     trader_id text not null, version integer not null, symbol text not null, interval text not null, close_time integer not null,
     primary key (trader_id, version, symbol)) strict, without rowid;
   create table used_tickets (jti text primary key, expires_at integer not null) strict, without rowid;
   create table kv (key text primary key, value text not null) strict, without rowid;`,
  `create table candle_marks (
     symbol text not null, interval text not null, open_time integer not null, kind text not null, payload text not null,
     primary key (symbol, interval, open_time, kind)) strict, without rowid;
   create table listings (symbol text primary key, listed_at integer not null) strict, without rowid;`,
  ANALYSIS_TABLES,
];
