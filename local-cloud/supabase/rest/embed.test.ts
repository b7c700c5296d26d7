import type { SupabaseClient } from '@supabase/supabase-js';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestSupabase, type TestSupabase, type TestUser } from '../../../tests/support/supabase.ts';

let supabase: TestSupabase;
let admin: SupabaseClient;
let user: TestUser;

beforeAll(async () => {
  supabase = await startTestSupabase();
  await supabase.database.pool.query(`
    create table public.towns (id int primary key, name text not null);
    create table public.people (id int primary key, name text, home int references public.towns, work int references public.towns);
    create table public.pets (id int primary key, name text, owner int not null references public.people, kind jsonb default '{}');
    create table public.badges (person int primary key references public.people, colour text);
    insert into public.towns values (1, 'Ulm'), (2, 'Bonn');
    insert into public.people values (1, 'Ann', 1, 2), (2, 'Bo', 2, 2), (3, 'Cy', null, null);
    insert into public.pets values (1, 'Rex', 1, '{"legs":4}'), (2, 'Tom', 1, '{"legs":4}'), (3, 'Koi', 2, '{"legs":0}');
    insert into public.badges values (1, 'red');
    grant all on public.towns, public.people, public.pets, public.badges to service_role;
    grant select on public.people to authenticated;
    alter table public.pets enable row level security;
    create policy "dogs only" on public.pets for select to authenticated using (name = 'Rex');
    grant select on public.pets to authenticated`);
  admin = supabase.adminClient;
  user = await supabase.createUser();
});
afterAll(async () => { await supabase.close(); });

const people = (select: string) => admin.from('people').select(select).order('id');

test('the row that a key points at is an object, the rows that point here are a list, a row with the same key is one', async () => {
  expect((await admin.from('pets').select('name, people(name)').order('id').limit(1)).data).toEqual([{ name: 'Rex', people: { name: 'Ann' } }]);
  expect((await people('name, pets(name)').limit(3)).data).toEqual([
    { name: 'Ann', pets: [{ name: 'Rex' }, { name: 'Tom' }] }, { name: 'Bo', pets: [{ name: 'Koi' }] }, { name: 'Cy', pets: [] },
  ]);
  expect((await people('id, badges(colour)').limit(2)).data).toEqual([{ id: 1, badges: { colour: 'red' } }, { id: 2, badges: null }]);
});

test('two keys to one table are told apart by the key\'s name or its column, and are refused without', async () => {
  const refused = await people('name, towns(name)');
  expect(refused).toMatchObject({ status: 300, error: { code: 'PGRST201', hint: expect.stringContaining(`'towns!people_home_fkey', 'towns!people_work_fkey'`) } });
  expect(refused.error?.details).toHaveLength(2);
  expect((await people('name, lives:towns!people_home_fkey(name), works:towns!work(name)').limit(1)).data).toEqual([{ name: 'Ann', lives: { name: 'Ulm' }, works: { name: 'Bonn' } }]);
  expect((await people('home(name)').limit(1)).data).toEqual([{ home: { name: 'Ulm' } }]);
});

test('embedded rows have filters, an order and a limit of their own; inner ones choose the outer rows and are counted', async () => {
  expect((await people('name, pets(name)').eq('pets.name', 'Tom')).data).toMatchObject([{ pets: [{ name: 'Tom' }] }, { pets: [] }, { pets: [] }]);
  expect((await people('pets(name)').order('name', { referencedTable: 'pets', ascending: false }).limit(1, { referencedTable: 'pets' }).limit(1)).data).toEqual([{ pets: [{ name: 'Tom' }] }]);
  const inner = await admin.from('people').select('name, pets!inner(name)', { count: 'exact' }).eq('pets.kind->>legs', '0');
  expect([inner.count, inner.data]).toEqual([1, [{ name: 'Bo', pets: [{ name: 'Koi' }] }]]);
  expect((await people('name, pets!inner()').or('name.eq.Rex,name.eq.Koi', { referencedTable: 'pets' })).data).toEqual([{ name: 'Ann' }, { name: 'Bo' }]);
});

test('embedding goes down several tables, and works in what a change gives back', async () => {
  expect((await admin.from('towns').select('name, people!people_home_fkey(name, pets(name))').eq('id', 1).single()).data).toEqual({ name: 'Ulm', people: [{ name: 'Ann', pets: [{ name: 'Rex' }, { name: 'Tom' }] }] });
  expect((await admin.from('pets').update({ name: 'Karp' }).eq('id', 3).select('name, people(name)').single()).data).toEqual({ name: 'Karp', people: { name: 'Bo' } });
  expect((await admin.from('pets').insert({ id: 4, name: 'New', owner: 3 }).select('id, people(name, towns!home(name))')).data).toEqual([{ id: 4, people: { name: 'Cy', towns: null } }]);
});

test('an embedded list has a thousand rows at most', async () => {
  await supabase.database.pool.query('insert into public.towns values (9, $1); ', ['Big']);
  await supabase.database.pool.query('insert into public.people (id, home) select n, 9 from generate_series(1000, 2100) n');
  const read = await admin.from('towns').select('people!people_home_fkey(id)').eq('id', 9).limit(5_000, { referencedTable: 'people' }).single();
  expect((read.data as { people: unknown[] } | null)?.people).toHaveLength(1_000);
  await supabase.database.pool.query('delete from public.people where id >= 1000; delete from public.towns where id = 9');
});

test('row-level security and rights hold inside as outside', async () => {
  expect((await user.client.from('people').select('name, pets(name)').order('id').limit(2)).data).toEqual([{ name: 'Ann', pets: [{ name: 'Rex' }] }, { name: 'Bo', pets: [] }]);
  expect(await user.client.from('people').select('name, badges(colour)')).toMatchObject({ status: 403, error: { code: '42501' } });
});

test('what is not related, not a column or too deep is refused', async () => {
  expect((await people('name, pet(name)')).error).toMatchObject({ code: 'PGRST200', hint: `Perhaps you meant 'pets' instead of 'pet'.` });
  expect((await admin.from('pets').select('towns(name)')).error).toMatchObject({ code: 'PGRST200', hint: null });
  expect((await people('pets!no_such(name)')).error).toMatchObject({ code: 'PGRST200' });
  expect((await people('pets(nam)')).error).toMatchObject({ code: '42703' });
  expect((await people(`${'pets(people('.repeat(6)}name${'))'.repeat(6)}`)).error).toMatchObject({ code: 'PGRST100' });
});

test('no name, hint, column or condition of an embedded table ever becomes SQL', async () => {
  const hostile = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.constantFrom(`pets`, `"`, `'; drop table public.pets; --`, `pets!inner`, `a)b(c`, `name"->>'x'`, `*`, `\0`, `$1`, `name.eq.1`, `::text`));
  await fc.assert(fc.asyncProperty(hostile, hostile, hostile, async (one, two, three) => {
    const encode = encodeURIComponent;
    for (const query of [
      `select=${encode(`${one}(${two})`)}`, `select=${encode(`"${one}":pets!${two}(${three})`)}`, `select=pets(${encode(one)})&pets.${encode(two)}=${encode(three)}`,
      `select=pets!inner(name)&pets.order=${encode(one)}&pets.or=${encode(`(${two})`)}&pets.limit=${encode(three)}`, `select=${encode(`x:pets(kind->>${one})`)}&x.name=eq.${encode(two)}`,
    ]) {
      const response = await fetch(`${supabase.url}/rest/v1/people?${query}`, { headers: { apikey: supabase.secretKey } });
      const answer = await response.text();
      expect([query, response.status < 500, answer.includes('42601')]).toEqual([query, true, false]);
    }
  }), { numRuns: 60 });
  expect((await supabase.database.pool.query('select count(*)::int as n from public.pets')).rows).toEqual([{ n: 4 }]);
});
