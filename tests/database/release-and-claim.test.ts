import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addUser, claim, deploy, type MachineRow } from './fixtures.ts';

let database: TestDatabase;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });
/** Machines of earlier tests are due no more. */
beforeEach(() => database.pool.query(`update public.machines set next_look_at = 'infinity', lease_owner = null, lease_expires_at = null`));

const service = <T extends object = Record<string, unknown>>(sql: string, values: unknown[] = []) => asRole<T>(database.pool, 'service_role', {}, sql, values);
const read = async (id: string) => (await service<MachineRow>('select * from public.machines where id = $1', [id]))[0] as MachineRow;
const newMachine = async () => (await deploy(database.pool, await addUser(database.pool))).machine.id;
const sha = (text: string) => createHash('sha256').update(text).digest('hex');

interface Released { kept: boolean; claimed: { id: string; fence: number; lease_owner: string; claimed_at: string }[] }
async function releaseAndClaim(id: string, fence: string | number, more: { limit?: number; troubled?: number; seconds?: number } = {}): Promise<Released> {
  const [row] = await service<{ said: Released }>('select public.release_and_claim($1, $2, $3, $4, $5, $6, $7, 10, $8) as said', [id, fence, '{"phase":"creating"}', '[{"kind":"seen","message":"Seen."}]', more.seconds ?? 60, 'me', more.limit ?? 1, more.troubled ?? 8]);
  return row!.said;
}

test('the end of a look gives its row back and takes one that is due, with everything that a claim takes', async () => {
  const first = await newMachine();
  const [mine] = await claim(database.pool, 'me', 1);
  const [second, third] = [await newMachine(), await newMachine()];
  const said = await releaseAndClaim(first, mine!.fence);
  expect(said).toMatchObject({ kept: true, claimed: [{ id: second, fence: 1, lease_owner: 'me' }] });
  expect(Date.parse(said.claimed[0]!.claimed_at)).toBeGreaterThan(0);
  expect(await read(first)).toMatchObject({ phase: 'creating', lease_owner: null, lease_expires_at: null });
  expect(await read(second)).toMatchObject({ lease_owner: 'me', fence: '1' });
  expect(await read(third)).toMatchObject({ lease_owner: null });
});

test('a look whose lease was lost writes nothing, and still takes what is due', async () => {
  const [first, second] = [await newMachine(), await newMachine()];
  const rows = await claim(database.pool, 'me', 2);
  await database.pool.query(`update public.machines set lease_expires_at = null, next_look_at = now() where id = $1`, [second]);
  const fence = Number(rows.find((row) => row.id === first)!.fence);
  expect(await releaseAndClaim(first, fence + 1)).toMatchObject({ kept: false, claimed: [{ id: second }] });
  expect(await read(first)).toMatchObject({ phase: 'requested', lease_owner: 'me' });
});

test('it never takes its own row again in the same breath, takes none for no place, and troubled ones only where they have a place', async () => {
  const first = await newMachine();
  const [mine] = await claim(database.pool, 'me', 1);
  expect(await releaseAndClaim(first, mine!.fence, { seconds: 0 })).toEqual({ kept: true, claimed: [] });
  const [again] = await claim(database.pool, 'me', 1);
  const troubled = await Promise.all(Array.from({ length: 6 }, newMachine));
  await database.pool.query(`update public.machines set attempts = 5, next_look_at = now() - interval '1 hour' where id = any ($1)`, [troubled]);
  const healthy = await newMachine();
  expect(await releaseAndClaim(first, again!.fence, { limit: 0 })).toEqual({ kept: true, claimed: [] });
  // however long the troubled have been due, they do not hide the healthy one from a claim without a place for them
  expect((await service<MachineRow>(`select * from public.claim_machines('me', 1, 10, 0)`)).map(({ id }) => id)).toEqual([healthy]);
  expect(troubled).toContain((await service<MachineRow>(`select * from public.claim_machines('me', 1, 10, 1)`))[0]?.id);
});

test('a step brings a secret that is valid from then on; without the lease neither is written', async () => {
  const id = await newMachine();
  const [mine] = await claim(database.pool, 'me', 1);
  const step = (fence: number, text: string, version: number) => service('select public.record_step($1, $2, $3, $4, $5)', [id, fence, '{"phase":"creating"}', '[]', JSON.stringify({ hash: sha(text), version })]);
  const known = async (text: string) => (await service<{ m: object | null }>('select public.machine_by_secret($1) as m', [sha(text)]))[0]?.m ?? null;
  await step(Number(mine!.fence), 'one', 1);
  await step(Number(mine!.fence), 'two', 2);
  expect(await Promise.all([known('one'), known('two')])).toEqual([expect.objectContaining({ machine_id: id }), expect.objectContaining({ machine_id: id })]);
  await step(Number(mine!.fence) - 1, 'three', 3);
  expect(await known('three')).toBeNull();
});
