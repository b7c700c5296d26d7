import { randomBytes, randomUUID } from 'node:crypto';
import { createServer as createHttpServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFlyClient, createReadFlyLogs } from '@trademind/fly';
import { TradeMindError } from '@trademind/core';
import type { Logger } from 'pino';
import { tellingActor } from './actor.ts';
import { createAuthenticator } from './api/auth.ts';
import { createHub } from './api/hub.ts';
import { createServer, type Readiness } from './api/server.ts';
import { createAccountDatabase } from './database/account.ts';
import { createControlDatabase } from './database/control.ts';
import { createReadFleetFigures } from './database/fleet-figures.ts';
import { createMachineDatabase } from './database/machine.ts';
import { createPlansDatabase } from './database/plans.ts';
import { createRequestsDatabase } from './database/requests.ts';
import { createRpc } from './database/rpc.ts';
import { createSecretsDatabase } from './database/secrets.ts';
import { createUserDatabases } from './database/user.ts';
import type { Settings } from './env.ts';
import { createFleet } from './fleet.ts';
import { startHousekeeping } from './housekeeping.ts';
import { createHttp } from './http.ts';
import { createReadLiveLog } from './logs/live-log.ts';
import { createSigner } from './keys.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createFlyBudget } from './reconciler/budget.ts';
import { createLastLogs } from './reconciler/last-logs.ts';
import { machineUrl } from './reconciler/names.ts';
import { startLoop, type ReconcilerLoop } from './reconciler/loop.ts';
import { createUserSecrets } from './secrets/user-secrets.ts';
import { createPriceBook } from './money/price-book.ts';
import type { MachineContract } from './reconciler/wish.ts';

/** How long requests under way may take when this replica ends. */
const CONNECTIONS_MS = 500;
/** How long the start waits for what is told to the database first; a database that is away hears it later. */
const BEGIN_MS = 2_000;

export interface ControlPlane {
  url: string;
  /** Where `/metrics` is: never on the public port. */
  metricsUrl: string;
  /** Takes no new work, ends or gives back what is under way, closes every connection. */
  close(): Promise<void>;
}

/** One replica: the API writes wishes, the reconciler makes them true. It holds no state; any number may run against one database. */
export async function startControlPlane(settings: Settings, log: Logger): Promise<ControlPlane> {
  const now = Date.now;
  const http = createHttp();
  // the API is up before the loop is: what it needs of it is filled in below
  let loop: ReconcilerLoop | null = null;
  const claimAgeMs = () => now() - (loop?.lastClaimAt() ?? 0);
  const metrics = createMetrics({
    lastClaimAgeSeconds: () => claimAgeMs() / 1_000, underWay: () => loop?.underWay() ?? 0, now, fleetFigures: createReadFleetFigures({ url: settings.supabase.url, secretKey: settings.supabase.secretKey, fetch: http.fetch }),
  });
  const told = metrics.timed(tellingActor(http.fetch));
  const control = createControlDatabase({ url: settings.supabase.url, secretKey: settings.supabase.secretKey, fetch: told });
  const userDatabase = createUserDatabases({ url: settings.supabase.url, publishableKey: settings.supabase.publishableKey, fetch: http.fetch });
  const rpc = createRpc({ url: settings.supabase.url, secretKey: settings.supabase.secretKey, fetch: told });
  const [plans, account, secretsDatabase] = [createPlansDatabase(rpc), createAccountDatabase(rpc), createSecretsDatabase(rpc)];
  const secrets = createUserSecrets(secretsDatabase, settings.sealingKeys);
  const signer = await createSigner({ machineTokenJwk: settings.machineTokenJwk, ticketJwk: settings.ticketJwk, now, randomUuid: randomUUID });
  const auth = createAuthenticator({ supabaseUrl: settings.supabase.url, jwtSecret: settings.supabase.jwtSecret, fetch: http.fetch, tokenByHash: account.tokenByHash, userToken: signer.userToken });
  const budget = createFlyBudget({ perSecond: settings.fly.perSecond, now, sleep });
  const fly = budget.spend(createFlyClient({ baseUrl: settings.fly.url, token: settings.fly.token, dispatcher: http.agent }));
  const flyLogs = settings.fly.logsUrl === undefined ? null : createReadFlyLogs({ baseUrl: settings.fly.logsUrl, token: settings.fly.token, dispatcher: http.agent });
  const fleet = createFleet(settings, { fetch: http.fetch, told, fly, log, metrics, now, wake: () => loop?.wake() });
  const hub = createHub();
  const prices = createPriceBook(account);
  const closing = new AbortController();
  let listening = '';

  const api = await createServer({
    context: {
      auth, control, machines: createMachineDatabase(rpc), plans, secrets, secretsDatabase, account, requests: createRequestsDatabase(rpc), sealingKeys: settings.sealingKeys, userDatabase, signer, fleet, hub, prices: prices.now, logs: { live: createReadLiveLog({ ticket: signer.ticket, fetch: http.fetch }), fly: flyLogs }, now, closing: closing.signal, wake: () => loop?.wake(),
      environment: settings.environment, machineImage: settings.machineImage, machineSupabaseUrl: settings.machineSupabaseUrl, allowUsRegions: settings.allowUsRegions,
      gemini: settings.gemini, controlPlaneUrl: () => settings.controlPlaneUrl ?? listening, fetch: http.fetch,
    },
    allowedOrigins: settings.allowedOrigins, log, metrics, limits: settings.limits, trustedProxies: settings.trustedProxies,
    readiness: () => readiness(() => control.ping(), claimAgeMs),
  });
  const url = await listenOn(() => api.listen({ port: settings.port, host: settings.host }), settings.port);
  listening = url;
  const metricsServer = await serveMetrics(metrics, settings.metricsPort, settings.host);

  const contract: MachineContract = {
    appNameKey: settings.appNameKey,
    urlTemplate: settings.machineUrlTemplate,
    supabaseUrl: settings.machineSupabaseUrl,
    supabasePublishableKey: settings.supabase.publishableKey,
    controlPlaneUrl: settings.controlPlaneUrl ?? url,
    ticketJwks: signer.ticketJwks,
    allowedOrigins: settings.allowedOrigins,
    env: settings.machineEnv,
    allowUsRegions: settings.allowUsRegions,
  };
  const started = startLoop({
    database: control,
    context: {
      fly, database: control, org: settings.fly.org, contract, replicaId: settings.replicaId, now, prices: prices.now,
      newSecret: () => randomBytes(32).toString('base64url'),
      lastLogs: createLastLogs(flyLogs),
      probe: (app, signal) => isReady(http.fetch, machineUrl(settings.machineUrlTemplate, app), signal),
    },
    log, now, random: Math.random, leaseSeconds: settings.leaseSeconds, contractShare: settings.contractShare, changed: hub.notify, looked: metrics.looked, replicas: budget.share,
  });
  loop = started;
  const fleetLoops = fleet.start();
  const housekeeping = startHousekeeping({
    account, secrets, prices, log, random: Math.random, wake: () => started.wake(),
    atStart: [
      // machines hear of new ticket keys with their next beat
      ['ticket keys', () => account.publishTicketKeys(JSON.parse(signer.ticketJwks))],
      ...(settings.defaultPlan === undefined ? [] : [['default plan', () => plans.setDefault(settings.defaultPlan ?? '')] as const]),
    ],
  });
  await Promise.race([housekeeping.begun, sleep(BEGIN_MS)]);

  return {
    url,
    metricsUrl: metricsServer.url,
    async close() {
      closing.abort();
      // Connections that never carried a request (clients open them ahead) count as busy to Node: they are not waited for.
      const impatient = setTimeout(() => api.server.closeAllConnections(), CONNECTIONS_MS);
      await Promise.all([started.stop(), fleetLoops.stop(), housekeeping.stop(), api.close()]);
      clearTimeout(impatient);
      await new Promise((resolve) => { metricsServer.server.close(resolve); metricsServer.server.closeAllConnections(); });
      await budget.stop();
      await http.close();
    },
  };
}

/** Ready = the database answers and machines were claimed a short while ago. */
async function readiness(ping: () => Promise<void>, claimAgeMs: () => number): Promise<Readiness> {
  const database = await ping().then(() => ({ ok: true, detail: 'answers' }), (error: unknown) => ({ ok: false, detail: error instanceof Error ? error.message : 'does not answer' }));
  const age = claimAgeMs();
  const reconciler = age < 15_000 ? { ok: true, detail: 'claims machines' } : { ok: false, detail: 'has not claimed machines for 15 seconds' };
  return { ready: database.ok && reconciler.ok, checks: { database, reconciler } };
}

/** The machine's own word at `/ready`; anything but 200 within a second is a no. */
async function isReady(call: typeof fetch, url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const answer = await call(`${url}/ready`, { signal: AbortSignal.any([signal, AbortSignal.timeout(1_000)]), redirect: 'error' });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    return false;
  }
}

async function serveMetrics(metrics: Metrics, port: number, host: string): Promise<{ server: Server; url: string }> {
  const server = createHttpServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') { response.writeHead(404).end(); return; }
    metrics.registry.metrics().then((text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text), () => response.writeHead(500).end());
  });
  const url = await listenOn(() => new Promise<string>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      resolve(`http://${host}:${typeof address === 'object' && address !== null ? address.port : port}`);
    });
  }), port);
  return { server, url };
}

async function listenOn(listen: () => Promise<string>, port: number): Promise<string> {
  try {
    return await listen();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    throw new TradeMindError({
      code: 'port_unavailable', message: code === 'EACCES' ? `Port ${port} may not be used by this user.` : `Port ${port} is taken by another process.`,
      nextStep: 'Choose another with PORT (or METRICS_PORT).', cause: error,
    });
  }
}
