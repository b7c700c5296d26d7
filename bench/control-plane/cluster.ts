import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
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
    const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>, once(child, 'exit').then(() => ['{"ready":false}'] as const)]);
    const said = JSON.parse(line) as { ready: boolean; port: number; postmaster: number };
    if (!said.ready) throw new Error(line);
    ({ port, postmaster } = said);
  };
  /** What was killed may leave children that hold its port and memory for a moment. */
  const startAgain = async () => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await start();
      } catch (error) {
        if (attempt === 20) throw error;
        await ended();
        await sleep(500);
      }
    }
  };
  const ended = async () => { if (child.exitCode === null && child.signalCode === null) await once(child, 'exit'); };
  await start();
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const pool = new Pool({ connectionString: url, max: 4 });
  pool.on('error', () => undefined);
  return {
    url, pool,
    restart: async (signal) => {
      if (signal === 'SIGKILL') process.kill(postmaster, 'SIGKILL');
      else child.kill(signal);
      await ended();
      await startAgain();
    },
    close: async () => {
      await pool.end();
      child.kill('SIGTERM');
      await ended();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
