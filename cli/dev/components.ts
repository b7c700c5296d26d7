import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../environment.ts';
import type { Program } from './child.ts';
import type { DataFolder } from './data-folder.ts';
import { LIVE_REST, LIVE_STREAM, marketArgument } from './market.ts';
import { publicHalf, type Secrets } from './secrets.ts';
import type { Market, Ports } from './settings.ts';
import { writeJsonAtomically } from './write-atomically.ts';
import type { Urls } from './lock.ts';

export type ComponentName = 'postgres' | 'supabase' | 'fly' | 'exchange' | 'gemini' | 'control-plane' | 'page';

export interface Plan {
  root: string;
  folder: DataFolder;
  ports: Ports;
  secrets: Secrets;
  market: Market;
  speed: number;
  image: string;
  environment: Environment;
}

const at = (port: number) => `http://127.0.0.1:${port}`;

/** Where everything will be. */
export function urlsOf({ ports, market, environment }: Pick<Plan, 'ports' | 'market' | 'environment'>): Urls {
  return {
    controlPlane: at(ports.controlPlane), dashboard: at(ports.dashboard), supabase: at(ports.supabase), fly: at(ports.fly), flyEdge: at(ports.flyEdge),
    exchange: market.kind === 'live' ? null : at(ports.exchange),
    gemini: environment.geminiApiKey ? null : at(ports.gemini),
  };
}

/** Every process of the local cloud: what is run, and the part of the secrets that it is given. */
export function components(plan: Plan): Map<ComponentName, Program> {
  const { folder, ports, secrets, environment } = plan;
  const urls = urlsOf(plan);
  const program = (name: ComponentName, args: string[], env: Record<string, string>): [ComponentName, Program] => [
    name,
    { name, args: [join(plan.root, args[0] ?? ''), ...args.slice(1)], env: { ...environment.inherited, ...env }, logFile: join(folder.logs, `${name}.log`), readyTimeoutMs: 60_000 },
  ];
  const compileCache = environment.inherited.NODE_COMPILE_CACHE;
  const origins = [urls.dashboard, urls.dashboard.replace('127.0.0.1', 'localhost')].join(',');
  return new Map([
    program('postgres', ['local-cloud/postgres/main.ts'], {
      DATA_DIR: folder.postgres, PORT: String(ports.postgres), POSTGRES_PASSWORD: secrets.postgresPassword,
    }),
    program('supabase', ['local-cloud/supabase/main.ts'], {
      PORT: String(ports.supabase), POSTGRES_URL: `postgresql://postgres:${encodeURIComponent(secrets.postgresPassword)}@127.0.0.1:${ports.postgres}/postgres`,
      SUPABASE_PUBLISHABLE_KEY: secrets.publishableKey, SUPABASE_SECRET_KEY: secrets.secretKey,
      USER_SIGNING_JWK: JSON.stringify(secrets.userKey), EXTRA_JWKS: JSON.stringify([publicHalf(secrets.machineKey)]),
      SITE_URL: urls.dashboard, ALLOWED_ORIGINS: origins,
    }),
    program('fly', [
      'local-cloud/main.ts', 'fly', '--port', String(ports.fly), '--edge-port', String(ports.flyEdge), '--runtime', 'process', '--data', folder.fly, '--images', folder.images,
      ...(compileCache ? ['--compile-cache', compileCache] : []),
    ], { FLY_STAND_IN_TOKEN: secrets.flyToken }),
    ...(urls.exchange ? [program('exchange', [
      'local-cloud/main.ts', 'exchange', '--port', String(ports.exchange), '--market', marketArgument(plan.market), '--speed', String(plan.speed), '--data', folder.exchange,
    ], {})] : []),
    ...(urls.gemini ? [program('gemini', ['local-cloud/main.ts', 'gemini', '--port', String(ports.gemini)], { GEMINI_STAND_IN_TOKEN: secrets.geminiToken })] : []),
    program('control-plane', ['control-plane/main.ts'], {
      PORT: String(ports.controlPlane), HOST: '127.0.0.1', CONTROL_PLANE_URL: urls.controlPlane, ENVIRONMENT: 'local',
      SUPABASE_URL: urls.supabase, SUPABASE_SECRET_KEY: secrets.secretKey, SUPABASE_PUBLISHABLE_KEY: secrets.publishableKey,
      FLY_API_URL: `${urls.fly}/v1`, FLY_LOGS_URL: `${urls.fly}/api/v1`, FLY_API_TOKEN: secrets.flyToken, FLY_ORG: 'personal', IMAGE_REGISTRY_URL: urls.fly,
      MACHINE_IMAGE: plan.image, MACHINE_URL_TEMPLATE: `${urls.flyEdge}/{app}`, MACHINE_ENV: JSON.stringify(machineEnvironment(plan)),
      MACHINE_TOKEN_JWK: JSON.stringify(secrets.machineKey), TICKET_JWK: JSON.stringify(secrets.ticketKey), APP_NAME_KEY: secrets.appNameKey,
      ALLOWED_ORIGINS: origins, DEFAULT_PLAN: 'elite',
      ...(secrets.sealingKey === undefined ? {} : { SEALING_KEYS: JSON.stringify({ current: 'local', keys: { local: secrets.sealingKey } }) }),
      ...(environment.geminiApiKey ? { GEMINI_API_KEY: environment.geminiApiKey } : { GEMINI_API_KEY: secrets.geminiToken, GEMINI_URL: at(ports.gemini) }),
    }),
    program('page', ['web/main.ts'], {
      PORT: String(ports.dashboard), DASHBOARD_CONTROL_PLANE_URL: urls.controlPlane, DASHBOARD_SUPABASE_URL: urls.supabase,
      DASHBOARD_PUBLISHABLE_KEY: secrets.publishableKey, MACHINE_ORIGINS: urls.flyEdge,
    }),
  ]);
}

/** Plain environment of every machine beside its contract: the market it looks at, where candles lie already, what it records. */
function machineEnvironment({ folder, market, ports, environment }: Plan): Record<string, string> {
  const [rest, stream] = market.kind === 'live' ? [LIVE_REST, LIVE_STREAM] : [at(ports.exchange), at(ports.exchange).replace('http', 'ws')];
  return {
    BINANCE_REST_URL: rest, BINANCE_STREAM_URL: stream, KLINE_INTERVAL: '5m', LOG_LEVEL: environment.inherited.LOG_LEVEL ?? 'info', ARCHIVE_DIR: folder.archive,
    ...(environment.recordingMb !== undefined && { RECORDING_MB: environment.recordingMb }),
  };
}

/** Registers the release with the Fly stand-in, and keeps earlier ones: a machine that still runs one can be started again. */
export function registerImage(plan: Pick<Plan, 'root' | 'folder' | 'image'>): void {
  let earlier: Record<string, unknown> = {};
  try {
    earlier = JSON.parse(readFileSync(plan.folder.images, 'utf8')) as Record<string, unknown>;
  } catch {
    // The first start, or a damaged list: it is made anew.
  }
  const image = { command: [process.execPath, '--disable-warning=ExperimentalWarning', '--max-semi-space-size=1', 'machine-image/main.ts'], cwd: plan.root };
  writeJsonAtomically(plan.folder.images, Object.fromEntries([...Object.keys(earlier), plan.image].map((name) => [name, image])));
}
