import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { JWK } from 'jose';
import type { Pool } from 'pg';
import { withTransaction } from './database.ts';
import { generateSigningJwk } from './keys.ts';

/** Supabase's states of a key: it signs, it will sign (and is published already), its tokens still count, its tokens count no more. */
export type KeyStatus = 'in_use' | 'standby' | 'previously_used' | 'revoked';
export interface SigningKey { id: string; status: KeyStatus; jwk: JWK; created_at: Date; updated_at: Date }
interface KeyRow { id: string; status: KeyStatus; sealed: string; public_jwk: JWK; created_at: Date; updated_at: Date }

/** Why a key cannot become what was asked. */
export class KeyError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * The project's signing keys, kept in the database: the private halves sealed under the secret key. A configured key that the table does not know
 * becomes the one in use (so that configuration rotates too); a key sealed under another secret key can only verify.
 */
export class KeyRing {
  readonly #pool: Pool;
  readonly #configured: JWK;
  readonly #sealing: Buffer;
  #keys: Promise<readonly SigningKey[]> | null = null;

  constructor(pool: Pool, configured: JWK, secretKey: string) {
    if (configured.kty !== 'EC' || configured.crv !== 'P-256' || configured.d === undefined || configured.kid === undefined) {
      throw Object.assign(new Error('The signing key must be a private ES256 JWK with a kid.'), { code: 'signing_key_invalid' });
    }
    this.#pool = pool;
    this.#configured = configured;
    this.#sealing = Buffer.from(hkdfSync('sha256', secretKey, 'trademind', 'signing keys', 32));
  }

  /** Every key, oldest first. */
  list(): Promise<readonly SigningKey[]> {
    if (this.#keys === null) {
      const reading = this.#load();
      reading.catch(() => { if (this.#keys === reading) this.#keys = null; });
      this.#keys = reading;
    }
    return this.#keys;
  }

  /** A new key, or one that was made elsewhere (a private ES256 JWK), on standby, or at once in use. Throws KeyError. */
  async create(status: 'standby' | 'in_use', imported?: unknown): Promise<SigningKey> {
    const keys = await this.list();
    if (status === 'standby' && keys.some((key) => key.status === 'standby')) throw new KeyError(400, 'There is a standby key already: put it in use or revoke it first.');
    const jwk = imported === undefined ? await generateSigningJwk() : readSigningJwk(imported);
    if (keys.some((key) => key.id === jwk.kid)) throw new KeyError(400, 'The project has a key of this kid already.');
    await withTransaction(this.#pool, async (client) => {
      if (status === 'in_use') await client.query(RETIRE);
      await this.#insert(client, jwk, status);
    });
    return this.#reread(jwk.kid as string);
  }

  /** Moves a key on: standby or previously used → in use (the present one retires), standby or previously used → revoked. Throws KeyError. */
  async change(id: string, status: KeyStatus): Promise<SigningKey> {
    const key = await this.read(id);
    if (key.status === status) return key;
    if (key.status === 'in_use') throw new KeyError(400, 'The key in use cannot change: put another one in use first.');
    if (key.status === 'revoked' && status === 'in_use') throw new KeyError(400, 'A revoked key cannot sign again: make it previously used first.');
    if (status === 'in_use' && key.jwk.d === undefined) throw new KeyError(400, 'The private half of this key cannot be opened with the present secret key.');
    await withTransaction(this.#pool, async (client) => {
      if (status === 'in_use') await client.query(RETIRE);
      await client.query('update auth.signing_keys set status = $2, updated_at = now() where id = $1', [id, status]);
    });
    return this.#reread(id);
  }

  /** Throws KeyError 404. */
  async read(id: string): Promise<SigningKey> {
    const key = (await this.list()).find((one) => one.id === id);
    if (key === undefined) throw new KeyError(404, 'The project has no such signing key.');
    return key;
  }

  async #reread(id: string): Promise<SigningKey> {
    this.#keys = null;
    return this.read(id);
  }

  async #load(): Promise<readonly SigningKey[]> {
    const id = this.#configured.kid as string;
    const read = async () => (await this.#pool.query<KeyRow>('select * from auth.signing_keys order by created_at, id')).rows;
    let rows = await read();
    const known = rows.some((row) => row.id === id);
    const signs = rows.some((row) => row.status === 'in_use' && this.#open(row.sealed) !== null);
    if (!known || !signs) {
      await withTransaction(this.#pool, async (client) => {
        await client.query(RETIRE);
        await client.query('delete from auth.signing_keys where id = $1', [id]);
        await this.#insert(client, this.#configured, 'in_use');
      });
      rows = await read();
    }
    return rows.map(({ sealed, public_jwk: open, ...row }) => ({ ...row, jwk: this.#open(sealed) ?? open }));
  }

  async #insert(database: Pick<Pool, 'query'>, jwk: JWK, status: KeyStatus): Promise<void> {
    const { d: _d, ...open } = jwk;
    await database.query('insert into auth.signing_keys (id, status, sealed, public_jwk) values ($1, $2, $3, $4)', [jwk.kid, status, this.#seal(JSON.stringify(jwk)), open]);
  }

  #seal(text: string): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#sealing, nonce);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  #open(text: string): JWK | null {
    const bytes = Buffer.from(text, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', this.#sealing, bytes.subarray(0, 12), { authTagLength: 16 });
    decipher.setAuthTag(bytes.subarray(12, 28));
    try {
      return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')) as JWK;
    } catch {
      return null;
    }
  }
}

function readSigningJwk(value: unknown): JWK {
  const { kty, crv, x, y, d, kid } = (value ?? {}) as Record<string, unknown>;
  if (kty !== 'EC' || crv !== 'P-256' || [x, y, d, kid].some((part) => typeof part !== 'string' || part === '')) throw new KeyError(400, 'private_jwk must be a private ES256 JWK with a kid.');
  return { kty, crv, x, y, d, kid, alg: 'ES256', use: 'sig' } as JWK;
}

const RETIRE = `update auth.signing_keys set status = 'previously_used', updated_at = now() where status = 'in_use'`;
