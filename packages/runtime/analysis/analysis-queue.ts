import type { SQLInputValue } from 'node:sqlite';
import type { AnalysisCall, AnalysisOutcome, CallResult, Decision, Signal } from '@trademind/core';
import type { DatabaseFile } from '../state/database-file.ts';
import type { TraderBrief } from './analysis-input.ts';
import type { Circuit } from './circuit.ts';

/** A signal that waits for its analysis. Deadline in ms of market time. */
export interface NewTask {
  signal: Signal;
  brief: TraderBrief;
  minConfidence: number;
  deadline: number;
  /** 9 before 0. */
  priority: number;
  /** null: the machine's own. */
  model: string | null;
}

export interface Task extends NewTask {
  signalId: string;
  /** Calls begun, answers that were not in the agreed form, and ends of the program in the middle of a call. */
  calls: number;
  invalid: number;
  interruptions: number;
  /** What went wrong last, in words. */
  problem: string | null;
}

/** A call before it has ended: tokens and money are what it may use at most. `day` (UTC) is the one whose cap it counts against. */
export type RunningCall = Omit<AnalysisCall, 'result'> & { day: string };
/** A call that has ended, here or elsewhere; a newer version may have results that this one does not know. */
export type KnownCall = Omit<AnalysisCall, 'result'> & { result: string };
export interface Used { calls: number; tokens: number; nanoUsd: number }

const TASK = `signal_id as signalId, deadline, priority, model, calls, invalid, interruptions, problem, payload`;
const CALL = `id, signal_id as signalId, attempt, model, prompt_version as promptVersion, prompt_hash as promptHash, started_at as startedAt, latency_ms as latencyMs,
  tokens_in as tokensIn, tokens_out as tokensOut, nano_usd as nanoUsd, estimated`;

type TaskRow = Omit<Task, 'signal' | 'brief' | 'minConfidence'> & { payload: string };
type CallRow = Omit<RunningCall, 'estimated'> & { estimated: number };

/**
 * The analysis' part of the machine's file. Each signal is in exactly one place: it waits, it is claimed by a call that runs, or it has its one outcome. All is synchronous; what must
 * hold together is written in one transaction by whoever calls.
 */
export class AnalysisQueue {
  readonly #file: DatabaseFile;

  constructor(file: DatabaseFile) {
    this.#file = file;
  }

  transaction<T>(work: () => T): T {
    return this.#file.transaction(work);
  }

  /** Whether the signal waits, runs or has its outcome. */
  knows(signalId: string): boolean {
    return this.#file.all('select 1 from analysis_tasks where signal_id = ? union all select 1 from analysis_outcomes where signal_id = ?', signalId, signalId).length > 0;
  }

  add({ signal, brief, minConfidence, deadline, priority, model }: NewTask): void {
    this.#file.run(`insert into analysis_tasks (signal_id, trader_id, trader_version, symbol, close_time, deadline, priority, model, payload) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      signal.id, signal.traderId, signal.traderVersion, signal.symbol, signal.closeTime, deadline, priority, model, JSON.stringify({ signal, brief, minConfidence }));
  }

  /**
   * The tasks whose turn it is, at most `limit`: the highest priority first, then the newest candle, for an old decision is worth less.
   * @param now wall time, ms
   * @param models the machine's own, and those that are not asked now
   */
  ready(now: number, models: { own: string; blocked: readonly string[] }, limit: number): Task[] {
    // A clock that was set back must not make it wait.
    return this.#tasks(`state = 'waiting' and (not_before <= ? or put_back_at > ?) and coalesce(model, ?) not in (select value from json_each(?)) order by priority desc, close_time desc, seq limit ?`,
      now, now, models.own, JSON.stringify(models.blocked), limit);
  }

  /** When (wall time, ms) the next task is ready that is not yet. */
  nextAt(now: number): number | undefined {
    return this.#file.all<{ at: number | null }>("select min(not_before) as at from analysis_tasks where state = 'waiting' and not_before > ?", now)[0]?.at ?? undefined;
  }

  anyWaiting(): boolean {
    return this.#file.all("select 1 from analysis_tasks where state = 'waiting' limit 1").length > 0;
  }

  counts(): { waiting: number; claimed: number; oldestCloseTime: number | null } {
    return this.#file.all<{ waiting: number; claimed: number; oldestCloseTime: number | null }>(`select count(*) filter (where state = 'waiting') as waiting,
      count(*) filter (where state = 'claimed') as claimed, min(close_time) filter (where state = 'waiting') as oldestCloseTime from analysis_tasks`)[0]!;
  }

  /** Those that wait and whose deadline is over, at most `limit`. */
  stale(marketNow: number, limit: number): Task[] {
    return this.#tasks("state = 'waiting' and deadline < ? order by deadline limit ?", marketNow, limit);
  }

  /** Those that wait for a model and whose deadline (ms, market time) is before `deadline`, at most `limit`. */
  waitingFor(model: string, own: string, deadline: number, limit: number): Task[] {
    return this.#tasks("state = 'waiting' and coalesce(model, ?) = ? and deadline < ? order by deadline limit ?", own, model, deadline, limit);
  }

  waiting(limit: number): Task[] {
    return this.#tasks("state = 'waiting' order by seq limit ?", limit);
  }

  /** Those that wait although none of these traders is theirs, at most `limit`. */
  waitingOutside(traderIds: readonly string[], limit: number): Task[] {
    return this.#tasks("state = 'waiting' and trader_id not in (select value from json_each(?)) order by seq limit ?", JSON.stringify(traderIds), limit);
  }

  /** Those that wait and are of the same trader, symbol and candle. */
  waitingWith({ traderId, traderVersion, symbol, closeTime }: Signal): Task[] {
    return this.#tasks("state = 'waiting' and close_time = ? and trader_id = ? and trader_version = ? and symbol = ?", closeTime, traderId, traderVersion, symbol);
  }

  /** Gives a waiting task to a call that is about to begin, and counts what it may use at most. False when somebody has it already. */
  claim(call: RunningCall): boolean {
    if (this.#file.run("update analysis_tasks set state = 'claimed', calls = calls + 1 where signal_id = ? and state = 'waiting'", call.signalId) === 0) return false;
    this.#count(call, null);
    return true;
  }

  /** Counts calls that were made elsewhere, or before this file was made: each once, and none that is known here. `dayOf`: the day (UTC) of an instant (ms). */
  learn(calls: readonly KnownCall[], dayOf: (epoch: number) => string): void {
    for (const call of calls) if (!this.hasCall(call.id)) this.#count({ ...call, day: dayOf(call.startedAt) }, call.result);
  }

  /** Whether a call with this id was made, wherever. */
  hasCall(id: string): boolean {
    return this.#file.all('select 1 from analysis_calls where id = ?', id).length > 0;
  }

  /** A call has ended: what it used takes the place of what it might have. */
  settle(before: RunningCall, call: AnalysisCall): void {
    this.#file.run('update analysis_calls set latency_ms = ?, tokens_in = ?, tokens_out = ?, nano_usd = ?, estimated = ?, result = ? where id = ? and result is null',
      call.latencyMs, call.tokensIn, call.tokensOut, call.nanoUsd, Number(call.estimated), call.result, call.id);
    this.#use(before.day, { calls: 0, tokens: call.tokensIn + call.tokensOut - before.tokensIn - before.tokensOut, nanoUsd: call.nanoUsd - before.nanoUsd });
  }

  /** A task waits (again) for its turn, which comes `forMs` after now (wall time, ms) at the earliest. */
  putBack(signalId: string, change: { now: number; forMs: number; problem?: string | null; invalid?: boolean; interrupted?: boolean }): void {
    this.#file.run(`update analysis_tasks set state = 'waiting', put_back_at = ?, not_before = ?, problem = coalesce(?, problem), invalid = invalid + ?, interruptions = interruptions + ? where signal_id = ?`,
      change.now, change.now + Math.ceil(change.forMs), change.problem ?? null, Number(change.invalid ?? false), Number(change.interrupted ?? false), signalId);
  }

  /** The one outcome of a signal; its task, if it had one, is over. False when it had its outcome before, which stays. `question`: what the model was asked, for who asks the same. */
  close(outcome: AnalysisOutcome, question: string | null = null): boolean {
    const added = this.#file.run('insert into analysis_outcomes (signal_id, at, question, payload) values (?, ?, ?, ?) on conflict do nothing', outcome.signalId, outcome.at, question, JSON.stringify(outcome));
    this.#file.run('delete from analysis_tasks where signal_id = ?', outcome.signalId);
    return added > 0;
  }

  /** The decision that an equal question was answered with. */
  answered(question: string): Decision | undefined {
    const row = this.#file.all<{ payload: string }>('select payload from analysis_outcomes where question = ? limit 1', question)[0];
    const outcome = row && (JSON.parse(row.payload) as AnalysisOutcome);
    return outcome?.kind === 'decision' ? outcome.decision : undefined;
  }

  outcome(signalId: string): AnalysisOutcome | undefined {
    const row = this.#file.all<{ payload: string }>('select payload from analysis_outcomes where signal_id = ?', signalId)[0];
    return row && (JSON.parse(row.payload) as AnalysisOutcome);
  }

  /** Newest first. */
  outcomes(limit: number): AnalysisOutcome[] {
    return this.#file.all<{ payload: string }>('select payload from analysis_outcomes order by at desc, signal_id limit ?', limit).map(({ payload }) => JSON.parse(payload) as AnalysisOutcome);
  }

  /** Calls that had begun and have no end: at a start, those that the last run was in the middle of. */
  running(): RunningCall[] {
    return this.#file.all<CallRow>(`select ${CALL}, day from analysis_calls where result is null`).map(callOf);
  }

  task(signalId: string): Task | undefined {
    return this.#tasks('signal_id = ?', signalId)[0];
  }

  /** When (wall time, ms) the calls ended that ended after `since`. */
  endsSince(since: number): number[] {
    return this.#file.all<{ end: number }>('select started_at + latency_ms as end from analysis_calls where result is not null and started_at + latency_ms > ? order by started_at desc limit 10000', since).map(({ end }) => end);
  }

  /** All calls for a signal, in their order. */
  calls(signalId: string): AnalysisCall[] {
    return this.#file.all<Omit<CallRow, 'day'> & { result: CallResult }>(`select ${CALL}, result from analysis_calls where signal_id = ? and result is not null order by attempt`, signalId)
      .map((row) => ({ ...row, estimated: row.estimated === 1 }));
  }

  /** What the calls of a day (UTC) used, those under way with what they may use at most; and what of it belongs to those. */
  used(day: string): Used & { reserved: Omit<Used, 'calls'> } {
    const used = this.#file.all<Used>('select calls, tokens, nano_usd as nanoUsd from analysis_usage where day = ?', day)[0] ?? { calls: 0, tokens: 0, nanoUsd: 0 };
    const reserved = this.#file.all<Omit<Used, 'calls'>>('select coalesce(sum(tokens_in + tokens_out), 0) as tokens, coalesce(sum(nano_usd), 0) as nanoUsd from analysis_calls where result is null and day = ?', day)[0]!;
    return { ...used, reserved };
  }

  circuits(): Map<string, Circuit> {
    return new Map(this.#file.all<{ model: string; payload: string }>('select model, payload from analysis_circuits').map(({ model, payload }) => [model, JSON.parse(payload) as Circuit]));
  }

  setCircuit(model: string, circuit: Circuit): void {
    this.#file.run('insert into analysis_circuits (model, payload) values (?, ?) on conflict do update set payload = excluded.payload', model, JSON.stringify(circuit));
  }

  /** Forgets outcomes, calls and usage older than an instant (wall time, ms), and all but the newest `most` of each; but no call from the day `keptFrom` on, for it could be learnt of and counted again. */
  prune(before: number, most: number, keptFrom: string): void {
    this.#file.run('delete from analysis_outcomes where at < ?', before);
    this.#file.run('delete from analysis_outcomes where signal_id in (select signal_id from analysis_outcomes order by at desc limit -1 offset ?)', most);
    this.#file.run('delete from analysis_calls where result is not null and started_at < ?', before);
    this.#file.run('delete from analysis_calls where result is not null and day < ? and id in (select id from analysis_calls order by started_at desc limit -1 offset ?)', keptFrom, most);
    this.#file.run('delete from analysis_usage where day < ?', new Date(before).toISOString().slice(0, 10));
  }

  /** Writes down a call that is not known here, and what it used. */
  #count(call: RunningCall, result: string | null): void {
    this.#file.run(`insert into analysis_calls (id, signal_id, attempt, model, prompt_version, prompt_hash, day, started_at, latency_ms, tokens_in, tokens_out, nano_usd, estimated, result)
      values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, call.id, call.signalId, call.attempt, call.model, call.promptVersion, call.promptHash, call.day, call.startedAt, call.latencyMs,
    call.tokensIn, call.tokensOut, call.nanoUsd, Number(call.estimated), result);
    this.#use(call.day, { calls: 1, tokens: call.tokensIn + call.tokensOut, nanoUsd: call.nanoUsd });
  }

  #use(day: string, more: Used): void {
    this.#file.run(`insert into analysis_usage (day, calls, tokens, nano_usd) values (?, ?, ?, ?)
      on conflict do update set calls = calls + excluded.calls, tokens = tokens + excluded.tokens, nano_usd = nano_usd + excluded.nano_usd`, day, more.calls, more.tokens, more.nanoUsd);
  }

  #tasks(where: string, ...values: SQLInputValue[]): Task[] {
    return this.#file.all<TaskRow>(`select ${TASK} from analysis_tasks where ${where}`, ...values)
      .map(({ payload, ...row }) => ({ ...row, ...(JSON.parse(payload) as Pick<Task, 'signal' | 'brief' | 'minConfidence'>) }));
  }
}

const callOf = ({ estimated, ...row }: CallRow): RunningCall => ({ ...row, estimated: estimated === 1 });
