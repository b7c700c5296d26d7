import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';

/** The keys of a local project. */
export interface ProjectKeys { publishableKey: string; secretKey: string; userSigningJwk: JWK }

/** A private ES256 key with a random kid. */
export async function generateSigningJwk(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: randomBytes(8).toString('hex') };
}

export async function generateKeys(): Promise<ProjectKeys> {
  return {
    publishableKey: `sb_publishable_${randomBytes(24).toString('base64url')}`,
    secretKey: `sb_secret_${randomBytes(24).toString('base64url')}`,
    userSigningJwk: await generateSigningJwk(),
  };
}

/** The keys kept in `file` (readable by its owner only), made at first use. */
export async function keepKeys(file: string): Promise<ProjectKeys> {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as ProjectKeys;
  const keys = await generateKeys();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.part`, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.part`, file);
  return keys;
}
