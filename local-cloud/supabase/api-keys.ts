import { createHash, randomBytes } from 'node:crypto';
import type { Pool } from 'pg';

export const API_KEY_TYPES = ['publishable', 'secret'] as const;
export type ApiKeyType = (typeof API_KEY_TYPES)[number];
export interface ApiKey { id: string; type: ApiKeyType; name: string; prefix: string; inserted_at: Date }
interface Row extends ApiKey { hash: string; deleted_at: Date | null }

/**
 * The project's API keys: any number of each type is good at once, so that one follows another without a gap. Kept in the database as hashes. The two that the gateway was started with are `default`; also they
 * can be deleted, and stay so.
 */
export class ApiKeys {
  readonly #pool: Pool;
  readonly #configured: Readonly<Record<ApiKeyType, string>>;
  #rows: Promise<ReadonlyMap<string, Row>> | null = null;

  constructor(pool: Pool, configured: { publishableKey: string; secretKey: string }) {
    this.#pool = pool;
    this.#configured = { publishable: configured.publishableKey, secret: configured.secretKey };
  }

  /** What a key opens; null: nothing, or no more. */
  async typeOf(key: string): Promise<ApiKeyType | null> {
    const row = (await this.#read()).get(hashOf(key));
    return row === undefined || row.deleted_at !== null ? null : row.type;
  }

  async list(): Promise<ApiKey[]> {
    return [...(await this.#read()).values()].filter(({ deleted_at: deletedAt }) => deletedAt === null).map(({ hash: _hash, deleted_at: _deletedAt, ...key }) => key);
  }

  /** A new one, told this once. */
  async create(type: ApiKeyType, name: string): Promise<ApiKey & { api_key: string }> {
    const key = `sb_${type}_${randomBytes(24).toString('base64url')}`;
    await this.#read();
    await this.#insert(type, name, key);
    this.#rows = null;
    const { hash: _hash, deleted_at: _deletedAt, ...made } = (await this.#read()).get(hashOf(key)) as Row;
    return { ...made, api_key: key };
  }

  /** False when there is none of this id. */
  async remove(id: string): Promise<boolean> {
    const { rowCount } = await this.#pool.query('update auth.api_keys set deleted_at = now() where id::text = $1 and deleted_at is null', [id]);
    this.#rows = null;
    return rowCount === 1;
  }

  #read(): Promise<ReadonlyMap<string, Row>> {
    if (this.#rows === null) {
      const reading = this.#load();
      reading.catch(() => { if (this.#rows === reading) this.#rows = null; });
      this.#rows = reading;
    }
    return this.#rows;
  }

  async #load(): Promise<ReadonlyMap<string, Row>> {
    for (const type of API_KEY_TYPES) await this.#insert(type, 'default', this.#configured[type]);
    const { rows } = await this.#pool.query<Row>('select id, type, name, prefix, inserted_at, hash, deleted_at from auth.api_keys order by inserted_at, id');
    // of another project that was configured over this database before nothing is good any more
    const mine = new Set(Object.values(this.#configured).map(hashOf));
    return new Map(rows.filter(({ name, hash }) => name !== 'default' || mine.has(hash)).map((row) => [row.hash, row]));
  }

  async #insert(type: ApiKeyType, name: string, key: string): Promise<void> {
    await this.#pool.query('insert into auth.api_keys (type, name, prefix, hash) values ($1, $2, $3, $4) on conflict (hash) do nothing', [type, name, key.slice(0, 16), hashOf(key)]);
  }
}

/** Keys are long and random: what is looked up is their hash, which tells nobody how far a guess was right. */
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');
