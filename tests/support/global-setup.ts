import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { prepareDatabase } from '../../local-cloud/postgres/migrate.ts';
import { roomForAll } from './room.ts';

/** What a test asks for: the cluster's superuser URL and the name of the template database. */
export interface TestCluster { url: string; template: string }

declare module 'vitest' {
  interface ProvidedContext { testCluster: string }
}

const TEMPLATE = 'trademind_template';

/**
 * One PostgreSQL per test run, started when the first test asks for it (GET on the provided address), so that pure tests do not wait.
 * It runs under a process that ends with this one even if this one is killed.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let cluster: Promise<StartedCluster> | null = null;
  const path = `/${randomBytes(16).toString('hex')}`;
  const server = createServer((request, response) => {
    if (request.url !== path) {
      response.writeHead(404).end();
      return;
    }
    cluster ??= startCluster();
    cluster.then(({ url }) => response.end(JSON.stringify({ url, template: TEMPLATE } satisfies TestCluster)),
      (error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port for the test cluster');
  project.provide('testCluster', `http://127.0.0.1:${address.port}${path}`);
  return async () => {
    server.close();
    server.closeAllConnections();
    await cluster?.then((started) => started.stop(), () => undefined);
  };
}

interface StartedCluster { url: string; stop(): Promise<void> }

async function startCluster(): Promise<StartedCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'trademind-test-'));
  const password = randomBytes(16).toString('hex');
  const child = fork(join(import.meta.dirname, '../../local-cloud/postgres/main.ts'), [], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'], execArgv: [],
    env: { ...process.env, DATA_DIR: folder, PORT: '0', POSTGRES_PASSWORD: password, POSTGRES_DURABLE: 'false', POSTGRES_EPHEMERAL: 'true', POSTGRES_MAX_CONNECTIONS: '200', MIGRATE: 'false' },
  });
  const exited = new Promise<void>((resolve) => { child.once('exit', () => { resolve(); }); });
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const port = await readyPort(child);
    const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
    await makeTemplate(url);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function readyPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('exit', () => { reject(new Error(`the test cluster did not start: ${text}`)); });
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (!text.includes('\n')) return;
      const line = JSON.parse(text.slice(0, text.indexOf('\n'))) as { ready: boolean; port: number };
      if (line.ready) resolve(line.port);
    });
  });
}

async function makeTemplate(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`create database ${TEMPLATE}`);
  await prepareDatabase(databaseUrl(url, TEMPLATE));
  await roomForAll(databaseUrl(url, TEMPLATE));
  await client.query(`alter database ${TEMPLATE} is_template true`);
  await client.end();
}

function databaseUrl(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
}
