// PostgreSQL as a process of its own. Env: DATA_DIR, PORT (0 = free), POSTGRES_PASSWORD (else kept in the data folder), POSTGRES_DURABLE=false,
// POSTGRES_MAX_CONNECTIONS, POSTGRES_EPHEMERAL=true (the cluster is removed at the end), MIGRATE=false (leave the database empty),
// POSTGRES_REMOVE=true (starts nothing: ends what still serves DATA_DIR, removes its cluster, says {"removed":true}).
import { runStandIn } from '../shared/run.ts';
import { prepareDatabase } from './migrate.ts';
import { removePostgres, startPostgres } from './start.ts';

const env = process.env;

function dataFolder(): string {
  const dataDir = env['DATA_DIR'];
  if (dataDir === undefined || dataDir === '') throw Object.assign(new Error('DATA_DIR is not set: name a folder for the database.'), { code: 'env_invalid' });
  return dataDir;
}

if (env['POSTGRES_REMOVE'] === 'true') {
  await removePostgres(dataFolder());
  process.stdout.write('{"removed":true}\n');
  process.exit(0);
}

await runStandIn(async () => {
  const dataDir = dataFolder();
  const ephemeral = env['POSTGRES_EPHEMERAL'] === 'true';
  const postgres = await startPostgres({
    dataDir,
    port: Number(env['PORT'] ?? 0),
    password: env['POSTGRES_PASSWORD'],
    durable: env['POSTGRES_DURABLE'] !== 'false',
    maxConnections: Number(env['POSTGRES_MAX_CONNECTIONS'] ?? 60),
  });
  const close = async () => {
    await postgres.close();
    if (ephemeral) await removePostgres(dataDir);
  };
  try {
    const migrations = env['MIGRATE'] === 'false' ? [] : await prepareDatabase(postgres.url);
    let closing = false;
    // A database that ended by itself ends this process with status 1: whoever supervises it starts it again.
    const watch = async () => {
      await postgres.exited;
      if (!closing) process.exit(1);
    };
    void watch();
    return {
      name: 'postgres',
      url: `postgresql://postgres@127.0.0.1:${postgres.port}/postgres`,
      port: postgres.port,
      postmaster: postgres.pid,
      migrations: migrations.length,
      close: () => { closing = true; return close(); },
    };
  } catch (error) {
    await close();
    throw error;
  }
});
