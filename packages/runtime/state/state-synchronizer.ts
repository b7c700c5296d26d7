import { codeOf, sentenceOf } from '@trademind/core';
import type { Database, WriteAnswer } from '../control/database.ts';
import { faultOf } from '../control/database-fault.ts';
import type { Log } from '../log.ts';
import { Nudge } from '../nudge.ts';
import { Backoff, pause, type Wall } from '../time.ts';
import { FIRST_PLAN, pickAfter, planAfter, type BatchEnd, type BatchPlan } from './batch-plan.ts';
import type { LetGo, OutboxRow, Refusal } from './outbox.ts';
import type { StateStore } from './state-store.ts';

/** Beside the plan's rows: about what a thousand signals come to. */
const BATCH_BYTES = 1_000_000;
/** What is not sent at once waits for company, at most so long. */
const COMPANY_MS = 10_000;
/** Between two batches, however fast the database: a burst goes out together, and a long catch-up leaves room for all else. */
const GAP_MS = 1_000;
/** A slow database is left alone for this many times what a batch took. */
const REST_SHARE = 4;
const BACKOFF = { first: 200, most: 15_000 };
const GIVE_UP_MS = 2_000;
const TOLD_FOR_MS = 86_400_000;

export interface StateSynchronizerOptions {
  store: Pick<StateStore, 'outbox' | 'keepReserve'>;
  database: Pick<Database, 'writeFacts'>;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  newId: () => string;
  /** The outbox became shorter. */
  onSent: () => void;
}

/**
 * Sends the outbox to the database: in batches of 1,000 rows or 10 s, at once when nudged, at most one a second. A row leaves the outbox only when
 * the database has answered for it; one that it will never take is set aside with the reason, told in the machine's history, and holds nobody up.
 */
export class StateSynchronizer {
  readonly #options: StateSynchronizerOptions;
  readonly #nudge: Nudge;
  /** Cuts the gap between two batches short; only a flush does that. */
  readonly #hurry: Nudge;
  readonly #backoff: Backoff;
  #plan: BatchPlan = FIRST_PLAN;
  #problem: { code: string; message: string } | null = null;
  #flushing = false;

  constructor(options: StateSynchronizerOptions) {
    this.#options = options;
    this.#nudge = new Nudge(options.signal);
    this.#hurry = new Nudge(options.signal);
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
  }

  /** Why nothing is sent, or that something was set aside within a day; null when all is well. */
  get problem(): { code: string; message: string } | null {
    if (this.#problem) return this.#problem;
    const rows = this.#options.store.outbox.setAsideSince(this.#options.wall.epoch() - TOLD_FOR_MS);
    return rows === 0 ? null : { code: 'facts_refused', message: `The database refused ${rows} ${rows === 1 ? 'row' : 'rows'} within a day; they are kept on this machine, the reasons stand in its history.` };
  }

  /** Something was queued that is to be sent at once. */
  nudge(): void {
    // While the database is away its back-off decides, not the next candle.
    if (this.#problem === null) this.#nudge.now();
  }

  async run(): Promise<void> {
    const { signal, wall } = this.#options;
    while (!signal.aborted) {
      const began = wall.now();
      const sent = await this.#once();
      if (sent === 'failed') await this.#nudge.wait(this.#flushing ? BACKOFF.first : this.#backoff.next());
      else if (sent === 'empty') await this.#company();
      else if (!this.#flushing) await this.#hurry.wait(Math.min(COMPANY_MS, Math.max(GAP_MS, REST_SHARE * (wall.now() - began))));
    }
  }

  /**
   * Sends without pauses until the outbox is empty or `ms` have passed, or the database has failed for 2 s: what is left waits on disk.
   * Answers whether it is empty. `run` must be running.
   */
  async flush(ms: number): Promise<boolean> {
    const { store, wall, signal } = this.#options;
    this.#flushing = true;
    const deadline = wall.now() + ms;
    let failingSince: number | null = null;
    this.#nudge.now();
    this.#hurry.now();
    try {
      while (store.outbox.state().rows > 0) {
        failingSince = this.#problem === null ? null : (failingSince ?? wall.now());
        if (wall.now() >= deadline || signal.aborted || (failingSince !== null && wall.now() - failingSince >= GIVE_UP_MS)) return false;
        if (this.#problem === null) this.#nudge.now();
        await pause(50, signal);
      }
      return true;
    } finally {
      this.#flushing = false;
    }
  }

  /** Until it is worth while: a nudge, a full batch, or 10 s. */
  async #company(): Promise<void> {
    for (let waited = 0; waited < COMPANY_MS; waited += GAP_MS) {
      if (await this.#nudge.wait(GAP_MS) || this.#options.signal.aborted || this.#options.store.outbox.state().rows >= FIRST_PLAN.rows) return;
    }
  }

  async #once(): Promise<'sent' | 'empty' | 'failed'> {
    const { store, database, wall, signal, onSent } = this.#options;
    let rows: OutboxRow[] = [];
    try {
      const pick = pickAfter(this.#plan, wall.now());
      rows = store.outbox.batch({ rows: this.#plan.rows, bytes: BATCH_BYTES }, pick);
      if (rows.length === 0) {
        // A suspect that was let go meanwhile is none any more.
        if ('only' in pick) this.#plan = { ...this.#plan, suspects: this.#plan.suspects.filter(({ seq }) => seq !== pick.only) };
        return 'only' in pick ? 'sent' : 'empty';
      }
      const { facts, sent } = factsOf(rows);
      const answer = await database.writeFacts(facts);
      this.#settle(rows, refusalsOf(sent, answer));
      this.#endsAs('written', rows);
      this.#well();
      onSent();
      return 'sent';
    } catch (error) {
      if (signal.aborted) return 'failed';
      const next = this.#endsAs(await this.#faultOf(error, rows), rows);
      if (next === 'go on') return 'sent';
      if (next === 'set aside') {
        this.#settle(rows, rows.map((row) => ({ row, code: codeOf(error), message: sentenceOf(error) })));
        return 'sent';
      }
      if (this.#problem?.code !== codeOf(error)) this.#options.log('warn', codeOf(error), `What was found waits on disk: ${sentenceOf(error)}`);
      this.#problem = { code: codeOf(error), message: sentenceOf(error) };
      return 'failed';
    }
  }

  /** Whether a single row is to blame for what happened to it is asked with a batch of none. */
  async #faultOf(error: unknown, rows: readonly OutboxRow[]): Promise<BatchEnd> {
    const fault = faultOf(error);
    if (rows.length !== 1 || fault === 'refused') return fault;
    return this.#options.database.writeFacts({}).then(() => 'failing', () => 'away');
  }

  #endsAs(end: BatchEnd, rows: readonly OutboxRow[]): 'go on' | 'set aside' | 'wait' {
    const { plan, next } = planAfter(this.#plan, rows.map(({ seq }) => seq), end, this.#options.wall.now());
    this.#plan = plan;
    return next;
  }

  /** What was answered, and what the user is told of it, together. */
  #settle(rows: readonly OutboxRow[], refusals: readonly Refusal[]): void {
    const { store, log } = this.#options;
    for (const { row, code, message } of refusals.slice(0, 5)) log('error', code, `The database refused ${row.kind} ${row.id}: ${message} It is set aside.`);
    store.outbox.settle(rows, refusals, (aside) => {
      // An event that was refused is not told by another event, which may be refused in turn.
      const first = aside.find(({ row }) => row.kind !== 'event');
      if (!first) return;
      const others = aside.length === 1 ? '' : `, and ${aside.length - 1} more`;
      this.#tell('facts_refused', `The database refused ${first.row.kind} ${first.row.id} (${first.message})${others}: kept on the machine, missing here.`,
        { refused: aside.slice(0, 50).map(({ row, code }) => ({ kind: row.kind, id: row.id, code })), rows: aside.length });
    });
  }

  /** The database answers. */
  #well(): void {
    const { store, log } = this.#options;
    if (this.#problem) log('info', 'outbox_sending', 'What was found is being written to the database again.');
    this.#problem = null;
    this.#backoff.reset();
    store.outbox.tellLetGo((gone) => this.#tell('facts_let_go', `To make room while they could not be sent, these were let go: ${gone.map(sentenceOfGone).join(', ')}.`, { gone }));
    store.keepReserve();
  }

  #tell(kind: string, message: string, data: Readonly<Record<string, unknown>>): void {
    const { store, wall, newId } = this.#options;
    store.outbox.add('event', newId(), { at: new Date(wall.epoch()).toISOString(), kind, message: message.slice(0, 2_000), data });
  }
}

/** Rows by kind as `write_facts` takes them, and which row stands where. */
function factsOf(rows: readonly OutboxRow[]): { facts: Record<string, unknown[]>; sent: Map<string, OutboxRow[]> } {
  const sent = Map.groupBy(rows, ({ kind }) => kind as string);
  return { sent, facts: Object.fromEntries([...sent].map(([kind, ofKind]) => [kind, ofKind.map(({ payload }) => JSON.parse(payload) as unknown)])) };
}

function refusalsOf(sent: ReadonlyMap<string, readonly OutboxRow[]>, answer: WriteAnswer): Refusal[] {
  return answer.rejected.flatMap(({ kind, index, code, message }) => {
    const row = sent.get(kind)?.[index];
    return row ? [{ row, code, message }] : [];
  });
}

const sentenceOfGone = ({ kind, rows, from, to }: LetGo) => `${rows} of kind ${kind} (queued ${new Date(from).toISOString()} to ${new Date(to).toISOString()})`;
