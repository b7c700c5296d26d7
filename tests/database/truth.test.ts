// One place for each truth, in its own type: what the columns themselves must keep out.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addTrader, addUser, claim, deploy, machineClaims, refusalOf, signalRow } from './fixtures.ts';
import { decisionRow } from './fixtures-facts.ts';

let database: TestDatabase;
let user: string;
let machine: string;
beforeAll(async () => {
  database = await createTestDatabase();
  user = await addUser(database.pool);
  machine = (await deploy(database.pool, user)).machine.id;
});
afterAll(async () => { await database.close(); });

const columns = async (where: string) => (await database.pool.query<{ name: string; type: string }>(
  `select c.relname || '.' || attname as name, format_type(atttypid, null) as type from pg_attribute a join pg_class c on c.oid = attrelid
   where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm') and attnum > 0 and not attisdropped and (${where}) order by 1`)).rows;

describe('identities', () => {
  test('of users and of machines are UUIDs in every table: no word stands for one', async () => {
    const ids = await columns(`attname in ('user_id', 'machine_id', 'subject_user', 'registered_by', 'started_by')`);
    expect(ids.length).toBeGreaterThan(20);
    expect(ids.filter(({ type }) => type !== 'uuid')).toEqual([]);
    const byWord = database.pool.query(`insert into public.traders (user_id, name, document) values ('system', 'Dip', '{}')`);
    expect(await refusalOf(byWord)).toBe('22P02');
  });

  test('of Fly are texts of their own, as Fly writes them, never in place of ours', async () => {
    const [row] = await claim(database.pool);
    const observe = (patch: object) => asRole(database.pool, 'service_role', {}, 'select public.record_observation($1, $2, $3, $4)', [machine, row!.fence, JSON.stringify(patch), '[]']);
    await observe({ fly_app: 'tm-1', fly_machine_id: '3d8d9014b32d48', fly_volume_id: 'vol_4xp9m' });
    const { rows } = await database.pool.query('select id, fly_app, fly_machine_id, fly_volume_id from public.machines where id = $1', [machine]);
    expect(rows).toEqual([{ id: machine, fly_app: 'tm-1', fly_machine_id: '3d8d9014b32d48', fly_volume_id: 'vol_4xp9m' }]);
    expect(await refusalOf(observe({ id: '3d8d9014b32d48' }))).toBe('400 unknown_field');
  });
});

test('what is wished of a machine, and where it is at Fly, stands in one table alone', async () => {
  const said = await columns(`attname ~ '^(desired|fly)_'`);
  expect(said.length).toBeGreaterThan(10);
  expect([...new Set(said.map(({ name }) => name.split('.')[0]))]).toEqual(['machines']);
});

test('a document that was encoded twice, so that it is a text, is refused wherever a user or a machine writes one', async () => {
  const twice = (value: unknown) => JSON.stringify(JSON.stringify(value));
  const trader = await addTrader(database.pool, user);
  const asUser = (sql: string, values: unknown[]) => refusalOf(asRole(database.pool, 'authenticated', { sub: user }, sql, values));
  const asMachine = (sql: string, values: unknown[]) => asRole<{ answer: { rejected: { code: string }[] } }>(database.pool, 'machine', machineClaims(machine, user), sql, values);
  const service = (sql: string, values: unknown[]) => refusalOf(asRole(database.pool, 'service_role', {}, sql, values));
  const document = { where: { a: 'close > 1' } };

  expect(await asUser(`insert into public.traders (name, document) values ('Twice', $1)`, [twice(document)])).toBe('23514');
  expect(await asUser('update public.traders set document = $1 where id = $2', [twice(document), trader])).toBe('23514');
  expect(await service('select public.set_user_settings($1, $2)', [user, twice({})])).toBe('23514');
  expect(await refusalOf(asMachine('select public.machine_beat($1)', [twice({ phase: 'screening' })]))).toBe('400 status_invalid');
  expect(await refusalOf(asMachine('select public.write_facts($1)', [twice({ signal: [] })]))).toBe('400 not_an_object');

  const [good, bad] = [signalRow(trader), signalRow(trader, { conditions: JSON.stringify([{ name: 'a', holds: true }]) })];
  const [{ answer }] = await asMachine('select public.write_facts($1) as answer', [JSON.stringify({ signal: [good, bad], decision: [decisionRow(good['id'], { document: JSON.stringify({}) })] })]) as [{ answer: { rejected: { code: string }[] } }];
  expect(answer.rejected.map(({ code }) => code)).toEqual(['value_refused', 'value_refused']);
});
