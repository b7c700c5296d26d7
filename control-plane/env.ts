import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { SealingKeys } from './secrets/envelope.ts';

/** Everything the control plane is told from outside, checked once. Secrets are strings here and nowhere printed. */
export interface Settings {
  port: number;
  host: string;
  /** `/metrics` has a port of its own, never the public one; 0: any that is free. */
  metricsPort: number;
  /** `jwtSecret`: of a project that signs users' tokens with one shared secret (HS256); undefined: published keys alone are believed. */
  supabase: { url: string; secretKey: string; publishableKey: string; jwtSecret: string | undefined };
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
  /** Requests in a minute. */
  limits: { perAddress: number; perUser: number };
  trustedProxies: readonly string[];
  /** Private JWKs as JSON text, one or `{"keys": […]}`: the first signs, all verify. So a key is followed by another without anybody being refused. */
  machineTokenJwk: string;
  ticketJwk: string;
  appNameKey: string;
  /** What users' own keys are sealed with; null: none are taken. */
  sealingKeys: SealingKeys | null;
  /** The platform's own access to Gemini; null: machines need a key of their user's. */
  gemini: { url: string; apiKey: string; callsPerMinute: number } | null;
  /** The plan of users who have none of their own, written into the database at start; undefined: as it stands there. */
  defaultPlan: string | undefined;
  allowedOrigins: readonly string[];
  allowUsRegions: boolean;
  replicaId: string;
  /** How long a replica that died keeps others from its machines. */
  leaseSeconds: number;
  logLevel: string;
  /** A registry that has every image, whatever host its name says (the local cloud's). */
  imageRegistryUrl: string | undefined;
  /** How often the organisation is compared with the database, and how long an orphan is left alone. */
  sweepSeconds: number;
  orphanGraceSeconds: number;
  /** Of the machines that run so many at most take what all are given, when that changed, within ten minutes; 0: none by itself. */
  contractShare: number;
}

const url = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).transform((text) => text.replace(/\/+$/, ''));
const secret = (least: number) => z.string().min(least, `must have at least ${least} characters`);
const port = z.coerce.number({ error: 'must be a number' }).int().min(0).max(65_535);
const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');

/** One private key, or a set of such. */
function jwk(kty: string, crv: string) {
  interface Key { kty?: unknown; crv?: unknown; d?: unknown; kid?: unknown }
  return z.string().refine((text) => {
    try {
      const value = JSON.parse(text) as Key & { keys?: Key[] };
      const keys = Array.isArray(value.keys) ? value.keys : [value];
      return keys.length > 0 && new Set(keys.map(({ kid }) => kid)).size === keys.length && keys.every((key) => key.kty === kty && key.crv === crv && typeof key.d === 'string' && typeof key.kid === 'string');
    } catch {
      return false;
    }
  }, `must be a private ${crv} JWK as JSON, with a kid, or {"keys":[…]} of such, the one that signs first`);
}

const plainEnv = z.string().transform((text, context) => {
  try {
    return z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a JSON object of strings, e.g. {"BINANCE_REST_URL":"https://…"}' });
    return z.NEVER;
  }
});

/** `{"current": "2026-11", "keys": {"2026-11": "<32 bytes in base64>", …}}`: new secrets are sealed with `current`, old ones opened with any. */
const sealingKeys = z.string().transform((text, context): SealingKeys => {
  try {
    const { current, keys } = z.strictObject({ current: z.string(), keys: z.record(z.string().regex(/^[\w-]{1,64}$/), z.string()) }).parse(JSON.parse(text));
    const held = new Map(Object.entries(keys).map(([id, key]) => [id, Buffer.from(key, 'base64')]));
    if (held.has(current) && [...held.values()].every((key) => key.length === 32)) return { current, keys: held };
  } catch { /* said below, without a word of it */ }
  context.addIssue({ code: 'custom', message: 'must be {"current":"<id>","keys":{"<id>":"<32 bytes in base64>"}} with the current one among the keys' });
  return z.NEVER;
});

const Env = z.object({
  PORT: port,
  HOST: z.string().default('127.0.0.1'),
  METRICS_PORT: port.default(0),
  RATE_LIMIT_PER_ADDRESS: z.coerce.number().int().min(1).default(3_000),
  RATE_LIMIT_PER_USER: z.coerce.number().int().min(1).default(600),
  TRUSTED_PROXIES: z.string().default('').transform((text) => text.split(',').map((one) => one.trim()).filter((one) => one !== ''))
    .refine((all) => all.every((one) => /^[0-9a-f.:]+(\/\d{1,3})?$/i.test(one)), 'must be addresses or networks separated by commas, e.g. 172.16.0.0/12'),
  SUPABASE_URL: url,
  SUPABASE_SECRET_KEY: secret(8),
  SUPABASE_PUBLISHABLE_KEY: secret(8),
  SUPABASE_JWT_SECRET: secret(32).optional(),
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
  SEALING_KEYS: sealingKeys.optional(),
  GEMINI_API_KEY: secret(8).optional(),
  GEMINI_URL: url.default('https://generativelanguage.googleapis.com'),
  GEMINI_CALLS_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).default(300),
  DEFAULT_PLAN: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be the name of a plan').optional(),
  ALLOWED_ORIGINS: z.string().default('').transform((text) => text.split(',').map((origin) => origin.trim()).filter((origin) => origin !== ''))
    .refine((origins) => origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin), 'must be origins separated by commas, e.g. https://app.example'),
  ALLOW_US_REGIONS: flag.default(false),
  REPLICA_ID: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots or dashes').optional(),
  LEASE_SECONDS: z.coerce.number().int().min(3).max(300).default(10),
  IMAGE_REGISTRY_URL: url.optional(),
  SWEEP_SECONDS: z.coerce.number().int().min(1).max(86_400).default(300),
  ORPHAN_GRACE_SECONDS: z.coerce.number().int().min(0).max(604_800).default(3_600),
  CONTRACT_SHARE: z.coerce.number({ error: 'must be a number' }).min(0, 'must be 0 to 1').max(1, 'must be 0 to 1').default(0.1),
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
  // without them no user's key is taken and no answer is kept for repeats: nobody should find that out by a machine made twice
  if (env.SEALING_KEYS === undefined && env.ENVIRONMENT !== 'local') return { ok: false, problems: ['SEALING_KEYS is missing: only ENVIRONMENT=local goes without'] };
  return { ok: true, settings: {
    port: env.PORT,
    host: env.HOST,
    metricsPort: env.METRICS_PORT,
    limits: { perAddress: env.RATE_LIMIT_PER_ADDRESS, perUser: env.RATE_LIMIT_PER_USER },
    trustedProxies: env.TRUSTED_PROXIES,
    supabase: { url: env.SUPABASE_URL, secretKey: env.SUPABASE_SECRET_KEY, publishableKey: env.SUPABASE_PUBLISHABLE_KEY, jwtSecret: env.SUPABASE_JWT_SECRET },
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
    sealingKeys: env.SEALING_KEYS ?? null,
    gemini: env.GEMINI_API_KEY === undefined ? null : { url: env.GEMINI_URL, apiKey: env.GEMINI_API_KEY, callsPerMinute: env.GEMINI_CALLS_PER_MINUTE },
    defaultPlan: env.DEFAULT_PLAN,
    allowedOrigins: env.ALLOWED_ORIGINS,
    allowUsRegions: env.ALLOW_US_REGIONS,
    replicaId: env.REPLICA_ID ?? `cp-${randomBytes(4).toString('hex')}`,
    leaseSeconds: env.LEASE_SECONDS,
    logLevel: env.LOG_LEVEL,
    imageRegistryUrl: env.IMAGE_REGISTRY_URL,
    sweepSeconds: env.SWEEP_SECONDS,
    orphanGraceSeconds: env.ORPHAN_GRACE_SECONDS,
    contractShare: env.CONTRACT_SHARE,
  } };
}

/** The environment of this process: the only place where it is read. */
export const processEnvironment = (): Readonly<Record<string, string | undefined>> => process.env;
