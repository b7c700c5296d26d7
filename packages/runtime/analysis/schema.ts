/** The tables of the analysis in the machine's file: what waits, what was asked, what came of it, what it cost, which models are not asked. */
export const ANALYSIS_TABLES = `
  create table analysis_tasks (
    seq integer primary key autoincrement, signal_id text not null unique, trader_id text not null, trader_version integer not null, symbol text not null, close_time integer not null,
    deadline integer not null, priority integer not null, model text, state text not null default 'waiting' check (state in ('waiting', 'claimed')), put_back_at integer not null default 0, not_before integer not null default 0,
    calls integer not null default 0, invalid integer not null default 0, interruptions integer not null default 0, problem text, payload text not null) strict;
  create index analysis_tasks_next on analysis_tasks (state, priority desc, close_time desc, seq);
  create index analysis_tasks_deadline on analysis_tasks (deadline);
  create table analysis_calls (
    id text primary key, signal_id text not null, attempt integer not null, model text not null, prompt_version text not null, prompt_hash text not null, day text not null,
    started_at integer not null, latency_ms integer not null, tokens_in integer not null, tokens_out integer not null, nano_usd integer not null, estimated integer not null, result text) strict, without rowid;
  create index analysis_calls_running on analysis_calls (id) where result is null;
  create index analysis_calls_started on analysis_calls (started_at);
  create table analysis_usage (day text primary key, calls integer not null, tokens integer not null, nano_usd integer not null) strict, without rowid;
  create table analysis_outcomes (signal_id text primary key, at integer not null, question text, payload text not null) strict, without rowid;
  create index analysis_outcomes_at on analysis_outcomes (at);
  create index analysis_outcomes_question on analysis_outcomes (question) where question is not null;
  create table analysis_circuits (model text primary key, payload text not null) strict, without rowid;`;
