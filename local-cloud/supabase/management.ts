import { json, type Answer, type Call } from './answer.ts';
import { API_KEY_TYPES, type ApiKeys } from './api-keys.ts';
import { KeyError, type KeyRing, type KeyStatus, type SigningKey } from './signing-keys.ts';
import { publicHalf } from './tokens.ts';

const STATUSES: readonly KeyStatus[] = ['in_use', 'standby', 'previously_used', 'revoked'];

/**
 * The part of the Management API (`/v1/projects/:ref/…`) with which keys are rotated, for whoever bears a secret key of the project. `config/auth/signing-keys`: list, create or import on standby, put in use (the
 * present key stays good for the tokens it signed), revoke. `api-keys`: list, make another beside those that are there, delete.
 */
export function createManagement(ring: KeyRing, keys: ApiKeys): (call: Omit<Call, 'caller'>) => Promise<Answer> {
  return async (call) => {
    const bearer = /^Bearer\s+(.+)$/i.exec(call.headers['authorization'] ?? '')?.[1] ?? '';
    if ((await keys.typeOf(bearer)) !== 'secret') return json(401, { message: 'Unauthorized' });
    const [, what, id] = /^\/[\w-]+\/(config\/auth\/signing-keys|api-keys)(?:\/([\w-]+))?$/.exec(call.path) ?? [];
    if (what === undefined) return json(404, { message: `Cannot ${call.method} ${call.path}` });
    try {
      return await (what === 'api-keys' ? onApiKeys(keys, call, id) : onKeys(ring, call, id));
    } catch (error) {
      if (error instanceof KeyError) return json(error.status, { message: error.message });
      throw error;
    }
  };
}

async function onApiKeys(keys: ApiKeys, call: Omit<Call, 'caller'>, id: string | undefined): Promise<Answer> {
  if (id === undefined && call.method === 'GET') return json(200, await keys.list());
  if (id === undefined && call.method === 'POST') {
    const { type: asked, name } = fieldsOf(call.body);
    const type = API_KEY_TYPES.find((one) => one === asked);
    if (type === undefined || typeof name !== 'string' || !/^[a-z_][a-z0-9_]{3,63}$/.test(name) || name === 'default') throw new KeyError(400, 'type must be publishable or secret, name 4 to 64 lower-case letters, digits and underscores.');
    return json(201, await keys.create(type, name));
  }
  if (id !== undefined && call.method === 'DELETE') {
    if (!(await keys.remove(id))) throw new KeyError(404, 'The project has no such API key.');
    return json(200, { id });
  }
  throw new KeyError(405, 'List the keys with GET, make one with POST, delete one with DELETE.');
}

async function onKeys(ring: KeyRing, call: Omit<Call, 'caller'>, id: string | undefined): Promise<Answer> {
  if (id === undefined) {
    if (call.method === 'GET') return json(200, { keys: (await ring.list()).map(show) });
    if (call.method !== 'POST') throw new KeyError(405, 'List the keys with GET or make one with POST.');
    const { algorithm, status = 'standby', private_jwk: imported } = fieldsOf(call.body);
    if (algorithm !== 'ES256') throw new KeyError(400, 'algorithm must be ES256: this stand-in signs with no other.');
    if (status !== 'standby' && status !== 'in_use') throw new KeyError(400, 'status must be standby or in_use.');
    return json(201, show(await ring.create(status, imported)));
  }
  if (call.method === 'GET') return json(200, show(await ring.read(id)));
  if (call.method === 'DELETE') return json(200, show(await ring.change(id, 'revoked')));
  if (call.method !== 'PATCH') throw new KeyError(405, 'Read a key with GET, change it with PATCH or revoke it with DELETE.');
  const status = STATUSES.find((one) => one === fieldsOf(call.body)['status']);
  if (status === undefined) throw new KeyError(400, `status must be one of ${STATUSES.join(', ')}.`);
  return json(200, show(await ring.change(id, status)));
}

function fieldsOf(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch { /* answered below */ }
  throw new KeyError(400, 'The body must be a JSON object.');
}

const show = (key: SigningKey) => ({ id: key.id, algorithm: 'ES256', status: key.status, public_jwk: publicHalf(key.jwk), created_at: key.created_at, updated_at: key.updated_at });
