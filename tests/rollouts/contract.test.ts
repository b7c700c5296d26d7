// An operator changes what all machines are given: for the worse, back, and for the better.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Fleet } from '../../packages/core/index.ts';
import { callApi, startTestControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/fly.ts';
import { startFleet, type Fleet as World } from './world.ts';

const MACHINES = 4;
let world: World;
let replica: Awaited<ReturnType<typeof startTestControlPlane>> | undefined;

const start = async (env: Record<string, string>) => {
  await replica?.close();
  replica = await startTestControlPlane({ ...world.env, CONTROL_PLANE_URL: 'http://control-plane.example', MACHINE_ENV: JSON.stringify(env) });
};
const fleet = async () => (await callApi(replica?.url ?? '', world.operator, 'GET', '/v1/fleet')).body as unknown as Fleet;
/** What each machine has of this setting at Fly. */
const given = async (name: string) => Promise.all((await world.query<{ fly_app: string }>('select fly_app from machines order by id')).map(async ({ fly_app: app }) => (await world.fly.fly.machines.list(app))[0]?.config?.env?.[name]));
const incarnations = () => world.query<{ id: string; fly_instance_id: string }>('select id, fly_instance_id from machines order by id');
/** Waits until it stands so, with a beat of a replica whenever it is asked (they are five seconds apart). */
const stands = (state: Partial<Fleet['contract']>) => eventually(async () => {
  await world.query(`update fleet_contract set next_at = now()`);
  await world.query(`select give_contract_turns(contract, 0.1) from fleet_contract where contract <> ''`);
  const { contract } = await fleet();
  expect(contract).toMatchObject(state);
  return contract;
}, 60_000);

beforeAll(async () => {
  world = await startFleet();
  await world.deploy(Array.from({ length: MACHINES }, () => ['local']));
  await start({});
  await stands({ ready: MACHINES, waiting: 0, underWay: 0 });
}, 90_000);
afterAll(async () => {
  await replica?.close();
  await world.close();
});

test('what harms machines reaches one, and stops there; given back, the one is well again and nobody else restarted', async () => {
  const before = await incarnations();
  await start({ BAD: 'yes' });
  await stands({ waiting: MACHINES - 1, underWay: 1, late: 0, halted: null });
  await eventually(async () => ((await given('BAD')).filter((value) => value === 'yes').length === 1 ? true : undefined));
  // twenty minutes later
  await world.query(`update machines set contract_turn_at = contract_turn_at - interval '21 minutes' where contract_turn is not null`);
  const { halted } = await stands({ waiting: MACHINES - 1, underWay: 0, late: 1 });
  const [{ id: victim }] = await world.query<{ id: string }>('select id from machines where contract_turn is not null') as [{ id: string }];
  expect(halted).toMatchObject({ code: 'contract_harms', machines: [victim] });
  expect((await fleet()).events.map(({ kind }) => kind)).toContain('contract.halted');
  const metrics = await (await fetch(`${replica?.metricsUrl}/metrics`)).text();
  expect(metrics).toContain('trademind_contract_halted 1');
  expect(metrics).toContain(`trademind_contract_machines{state="waiting"} ${MACHINES - 1}`);

  await start({});
  await stands({ ready: MACHINES, waiting: 0, underWay: 0, late: 0, halted: null });
  expect(await given('BAD')).toEqual(Array.from({ length: MACHINES }));
  const others = (all: typeof before) => all.filter(({ id }) => id !== victim);
  expect(others(await incarnations())).toEqual(others(before));
}, 120_000);

test('while it is taken in turns a user\'s own wish takes it at once; in the end all have it, and that is told', async () => {
  await start({ GOOD: 'yes' });
  await stands({ waiting: MACHINES - 1, underWay: 1 });
  const [{ id, user_id: user, fly_app: app }] = await world.query<{ id: string; user_id: string; fly_app: string }>(`select id, user_id, fly_app from machines where contract_turn is distinct from (select contract from fleet_contract) order by id limit 1`) as [{ id: string; user_id: string; fly_app: string }];
  await world.query(`select wish_machine_again($1, $2, 'restart')`, [id, user]);
  await eventually(async () => ((await world.fly.fly.machines.list(app))[0]?.config?.env?.['GOOD'] === 'yes' ? true : undefined), 30_000);
  // without a turn of its own
  expect(await world.query('select 1 from machines where id = $1 and contract_turn = (select contract from fleet_contract)', [id])).toEqual([]);
  await stands({ ready: MACHINES, waiting: 0, underWay: 0 });
  expect(await given('GOOD')).toEqual(Array.from({ length: MACHINES }, () => 'yes'));
  expect((await fleet()).events[0]).toMatchObject({ kind: 'contract.taken' });
}, 120_000);
