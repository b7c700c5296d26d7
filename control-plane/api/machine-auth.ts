import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { MachineDatabase } from '../database/machine.ts';
import type { SecretOwner } from '../database/rows.ts';
import type { Signer } from '../keys.ts';
import { bearerOf } from './auth.ts';
import { ApiProblem } from './problems.ts';

/**
 * Which machine calls: by the secret it was born with, or by the database token that it was given for it; both as `Authorization: Bearer`, the secret also as `x-goog-api-key`, where Google's SDK puts a key.
 * Throws 401.
 */
export async function callingMachine(request: FastifyRequest, database: Pick<MachineDatabase, 'bySecret' | 'byToken'>, signer: Pick<Signer, 'readMachineToken'>): Promise<SecretOwner> {
  const key = request.headers['x-goog-api-key'];
  const shown = request.headers.authorization === undefined && typeof key === 'string' && key !== '' && key.length <= 8_192 ? key : bearerOf(request);
  const claims = shown.startsWith('eyJ') ? await signer.readMachineToken(shown) : null;
  const owner = claims === null
    ? await database.bySecret(createHash('sha256').update(shown).digest('hex'))
    : await database.byToken({ machineId: claims.machine_id, userId: claims.sub, epoch: claims.epoch });
  if (owner === null) {
    throw new ApiProblem(401, { code: 'machine_secret_refused', message: 'No machine has this secret.', nextStep: 'The machine must be restarted with its present secret, or deployed again.' });
  }
  Object.assign(request.actor, { kind: 'machine', id: owner.machine_id });
  return owner;
}
