import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { intervalClose, type Signal } from '@trademind/core';
import { systemWall, type Wall } from '../../packages/runtime/time.ts';
import { BUSY, DIP, removeDir, startCloud, startOrchestrator, startRelay, startTestExchange, tempDir, until, type Cloud, type Exchange, type InProcess, type TestMachine } from './world.ts';

let cloud: Cloud;
let exchange: Exchange;
const cleanups: (() => Promise<void> | void)[] = [];
beforeAll(async () => {
  cloud = await startCloud();
  exchange = await startTestExchange({ speed: 600 });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
afterAll(async () => {
  await exchange.close();
  await cloud.close();
});

function start(machine: TestMachine, over: { dataDir?: string; supabaseUrl?: string; exchange?: { url: string; streams: string }; wall?: Wall } = {}): InProcess & { dataDir: string } {
  const dataDir = over.dataDir ?? tempDir();
  const { supabase } = cloud;
  const running = startOrchestrator({ cloud, supabase: { url: over.supabaseUrl ?? supabase.url, publishableKey: supabase.publishableKey }, machine, exchange: over.exchange ?? exchange, dataDir, ...(over.wall && { more: { wall: over.wall } }) });
  cleanups.push(async () => {
    await running.orchestrator.stop();
    if (over.dataDir === undefined) removeDir(dataDir);
  });
  return { ...running, dataDir };
}

const screens = ({ orchestrator }: InProcess) => until('the machine screens', () => orchestrator.view.status().phase === 'screening');
/** Nothing is wrong with it; a stall of a busy machine may show as a problem until the next look. */
const isWell = ({ orchestrator }: InProcess) => until('nothing is wrong', () => orchestrator.view.status().problems.length === 0, 60_000, () => orchestrator.view.status().problems);

async function written(machine: TestMachine): Promise<string[]> {
  const { rows } = await cloud.supabase.database.pool.query<{ id: string }>('select id from signals where machine_id = $1 order by id', [machine.id]);
  return rows.map((row) => row.id);
}

async function sql(text: string, values: unknown[]): Promise<void> {
  await cloud.supabase.database.pool.query(text, values);
}

test('a machine boots, finds the history, goes live, and the database holds what its feed told', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(BUSY);
  const one = start(machine);
  const told: Signal[] = [];
  const phases: string[] = [];
  one.orchestrator.view.subscribe((event) => {
    if (event.type === 'signal') told.push(event.data);
    if (event.type === 'status' && phases.at(-1) !== event.data.phase) phases.push(event.data.phase);
  });
  await screens(one);
  await until('a live signal', () => told.some((signal) => signal.origin === 'live'));
  await isWell(one);
  await until('it hears the market', () => one.orchestrator.view.status().market.connected);
  const status = one.orchestrator.view.status();
  expect(status.market).toMatchObject({ connected: true, symbols: 5, rate: 600, backfilled: { done: 5, total: 5 }, halted: [] });
  const [trader] = status.traders;
  expect(trader).toMatchObject({ name: 'Fast cross', version: 1, state: 'running', symbols: 5, ready: 5 });
  expect((trader?.liveFrom ?? 0) - (trader?.historyFrom ?? 0)).toBe(86_400_000);
  for (const signal of told) expect(signal.origin).toBe(signal.closeTime > (trader?.liveFrom ?? 0) ? 'live' : 'history');
  expect(Math.min(...told.map((signal) => signal.closeTime))).toBeGreaterThan(trader?.historyFrom ?? 0);
  // A beat is told at once of a new phase, and takes its time.
  const phaseInDatabase = async () => (await cloud.supabase.database.pool.query<{ phase: string }>('select phase from machines where id = $1', [machine.id])).rows[0]?.phase;
  await expect.poll(phaseInDatabase, { timeout: 60_000 }).toBe('screening');
  await one.orchestrator.stop();
  expect(await written(machine)).toEqual(told.map((signal) => signal.id).toSorted());
  expect(phases.slice(-2)).toEqual(['screening', 'draining']);
  const { rows } = await cloud.supabase.database.pool.query<{ phase: string; status: { phase: string } }>('select phase, status from machines where id = $1', [machine.id]);
  expect(rows[0]?.phase).toBe('screening');
});

test('a restart goes on where the last one stopped: nothing is told or written twice, nothing is left out', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const dataDir = tempDir();
  cleanups.push(() => removeDir(dataDir));
  const told: string[] = [];
  let boundaries = 0;
  for (let round = 0; round < 3; round++) {
    const one = start(machine, { dataDir });
    one.orchestrator.view.subscribe((event) => { if (event.type === 'signal') told.push(event.data.id); });
    await screens(one);
    const before = told.length;
    await until('another signal', () => told.length > before);
    boundaries += 1;
    await one.orchestrator.stop();
    expect(one.orchestrator.view.status).toBeDefined();
  }
  expect(boundaries).toBe(3);
  expect(new Set(told).size).toBe(told.length);
  expect(await written(machine)).toEqual(told.toSorted());
});

test('while the database is away nothing stops and nothing is lost; when it is back all is written, once', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const relay = await startRelay(cloud.supabase.url);
  cleanups.push(() => relay.close());
  const one = start(machine, { supabaseUrl: `http://127.0.0.1:${relay.port}` });
  const told: string[] = [];
  one.orchestrator.view.subscribe((event) => { if (event.type === 'signal') told.push(event.data.id); });
  await screens(one);
  relay.cut();
  const before = told.length;
  await until('signals go on', () => told.length > before + 3 && one.orchestrator.view.status().outbox.rows > 0);
  await until('it is said', () => one.orchestrator.view.status().problems.some(({ code }) => code === 'database_unreachable'));
  relay.open();
  one.link().beatNow();
  await until('the outbox is empty', () => one.orchestrator.view.status().outbox.rows === 0);
  await isWell(one);
  await one.orchestrator.stop();
  expect(await written(machine)).toEqual(told.toSorted());
});

test('with the database away at the start, the machine screens with the traders that it knew', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const dataDir = tempDir();
  cleanups.push(() => removeDir(dataDir));
  const first = start(machine, { dataDir });
  await screens(first);
  await first.orchestrator.stop();
  const relay = await startRelay(cloud.supabase.url);
  cleanups.push(() => relay.close());
  relay.cut();
  const second = start(machine, { dataDir, supabaseUrl: `http://127.0.0.1:${relay.port}` });
  await screens(second);
  expect(second.logged.map(({ code }) => code)).toContain('traders_cached');
  expect(second.orchestrator.view.status().traders).toMatchObject([{ name: 'Dip', state: 'running', symbols: 5 }]);
});

test('after the exchange was cut off, every candle is there as the exchange has it, and none is screened twice', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const relay = await startRelay(exchange.url);
  cleanups.push(() => relay.close());
  const one = start(machine, { exchange: { url: `http://127.0.0.1:${relay.port}`, streams: `ws://127.0.0.1:${relay.port}` } });
  const told: string[] = [];
  one.orchestrator.view.subscribe((event) => { if (event.type === 'signal') told.push(event.data.id); });
  await screens(one);
  for (let round = 0; round < 2; round++) {
    relay.cut();
    await until('it is noticed', () => !one.orchestrator.view.status().market.connected);
    await new Promise((resolve) => { setTimeout(resolve, 800); });
    relay.open();
    const last = one.orchestrator.view.status().market.lastCloseAt ?? 0;
    await until('candles close again', () => (one.orchestrator.view.status().market.lastCloseAt ?? 0) > last + 180_000);
  }
  const symbol = one.orchestrator.view.markets()[0]?.symbol ?? '';
  const candles = one.orchestrator.view.candles(symbol, '1m', 1_000);
  candles.slice(1).forEach((candle, index) => expect(candle.openTime).toBe(intervalClose('1m', candles[index]?.openTime ?? 0)));
  const response = await fetch(`${exchange.url}/api/v3/klines?symbol=${symbol}&interval=1m&limit=1000&startTime=${candles[0]?.openTime ?? 0}`);
  const rows = (await response.json()) as [number, string, string, string, string, string][];
  const truth = new Map(rows.map(([openTime, open, high, low, close, volume]) => [openTime, [open, high, low, close, volume].map(Number)]));
  for (const candle of candles) expect([candle.open, candle.high, candle.low, candle.close, candle.volume]).toEqual(truth.get(candle.openTime));
  expect(new Set(told).size).toBe(told.length);
});

test('a token that was revoked is exchanged at once', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const one = start(machine);
  await screens(one);
  const given = cloud.tokensGiven();
  await sql('update machines set token_epoch = token_epoch + 1 where id = $1', [machine.id]);
  one.link().beatNow();
  await until('a new token', () => cloud.tokensGiven() > given);
  const before = (await written(machine)).length;
  await until('signals are written with it', async () => (await written(machine)).length > before);
  await isWell(one);
});

test('traders follow what is stored: added, edited, disabled, enabled again, deleted, broken', async () => {
  const machine = await cloud.addMachine();
  const dip = await machine.addTrader(DIP);
  const one = start(machine);
  await screens(one);
  const names = () => one.orchestrator.view.status().traders.map(({ name, version, state }) => `${name} ${version} ${state}`).toSorted();
  const follow = async (expected: string[]) => {
    one.link().beatNow();
    await until(expected.join(), () => names().join() === expected.toSorted().join());
  };

  const busy = await machine.addTrader(BUSY);
  await follow(['Dip 1 running', 'Fast cross 1 running']);
  const history = () => one.orchestrator.view.signals(1_000).filter(({ traderId, origin }) => traderId === busy && origin === 'history');
  await until('the new trader finds its history in the candles that are there', () => history().length > 10);

  await sql('update traders set document = $2 where id = $1', [dip, { ...DIP, where: { low: 'rsi(5) < 40' } }]);
  await follow(['Dip 2 running', 'Fast cross 1 running']);
  await until('the new version signals', () => one.orchestrator.view.signals(1_000).some(({ traderId, traderVersion }) => traderId === dip && traderVersion === 2));

  await sql('update traders set enabled = false where id = $1', [dip]);
  await follow(['Fast cross 1 running']);
  const lastOfDip = () => Math.max(...one.orchestrator.view.signals(1_000).filter(({ traderId }) => traderId === dip).map(({ closeTime }) => closeTime));
  const silentFrom = one.orchestrator.view.status().market.time;
  await until('time goes by', () => (one.orchestrator.view.status().market.lastCloseAt ?? 0) > silentFrom + 600_000);
  expect(lastOfDip()).toBeLessThanOrEqual(silentFrom);

  const backAt = one.orchestrator.view.status().market.time;
  await sql('update traders set enabled = true where id = $1', [dip]);
  await follow(['Dip 2 running', 'Fast cross 1 running']);
  await until('it signals again', () => lastOfDip() > backAt);
  const meanwhile = one.orchestrator.view.signals(1_000).filter(({ traderId, closeTime }) => traderId === dip && closeTime > silentFrom && closeTime <= backAt - 60_000);
  expect(meanwhile).toEqual([]);

  await sql('update traders set deleted_at = now() where id = $1', [busy]);
  await follow(['Dip 2 running']);
  await sql(`update traders set document = document || '{"where": {"low": "rsy(5) < 40"}}' where id = $1`, [dip]);
  await follow(['Dip 3 invalid']);
  expect(one.orchestrator.view.status().traders[0]?.error).toContain('rsy');
  await sql(`update traders set document = '{"name": "Dip", "colour": "red"}' where id = $1`, [dip]);
  await follow(['Dip 4 invalid']);
  expect(one.orchestrator.view.status().traders[0]?.error).toMatch(/colour|side/);
});

test('a hundred stored documents that cannot be read, and that are as long as can be stored, do not make the machine deaf: it hears when they go', async () => {
  const machine = await cloud.addMachine();
  const dip = await machine.addTrader(DIP);
  const rows = Array.from({ length: 100 }, (_, index) => ({ user_id: machine.user.id, name: `Odd ${index}`, enabled: true, document: { name: `Odd ${index}`, side: 'long', where: { [`k${'🙂'.repeat(index < 5 ? 15_000 : 300)}`]: 'close > 1' } } }));
  const { error } = await machine.user.client.from('traders').insert(rows);
  expect(error).toBeNull();
  const one = start(machine);
  await screens(one);
  const beatAt = async () => (await cloud.supabase.database.pool.query<{ at: Date; status: { traders: { id: string }[] } }>('select beat_at as at, status from machines where id = $1', [machine.id])).rows[0]!;
  await until('the beat tells what screens', async () => (await beatAt()).status?.traders.some(({ id }) => id === dip) === true);
  const before = Number((await beatAt()).at);
  one.link().beatNow();
  await until('the next beat is taken', async () => Number((await beatAt()).at) > before);
  await isWell(one);
  expect(one.orchestrator.view.status().traders.filter(({ state }) => state === 'invalid')).toHaveLength(100);
  await sql(`update traders set enabled = false where user_id = $1 and name like 'Odd %'`, [machine.user.id]);
  one.link().beatNow();
  await until('it hears that they were taken away', () => one.orchestrator.view.status().traders.length === 1);
});

test('the minutes that the database keeps are measured: screening and the delay of the loop show, and a long candle that is under way is not late', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader({ ...DIP, interval: '1h' });
  let skew = 0;
  const one = start(machine, { wall: { ...systemWall, epoch: () => Date.now() + skew } });
  await screens(one);
  await until('candles are screened', () => one.orchestrator.view.status().market.candles > 0);
  const rows = async () => (await cloud.supabase.database.pool.query<{ loop: number | null; lag: number | null; screening: number; candles: string }>(
    `select loop_ms_max as loop, lag_ms_max as lag, screening_ms as screening, candles from machine_metrics where machine_id = $1 and resolution = 'minute' order by at`, [machine.id])).rows;
  const beatAt = async () => Number((await cloud.supabase.database.pool.query<{ at: Date }>('select beat_at as at from machines where id = $1', [machine.id])).rows[0]!.at);
  await until('a whole minute was measured and written', async () => {
    const before = await beatAt();
    // Looks come every 5 s; the database takes no minute that is 10 min ahead.
    await new Promise((resolve) => { setTimeout(resolve, 1_500); });
    skew += 12_000;
    one.link().beatNow();
    await until('a beat', async () => await beatAt() > before);
    one.link().sendNow();
    return (await rows()).some(({ loop, lag, screening, candles }) => loop !== null && lag !== null && screening > 0 && Number(candles) > 0);
  }, 120_000, rows);
  // An hour of this market is 6 s of ours: late by the age of the candle under way it would be by up to 3,600 s.
  for (const { lag } of await rows()) expect(lag ?? 0).toBeLessThan(60_000);
}, 240_000);

test('a drain that the control plane wishes stops the screening; when the wish ends, what was missed is caught up', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const one = start(machine);
  await screens(one);
  await sql(`update machines set desired_state = 'stopped' where id = $1`, [machine.id]);
  one.link().beatNow();
  await until('it drains', () => one.orchestrator.view.status().phase === 'draining');
  await until('it has drained', () => one.orchestrator.view.status().detail === 'Drained: nothing waits.');
  const { candles } = one.orchestrator.view.status().market;
  await new Promise((resolve) => { setTimeout(resolve, 600); });
  expect(one.orchestrator.view.status().market.candles).toBe(candles);
  const missedUntil = one.orchestrator.view.status().market.time;
  await sql(`update machines set desired_state = 'started' where id = $1`, [machine.id]);
  one.link().beatNow();
  await screens(one);
  await until('it has caught up', () => (one.orchestrator.view.candles('BTCUSDT', '1m', 1).at(-1)?.openTime ?? 0) > missedUntil);
  const series = one.orchestrator.view.candles('BTCUSDT', '1m', 1_000);
  series.slice(1).forEach((candle, index) => expect(candle.openTime).toBe((series[index]?.openTime ?? 0) + 60_000));
});

test('of two machines of one user one acts: the second says who does, finds nothing, and takes over when the first ends', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const second = await cloud.addMachine({ user: machine.user, environment: 'production' });
  const one = start(machine);
  await screens(one);
  const told: string[] = [];
  one.orchestrator.view.subscribe((event) => { if (event.type === 'signal') told.push(event.data.id); });
  const two = start(second);
  const found: string[] = [];
  two.orchestrator.view.subscribe((event) => { if (event.type === 'signal') found.push(event.data.id); });
  await until('the second waits', () => two.orchestrator.view.status().problems.some(({ code, message }) => code === 'owner_elsewhere' && message.includes(machine.id)));
  const before = told.length;
  await until('the first goes on', () => told.length > before + 2);
  // once it knows its traders, its turn is all that it waits for
  await until('it says what it waits for', () => two.orchestrator.view.status().detail === 'Waiting for its turn: another machine of this user acts.', 60_000, () => two.orchestrator.view.status().detail);
  expect(two.orchestrator.view.status().phase).toBe('booting');
  expect(found).toEqual([]);
  await one.orchestrator.stop();
  // should the release have been lost in a stall, the lease's own end is waited for
  await until('the second screens', () => two.orchestrator.view.status().phase === 'screening', 180_000);
  await until('it finds what comes now', () => two.orchestrator.view.signals(1_000).some(({ origin }) => origin === 'live'));
  await isWell(two);
  two.link().sendNow();
  const owners = async () => (await cloud.supabase.database.pool.query<{ acts: boolean }>(`select (data ->> 'acts')::boolean as acts from machine_events where machine_id = $1 and kind = 'owner' order by id`, [second.id])).rows.map(({ acts }) => acts);
  await until('its history says that it waited and then acted', async () => JSON.stringify(await owners()) === '[false,true]', 120_000, owners);
}, 240_000);
