import { randomBytes } from 'node:crypto';
import { z } from 'zod';

/** Everything the control plane is told from outside, checked once. Secrets are strings here and nowhere printed. */
export interface Settings {
  port: number;
  host: string;
  /** `/metrics` moves to this private port when it is given. */
  metricsPort: number | undefined;
  supabase: { url: string; secretKey: string; publishableKey: string };
  /** How machines reach Supabase; the same address unless told. */
  machineSupabaseUrl: string;
  /** `perSecond`: requests that all replicas together may send; `logsUrl`: Fly's separate log API, absent = no logs of boots that failed. */
  fly: { url: string; token: string; org: string; perSecond: number; logsUrl: string | undefined };
  environment: string;
  /** Pinned by digest: `registry/name@sha256:…`. */
  machineImage: string;
  /** Base URL of a machine, with `{app}` in it. */
  machineUrlTemplate: string;
  /** Public URL of this control plane, as machines call it; undefined = the address it listens on. */
  controlPlaneUrl: string | undefined;
  /** Plain environment that every machine gets beside its contract. */
  machineEnv: Readonly<Record<string, string>>;
  /** Private JWKs as JSON text. */
  machineTokenJwk: string;
  ticketJwk: string;
  appNameKey: string;
  allowedOrigins: readonly string[];
  allowUsRegions: boolean;
  replicaId: string;
  /** How long a replica that died keeps others from its machines. */
  leaseSeconds: number;
  logLevel: string;
}

const url = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).transform((text) => text.replace(/\/+$/, ''));
const secret = (least: number) => z.string().min(least, `must have at least ${least} characters`);
const port = z.coerce.number({ error: 'must be a number' }).int().min(0).max(65_535);
const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');

function jwk(kty: string, crv: string) {
  return z.string().refine((text) => {
    try {
      const key = JSON.parse(text) as { kty?: unknown; crv?: unknown; d?: unknown; kid?: unknown };
      return key.kty === kty && key.crv === crv && typeof key.d === 'string' && typeof key.kid === 'string';
    } catch {
      return false;
    }
  }, `must be a private ${crv} JWK as JSON, with a kid`);
}

const plainEnv = z.string().transform((text, context) => {
  try {
    return z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a JSON object of strings, e.g. {"BINANCE_REST_URL":"https://…"}' });
    return z.NEVER;
  }
});

const Env = z.object({
  PORT: port,
  HOST: z.string().default('127.0.0.1'),
  METRICS_PORT: port.optional(),
  SUPABASE_URL: url,
  SUPABASE_SECRET_KEY: secret(8),
  SUPABASE_PUBLISHABLE_KEY: secret(8),
  MACHINE_SUPABASE_URL: url.optional(),
  FLY_API_URL: url.default('https://api.machines.dev/v1'),
  FLY_API_TOKEN: secret(1),
  FLY_REQUESTS_PER_SECOND: z.coerce.number().int().min(4).max(100_000).default(1_000),
  FLY_LOGS_URL: url.optional(),
  FLY_ORG: z.string().min(1).default('personal'),
  ENVIRONMENT: z.string().regex(/^[a-z][a-z0-9-]{0,19}$/, 'must be lower-case letters, digits and dashes').default('local'),
  MACHINE_IMAGE: z.string().regex(/^[\w.:/-]+@sha256:[0-9a-f]{64}$/, 'must be pinned by digest (registry/name@sha256:…): a tag moves'),
  MACHINE_URL_TEMPLATE: z.string().refine((text) => text.includes('{app}') && URL.canParse(text.replace('{app}', 'app')), 'must be a URL with {app} in it')
    .default('https://{app}.fly.dev'),
  CONTROL_PLANE_URL: url.optional(),
  MACHINE_ENV: plainEnv.default({}),
  MACHINE_TOKEN_JWK: jwk('EC', 'P-256'),
  TICKET_JWK: jwk('OKP', 'Ed25519'),
  APP_NAME_KEY: secret(16),
  ALLOWED_ORIGINS: z.string().default('').transform((text) => text.split(',').map((origin) => origin.trim()).filter((origin) => origin !== ''))
    .refine((origins) => origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin), 'must be origins separated by commas, e.g. https://app.example'),
  ALLOW_US_REGIONS: flag.default(false),
  REPLICA_ID: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots or dashes').optional(),
  LEASE_SECONDS: z.coerce.number().int().min(3).max(300).default(10),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** Names that mean the same thing elsewhere. */
const ALIASES: Readonly<Record<string, string>> = { SUPABASE_SERVICE_KEY: 'SUPABASE_SECRET_KEY', SUPABASE_ANON_KEY: 'SUPABASE_PUBLISHABLE_KEY' };

export type SettingsResult = { ok: true; settings: Settings } | { ok: false; problems: string[] };

/** Reads and checks the whole environment. All problems are listed at once, by name; no value is ever repeated. */
export function readSettings(source: Readonly<Record<string, string | undefined>>): SettingsResult {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(source)) if (value !== undefined && value !== '') given[name] = value;
  for (const [alias, name] of Object.entries(ALIASES)) if (given[name] === undefined && given[alias] !== undefined) given[name] = given[alias];
  const parsed = Env.safeParse(given);
  if (!parsed.success) {
    return { ok: false, problems: parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      return `${name} ${given[name] === undefined ? 'is missing' : issue.message}`;
    }) };
  }
  const env = parsed.data;
  return { ok: true, settings: {
    port: env.PORT,
    host: env.HOST,
    metricsPort: env.METRICS_PORT,
    supabase: { url: env.SUPABASE_URL, secretKey: env.SUPABASE_SECRET_KEY, publishableKey: env.SUPABASE_PUBLISHABLE_KEY },
    machineSupabaseUrl: env.MACHINE_SUPABASE_URL ?? env.SUPABASE_URL,
    fly: { url: env.FLY_API_URL, token: env.FLY_API_TOKEN, org: env.FLY_ORG, perSecond: env.FLY_REQUESTS_PER_SECOND, logsUrl: env.FLY_LOGS_URL },
    environment: env.ENVIRONMENT,
    machineImage: env.MACHINE_IMAGE,
    machineUrlTemplate: env.MACHINE_URL_TEMPLATE,
    controlPlaneUrl: env.CONTROL_PLANE_URL,
    machineEnv: env.MACHINE_ENV,
    machineTokenJwk: env.MACHINE_TOKEN_JWK,
    ticketJwk: env.TICKET_JWK,
    appNameKey: env.APP_NAME_KEY,
    allowedOrigins: env.ALLOWED_ORIGINS,
    allowUsRegions: env.ALLOW_US_REGIONS,
    replicaId: env.REPLICA_ID ?? `cp-${randomBytes(4).toString('hex')}`,
    leaseSeconds: env.LEASE_SECONDS,
    logLevel: env.LOG_LEVEL,
  } };
}

/** The environment of this process: the only place where it is read. */
export const processEnvironment = (): Readonly<Record<string, string | undefined>> => process.env;
