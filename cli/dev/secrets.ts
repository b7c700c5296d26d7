import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { parseWith } from '@trademind/core';
import * as z from 'zod/mini';
import { damaged, readJson, writeJsonAtomically } from './write-atomically.ts';

const PrivateJwk = z.looseObject({ kty: z.string(), crv: z.string(), x: z.string(), d: z.string(), kid: z.string(), alg: z.string() });

/** Everything secret of a local cloud. Made once; each process is given only what it needs, by environment. */
const Secrets = z.object({
  postgresPassword: z.string(),
  publishableKey: z.string(),
  secretKey: z.string(),
  /** ES256: signs the sessions of users (the gateway). */
  userKey: PrivateJwk,
  /** ES256: signs the database tokens of machines (the control plane); the gateway knows its public half. */
  machineKey: PrivateJwk,
  /** Ed25519: signs feed tickets (the control plane); machines know its public half. */
  ticketKey: PrivateJwk,
  flyToken: z.string(),
  geminiToken: z.string(),
  /** Keys the names of apps, so that they do not give away user ids. */
  appNameKey: z.string(),
  demoPassword: z.string(),
  /** What users' own keys are sealed with. Absent from folders of an earlier release: made at their next start. */
  sealingKey: z.optional(z.string()),
});
export type Secrets = z.infer<typeof Secrets>;
export type PrivateJwk = z.infer<typeof PrivateJwk>;

const random = (bytes = 32) => randomBytes(bytes).toString('base64url');

function es256(): PrivateJwk {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'ES256', use: 'sig' } as PrivateJwk;
}

function ed25519(): PrivateJwk {
  const { privateKey } = generateKeyPairSync('ed25519');
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'EdDSA', use: 'sig' } as PrivateJwk;
}

const sealingKey = () => randomBytes(32).toString('base64');

function makeSecrets(): Secrets {
  return {
    postgresPassword: random(),
    publishableKey: `sb_publishable_${random(24)}`,
    secretKey: `sb_secret_${random(32)}`,
    userKey: es256(),
    machineKey: es256(),
    ticketKey: ed25519(),
    flyToken: random(),
    geminiToken: random(),
    appNameKey: random(),
    demoPassword: random(18),
    sealingKey: sealingKey(),
  };
}

/** A JWK without its private part. */
export function publicHalf(jwk: PrivateJwk): Record<string, unknown> {
  const { d: _secret, ...open } = jwk;
  return open;
}

/** The secrets of a data folder; undefined when it has none yet. Throws `data_damaged` when the file is not whole. */
export function readSecrets(path: string): Secrets | undefined {
  const stored = readJson(path);
  if (stored === undefined) return undefined;
  try {
    return parseWith(Secrets, stored, 'data_damaged', path);
  } catch (error) {
    throw damaged(path, error);
  }
}

/**
 * Reads the secrets, or makes them when the folder is new. A folder that has a database but no secrets is half-written: new secrets would
 * open nothing.
 */
export function openSecrets(path: string, hasDatabase: boolean): Secrets {
  const stored = readSecrets(path);
  if (stored?.sealingKey !== undefined) return stored;
  if (stored) {
    const whole = { ...stored, sealingKey: sealingKey() };
    writeJsonAtomically(path, whole);
    return whole;
  }
  if (hasDatabase) throw damaged(path);
  const made = makeSecrets();
  writeJsonAtomically(path, made);
  return made;
}
