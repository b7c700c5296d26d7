import { sameSecret } from '../shared/http.ts';
import { json, type Answer, type Call } from './answer.ts';
import { KeyError, type KeyRing, type KeyStatus, type SigningKey } from './signing-keys.ts';
import { publicHalf } from './tokens.ts';

const STATUSES: readonly KeyStatus[] = ['in_use', 'standby', 'previously_used', 'revoked'];

/**
 * The Management API's signing keys (`/v1/projects/:ref/config/auth/signing-keys`), for whoever bears the project's secret key: list, create on standby, put in
 * use (the present key stays good for the tokens it signed), revoke.
 */
export function createManagement(ring: KeyRing, secretKey: string): (call: Omit<Call, 'caller'>) => Promise<Answer> {
  return async (call) => {
    const bearer = /^Bearer\s+(.+)$/i.exec(call.headers['authorization'] ?? '')?.[1] ?? '';
    if (!sameSecret(bearer, secretKey)) return json(401, { message: 'Unauthorized' });
    const found = /^\/[\w-]+\/config\/auth\/signing-keys(?:\/([\w-]+))?$/.exec(call.path);
    if (found === null) return json(404, { message: `Cannot ${call.method} ${call.path}` });
    try {
      return await onKeys(ring, call, found[1]);
    } catch (error) {
      if (error instanceof KeyError) return json(error.status, { message: error.message });
      throw error;
    }
  };
}

async function onKeys(ring: KeyRing, call: Omit<Call, 'caller'>, id: string | undefined): Promise<Answer> {
  if (id === undefined) {
    if (call.method === 'GET') return json(200, { keys: (await ring.list()).map(show) });
    if (call.method !== 'POST') throw new KeyError(405, 'List the keys with GET or make one with POST.');
    const { algorithm, status = 'standby' } = fieldsOf(call.body);
    if (algorithm !== 'ES256') throw new KeyError(400, 'algorithm must be ES256: this stand-in signs with no other.');
    if (status !== 'standby' && status !== 'in_use') throw new KeyError(400, 'status must be standby or in_use.');
    return json(201, show(await ring.create(status)));
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
