import { StateStore } from '../../packages/runtime/state/state-store.ts';
import type { Account, ChaosWorld } from './chaos-world.ts';

interface Row { id: string; name: string; symbol: string; close: string; side: string; price: string; phase: string; outcome: string | null }

export interface Compared { signals: number; expected: number; waiting: number; outcomes: Record<string, number>; violations: string[] }

/** A disturbed machine's signals against those of one that was not: each once, none more, none less, and each with exactly one outcome. Both have ended. */
export async function compareMachines(world: ChaosWorld, harmed: Account, calm: Account): Promise<Compared> {
  const [stored, expected] = [await signalsOf(world, harmed), await signalsOf(world, calm)];
  const span = { from: 0, to: Infinity };
  const waiting = new Set<string>();
  const violations: string[] = [];
  for (const account of [harmed, calm]) {
    const store = new StateStore({ dataDir: account.dataDir, epoch: Date.now, outbox: true });
    for (const id of account.traderIds) {
      const state = store.traderState(id, 1);
      if (!state) continue;
      span.from = Math.max(span.from, state.historyFrom);
      span.to = Math.min(span.to, ...store.watermarks(id, 1).map(({ closeTime }) => closeTime));
    }
    if (account === harmed) {
      for (const { kind, id, code, message } of store.outbox.setAside()) violations.push(`${kind} ${id} was set aside: ${code} ${message}`);
      for (const { id } of store.file.all<{ id: string }>('select signal_id as id from analysis_tasks')) waiting.add(id);
    }
    store.close();
  }
  const keyOf = ({ name, symbol, close, side, price, phase }: Row) => `${close} ${name} ${symbol} ${side} ${price} ${phase}`;
  const within = (rows: readonly Row[]) => rows.filter(({ close }) => Date.parse(close) > span.from && Date.parse(close) <= span.to).map(keyOf).toSorted();
  const [found, wanted] = [within(stored), within(expected)];
  const [foundSet, wantedSet] = [new Set(found), new Set(wanted)];
  violations.push(...wanted.filter((key) => !foundSet.has(key)).map((key) => `lost: ${key}`), ...found.filter((key) => !wantedSet.has(key)).map((key) => `of nowhere: ${key}`));
  if (foundSet.size !== found.length) violations.push(`${found.length - foundSet.size} signals are there twice`);
  const outcomes: Record<string, number> = {};
  for (const row of stored) {
    if (row.outcome === null && !waiting.has(row.id)) violations.push(`without an outcome: ${keyOf(row)}`);
    if (row.outcome !== null && waiting.has(row.id)) violations.push(`decided, and waiting still: ${keyOf(row)}`);
    const name = row.outcome ?? 'still waiting';
    outcomes[name] = (outcomes[name] ?? 0) + 1;
  }
  return { signals: found.length, expected: wanted.length, waiting: waiting.size, outcomes, violations };
}

async function signalsOf({ pool }: ChaosWorld, { machineId }: Account): Promise<Row[]> {
  const { rows } = await pool.query<Row>(`select s.id, s.trader_name as name, s.symbol, to_char(s.close_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as close, s.side, s.price::text, s.phase,
    coalesce(d.reason, d.outcome) as outcome from signals s left join decisions d on d.user_id = s.user_id and d.signal_id = s.id where s.machine_id = $1`, [machineId]);
  return rows;
}

/** Calls of the model that were made for one signal at once or too often, and money that was not counted. */
export async function checkCalls(world: ChaosWorld, account: Account, mostCalls: number): Promise<{ calls: number; violations: string[] }> {
  const { rows: [sums] } = await world.pool.query<{ calls: number; tokens: string; most: number }>(
    'select count(*)::int as calls, coalesce(sum(tokens_in + tokens_out), 0) as tokens, coalesce(max(attempt), 0) as most from analyses where user_id = $1', [account.userId]);
  const { rows: [usage] } = await world.pool.query<{ tokens: string; calls: number }>('select coalesce(sum(tokens_in + tokens_out), 0) as tokens, coalesce(sum(calls), 0)::int as calls from usage where user_id = $1', [account.userId]);
  const violations: string[] = [];
  if (sums!.most > mostCalls) violations.push(`a signal was asked about ${sums!.most} times, at most ${mostCalls} are allowed`);
  if (usage!.tokens !== sums!.tokens || usage!.calls !== sums!.calls) violations.push(`the usage says ${usage!.calls} calls and ${usage!.tokens} tokens, the calls say ${sums!.calls} and ${sums!.tokens}`);
  return { calls: sums!.calls, violations };
}
