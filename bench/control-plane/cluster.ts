import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Pool } from 'pg';

export interface Cluster {
  url: string;
  pool: Pool;
  /** Ends it, by force or in order, and starts it again on the same port. */
  restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  close(): Promise<void>;
}

/** A migrated PostgreSQL of its own, in a process that can be killed. */
export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'trademind-chaos-'));
  const password = randomBytes(16).toString('hex');
  let port = 0;
  let child: ChildProcess;
  let postmaster = 0;
  const start = async () => {
    child = fork(join(import.meta.dirname, '../../local-cloud/postgres/main.ts'), [], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'], execArgv: [],
      env: { ...process.env, DATA_DIR: folder, PORT: String(port), POSTGRES_PASSWORD: password, POSTGRES_MAX_CONNECTIONS: '100' },
    });
    if (child.stdout === null) throw new Error('the database has no stdout');
    const [line] = await once(createInterface({ input: child.stdout }), 'line') as [string];
    const said = JSON.parse(line) as { ready: boolean; port: number; postmaster: number };
    if (!said.ready) throw new Error(line);
    ({ port, postmaster } = said);
  };
  await start();
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const pool = new Pool({ connectionString: url, max: 4 });
  pool.on('error', () => undefined);
  return {
    url, pool,
    restart: async (signal) => {
      const exit = once(child, 'exit');
      if (signal === 'SIGKILL') process.kill(postmaster, 'SIGKILL');
      else child.kill(signal);
      await exit;
      await start();
    },
    close: async () => {
      await pool.end();
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
