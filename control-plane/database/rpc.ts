import { createSecretDatabase, type SecretDatabase, type SecretOptions } from './call.ts';

/** Calls a SQL function with the secret key and parses what it answers. Throws DatabaseError. */
export type Rpc = SecretDatabase['call'];

export const createRpc = (options: SecretOptions): Rpc => createSecretDatabase(options).call;
