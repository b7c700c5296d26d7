import { Interval, TradeMindError } from '@trademind/core';
import * as z from 'zod/mini';

/** The contract of a machine's environment. This is the one file that reads it. */
const url = (...protocols: string[]) => z.pipe(
  z.string().check(z.refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`)),
  z.transform((text) => text.replace(/\/+$/, '')),
);
const integer = (least: number, most: number) => z.pipe(
  z.string().check(z.refine((text) => /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most, `must be a whole number from ${least} to ${most}`)),
  z.transform(Number),
);
const flag = z.pipe(z.enum(['true', 'false'], 'must be true or false'), z.transform((text) => text === 'true'));
const list = z.pipe(z.string(), z.transform((text) => text.split(',').map((item) => item.trim()).filter((item) => item !== '')));
const uuid = z.uuid('must be a UUID');
const secret = (least: number) => z.string().check(z.minLength(least, `must have at least ${least} characters`));

const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.optional(z.string()) })).check(z.minLength(1)) });
const jwks = z.pipe(
  z.string().check(z.refine((text) => readJwks(text) !== undefined, 'must be a JSON Web Key Set with at least one public key')),
  z.transform((text) => readJwks(text) as { keys: { kty: string }[] }),
);

const Contract = z.object({
  USER_ID: uuid,
  MACHINE_ID: uuid,
  MACHINE_REGION: z._default(z.string().check(z.regex(/^[a-z]{3}$/, 'must be a region of three letters')), 'sin'),
  KLINE_INTERVAL: z._default(z.enum(Interval.options, `must be one of ${Interval.options.join(' ')}`), '5m'),
  SCREENING_INTERVAL_MS: z._default(integer(1_000, 3_600_000), 60_000),
  SUPABASE_URL: url('https:', 'http:'),
  SUPABASE_PUBLISHABLE_KEY: secret(8),
  CONTROL_PLANE_URL: url('https:', 'http:'),
  MACHINE_SECRET: secret(16),
  TICKET_JWKS: jwks,
  ALLOWED_ORIGINS: z._default(list, []),
  DATA_DIR: z._default(z.string(), '/data'),
  ARCHIVE_DIR: z.optional(z.string()),
  RECORDING_MB: z._default(integer(0, 1_000_000), 0),
  GEMINI_API_KEY: z.optional(z.string()),
  GEMINI_MODEL: z.optional(z.string()),
  GEMINI_BASE_URL: z.optional(url('https:', 'http:')),
  BINANCE_API_KEY: z.optional(z.string()),
  BINANCE_SECRET_KEY: z.optional(z.string()),
  BINANCE_REST_URL: z._default(url('https:', 'http:'), 'https://data-api.binance.vision'),
  BINANCE_STREAM_URL: z._default(url('wss:', 'ws:'), 'wss://data-stream.binance.vision'),
  PAPER_TRADING: z._default(flag, true),
  LOG_LEVEL: z._default(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'must be a level of pino'), 'info'),
  HOST: z._default(z.string(), '::'),
  PORT: z._default(integer(0, 65_535), 8_080),
  METRICS_PORT: z._default(integer(0, 65_535), 9_091),
  METRICS_HOST: z.optional(z.string()),
});
export type Settings = z.infer<typeof Contract> & { METRICS_HOST: string };

/**
 * Where the private port listens unless METRICS_HOST says so. Fly scrapes a machine over IPv4, where only its own host reaches it; the private network of an organisation is IPv6 alone. Elsewhere: this
 * computer (docs/adr/0018).
 */
const METRICS_HOSTS = { fly: '0.0.0.0', elsewhere: '127.0.0.1' } as const;

const NAMES = Object.keys(Contract.shape) as (keyof Settings)[];
const ALIASES: Readonly<Partial<Record<keyof Settings, string>>> = { SUPABASE_PUBLISHABLE_KEY: 'SUPABASE_ANON_KEY' };

/**
 * Reads and checks the environment. An empty variable counts as absent. Throws TradeMindError `environment_invalid` that lists everything
 * that is wrong, by name; values are never repeated.
 */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const given: Record<string, string> = {};
  for (const name of NAMES) {
    const alias = ALIASES[name];
    const value = environment[name] || (alias ? environment[alias] : undefined);
    if (value) given[name] = value;
  }
  const result = Contract.safeParse(given);
  if (result.success) return { ...result.data, METRICS_HOST: result.data.METRICS_HOST ?? METRICS_HOSTS[environment['FLY_MACHINE_ID'] ? 'fly' : 'elsewhere'] };
  const wrong = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return given[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`;
  });
  throw new TradeMindError({
    code: 'environment_invalid', field: String(result.error.issues[0]?.path[0] ?? ''),
    message: `The environment is not complete: ${wrong.join('; ')}.`, nextStep: 'The contract is in machine-image/README.md.',
  });
}

function readJwks(text: string): z.infer<typeof Jwks> | undefined {
  try {
    return Jwks.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
