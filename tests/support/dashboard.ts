import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DEFAULT_SIZE, monthlyPrice, type MachineView } from '@trademind/core';
import { freePort } from '../../cli/dev/ports.ts';
import { startDashboard } from '../../web/index.ts';
import { startTestFeed, type TestFeed } from './feed.ts';
import { startLine, type Line } from './line.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from './supabase.ts';

/** A machine as the control plane shows it. */
export function testMachine(over: Partial<MachineView> = {}): MachineView {
  const at = new Date().toISOString();
  const id = over.id ?? randomUUID();
  return {
    id, userId: randomUUID(), environment: 'local', generation: 1, observedGeneration: 1,
    desired: { state: 'started', region: 'sin', size: DEFAULT_SIZE, image: 'registry.local/machine@sha256:00' },
    phase: 'screening', phaseSince: at, detail: null, app: 'tm-test', flyMachineId: 'd1', region: 'sin', size: DEFAULT_SIZE, image: null,
    url: null, feed: null, health: null, monthlyPriceUsd: monthlyPrice(DEFAULT_SIZE, 'sin'), status: null, beatAt: at, lastError: null, createdAt: at, updatedAt: at, ...over,
  };
}

export interface TestDashboard {
  url: string;
  supabase: TestSupabase;
  user: TestUser;
  feed: TestFeed;
  /** The line between browser and machine. */
  line: Line;
  /** What the control plane answers; null = no machine. A test sets it. */
  machine: MachineView | null;
  /** While true the control plane answers 503. */
  away: boolean;
  /** Bodies of PATCH requests. */
  patches: unknown[];
  /** A link that signs the user in. */
  link(): Promise<string>;
  close(): Promise<void>;
}

/** The real page, sign-in gateway and feed, with a control plane whose answers the test decides. */
export async function startTestDashboard(): Promise<TestDashboard> {
  // the page's origin must be known before the services that admit it
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const supabase = await startTestSupabase({ allowedOrigins: [origin] });
  const user = await supabase.createUser('demo@example.test');
  const feed = await startTestFeed({ allowedOrigins: [origin] });
  const line = await startLine(feed.server.port);
  const test: Omit<TestDashboard, 'url' | 'link' | 'close'> = { supabase, user, feed, line, machine: null, away: false, patches: [] };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [status, body] = await answer(test, request);
    response.writeHead(status, {
      'content-type': status < 400 ? 'application/json' : 'application/problem+json', 'access-control-allow-origin': origin,
      'access-control-allow-headers': 'authorization,content-type', 'access-control-allow-methods': 'GET,POST,PATCH',
    });
    response.end(JSON.stringify(body));
  };
  const controlPlane = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => { controlPlane.listen(0, '127.0.0.1', resolve); });
  const dashboard = await startDashboard({
    port, host: '127.0.0.1', supabaseUrl: supabase.url, publishableKey: supabase.publishableKey,
    controlPlaneUrl: `http://127.0.0.1:${(controlPlane.address() as AddressInfo).port}`, machineOrigins: [line.url],
  });
  return Object.assign(test, {
    url: dashboard.url,
    async link() {
      const { data, error } = await supabase.adminClient.auth.admin.generateLink({ type: 'magiclink', email: user.email });
      if (error) throw error;
      return `${dashboard.url}/#token_hash=${data.properties.hashed_token}&type=magiclink`;
    },
    async close() {
      await dashboard.close();
      await new Promise<void>((resolve) => {
        controlPlane.close(() => resolve());
        controlPlane.closeAllConnections();
      });
      await line.close();
      await feed.close();
      await supabase.close();
    },
  });
}

async function answer(test: Pick<TestDashboard, 'feed' | 'line' | 'machine' | 'away' | 'user' | 'patches'>, request: IncomingMessage): Promise<[number, unknown]> {
  if (request.method === 'OPTIONS') return [200, {}];
  if (test.away) return problem(503, 'database_away', 'The database does not answer.');
  if (!request.headers.authorization?.startsWith('Bearer ey')) return problem(401, 'not_signed_in', 'Sign in.');
  if (request.url === '/v1/machines') return [200, { items: test.machine ? [test.machine] : [], next: null }];
  if (!test.machine || !request.url?.startsWith(`/v1/machines/${test.machine.id}`)) return problem(404, 'machine_unknown', 'No such machine.');
  if (request.method === 'PATCH') {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    test.patches.push(JSON.parse(Buffer.concat(chunks).toString()));
    test.machine = { ...test.machine, phase: 'starting', desired: { ...test.machine.desired, state: 'started' } };
    return [200, test.machine];
  }
  return [200, {
    ticket: await test.feed.ticket(), expiresAt: new Date(Date.now() + 60_000).toISOString(), machineId: test.feed.source.machineId, url: test.line.url, feed: `${test.line.url.replace('http', 'ws')}/v1/feed`,
  }];
}

const problem = (status: number, code: string, detail: string): [number, unknown] => [status, { type: 'about:blank', title: 'Problem', status, code, detail, nextStep: 'Wait a moment.' }];
