// A process that finds facts of every kind and sends them, until it has found so many (Infinity: until it is killed): for tests that kill it. Env: DATA_DIR, SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY,
// TOKEN, TRADER_ID, FACTS, FIRST_AT (ms: when the first happened, the others each a second later). What it found is counted in the same transaction, so its next life goes on where this one was killed.
import { randomUUID } from 'node:crypto';
import { v5 as uuidV5 } from 'uuid';
import { SupabaseDatabase } from '../../packages/runtime/control/database.ts';
import { StateStore } from '../../packages/runtime/state/state-store.ts';
import { StateSynchronizer } from '../../packages/runtime/state/state-synchronizer.ts';
import { systemWall } from '../../packages/runtime/time.ts';

const { DATA_DIR = '', SUPABASE_URL = '', SUPABASE_PUBLISHABLE_KEY = '', TOKEN = '', TRADER_ID = '', FACTS = '0', FIRST_AT = '0' } = process.env;
const NAMESPACE = '0b0e7a52-6f4b-4f43-9f0b-2f7c5a0b9d10';
const ending = new AbortController();
const say = (what: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(what)}\n`);
const store = new StateStore({ dataDir: DATA_DIR, epoch: Date.now, outbox: true });
const database = new SupabaseDatabase({ url: SUPABASE_URL, publishableKey: SUPABASE_PUBLISHABLE_KEY, signal: ending.signal, token: { get: () => Promise.resolve(TOKEN), revoked: () => undefined } });
const synchronizer = new StateSynchronizer({ store, database, wall: systemWall, signal: ending.signal, newId: randomUUID, onSent: () => say({ sent: true }), log: (level, code) => say({ level, code }) });

/** Facts number n: a signal with its decision, its analysis, an event and a note. Every 50th signal is one that the database refuses, so its decision is refused too. */
function find(n: number): void {
  const id = (kind: string) => uuidV5(`${kind} ${n}`, NAMESPACE);
  const at = new Date(Number(FIRST_AT) + n * 1_000).toISOString();
  const { outbox } = store;
  outbox.add('signal', id('signal'), {
    trader_id: TRADER_ID, trader_version: 1, trader_name: 'Dip', symbol: 'BTCUSDT', interval: '1m', side: 'long', price: n % 50 === 0 ? -1 : n + 1, phase: 'closed', origin: 'live', conditions: [],
    open_time: at, close_time: new Date(Date.parse(at) + 60_000).toISOString(),
  });
  outbox.add('analysis', id('analysis'), {
    signal_id: id('signal'), attempt: 1, model: 'm', prompt_version: 'p/1', prompt_hash: 'a'.repeat(64), started_at: at, latency_ms: 1, tokens_in: 10, tokens_out: 1, nano_usd: 100, estimated: false, result: 'answered',
  });
  outbox.add('decision', id('signal'), { at, outcome: 'none', reason: 'stale', message: `Number ${n}.` });
  outbox.add('event', id('event'), { at, kind: 'found', message: `Number ${n}.`, data: { n } });
  outbox.add('notification', id('notification'), { at, channel: 'telegram', rule: 'signals', outcome: 'sent', attempts: 1, message: `Number ${n}.` });
}

const running = synchronizer.run();
for (;;) {
  // of events and notifications no more than 2,000 are kept while they wait: one of each in five rows
  while (store.outbox.state().rows > 5_000) await new Promise((resolve) => { setTimeout(resolve, 20); });
  const next = Number(store.get('next') ?? '0');
  if (next >= Number(FACTS)) break;
  store.file.transaction(() => {
    for (let n = next; n < Math.min(next + 5, Number(FACTS)); n++) find(n);
    store.set('next', String(Math.min(next + 5, Number(FACTS))));
  });
  synchronizer.nudge();
  await new Promise((resolve) => { setTimeout(resolve, 5); });
}
say({ found: true });
while (!(await synchronizer.flush(60_000)));
ending.abort();
await running;
store.close();
say({ done: true });
