import { afterAll, beforeAll, expect, test } from 'vitest';
import { StateStore, type TraderState } from '../../packages/runtime/state/state-store.ts';
import { BUSY, DIP, machineEnv, removeDir, spawnMachine, startCloud, startTestExchange, tempDir, until, type Cloud, type Exchange, type MachineProcess, type TestMachine } from './world.ts';

interface Row { id: string; trader_name: string; symbol: string; close_time: string; side: string; price: string; origin: string }

let cloud: Cloud;
let exchange: Exchange;
const folders = [tempDir(), tempDir()];
const running: MachineProcess[] = [];
beforeAll(async () => {
  cloud = await startCloud();
  exchange = await startTestExchange({ speed: 300 });
});
afterAll(async () => {
  await Promise.all(running.map((machine) => machine.kill('SIGKILL')));
  await exchange.close();
  await cloud.close();
  folders.forEach(removeDir);
});

async function signalsOf(machine: TestMachine): Promise<Row[]> {
  const { rows } = await cloud.supabase.database.pool.query<Row>('select id, trader_name, symbol, close_time::text, side, price::text, origin from signals where machine_id = $1 order by close_time, id', [machine.id]);
  return rows;
}

test('a machine killed at random moments writes exactly the signals of one that was never disturbed', async () => {
  const [calm, killed] = await Promise.all([cloud.addMachine(), cloud.addMachine()]);
  const traderIds: string[] = [];
  for (const machine of [calm, killed]) for (const trader of [BUSY, DIP]) traderIds.push(await machine.addTrader(trader));
  const env = machineEnv({ cloud, machine: killed, exchange, dataDir: folders[1] as string });
  const undisturbed = await spawnMachine(machineEnv({ cloud, machine: calm, exchange, dataDir: folders[0] as string }));
  running.push(undisturbed);

  // Before anything is laid down, in the backfill, and while it screens, each at a random moment.
  const began = (code: string, phase?: string) => (machine: MachineProcess) => machine.logged.some((line) => line['code'] === code && (phase === undefined || line['phase'] === phase));
  for (const moment of [began('state_open'), began('phase', 'backfilling'), began('phase', 'screening'), began('phase', 'screening'), began('phase', 'screening')]) {
    const victim = await spawnMachine(env);
    running.push(victim);
    await until('the moment', () => moment(victim));
    await new Promise((resolve) => { setTimeout(resolve, Math.random() * 700); });
    expect(await victim.kill('SIGKILL')).toBeNull();
  }
  const last = await spawnMachine(env);
  running.push(last);
  await until('both machines screen', () => [undisturbed, last].every(began('phase', 'screening')));
  const meet = (await signalsOf(calm)).at(-1)?.close_time ?? '';
  await until('both have gone on', async () => (await Promise.all([signalsOf(calm), signalsOf(killed)])).every((rows) => (rows.at(-1)?.close_time ?? '') > meet));
  expect(await Promise.all([undisturbed.kill('SIGTERM'), last.kill('SIGTERM')])).toEqual([0, 0]);

  // Compared where both have screened: after the later start, up to the earlier end.
  const stores = folders.map((dataDir) => new StateStore({ dataDir, epoch: Date.now, outbox: true }));
  const span = { from: 0, to: Infinity };
  for (const store of stores) {
    for (const id of traderIds) {
      const state: TraderState | undefined = store.traderState(id, 1);
      if (!state) continue;
      span.from = Math.max(span.from, state.historyFrom);
      span.to = Math.min(span.to, ...store.watermarks(id, 1).map((mark) => mark.closeTime));
      expect(store.outbox.setAside()).toEqual([]);
    }
    store.close();
  }
  const facts = async (machine: TestMachine) => (await signalsOf(machine))
    .filter((row) => Date.parse(row.close_time) > span.from && Date.parse(row.close_time) <= span.to)
    .map((row) => `${row.close_time} ${row.trader_name} ${row.symbol} ${row.side} ${row.price}`).toSorted();
  const [expected, found] = await Promise.all([facts(calm), facts(killed)]);
  expect(expected.length).toBeGreaterThan(100);
  expect(found).toEqual(expected);
  expect(new Set(found).size).toBe(found.length);
}, 240_000);
