import { Client } from 'pg';

/** Whoever has no plan of their own is on one with room for everything: users of tests and benchmarks. Tests of plans put theirs on others. Call it after the migrations. */
export async function roomForAll(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`insert into public.plans (name, title, machines, vcpus, regions, performance, traders, analyses_per_day, analyses_per_minute, analyses_at_once, analyses_nano_usd_per_day)
      values ('tests', 'Of tests', 100000, 1000000, 100, true, 100000, 100000, 100000, 1000, 1000000000000) on conflict do nothing`);
    await client.query(`select public.set_default_plan('tests')`);
  } finally {
    await client.end();
  }
}
