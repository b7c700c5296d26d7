import type { PriceTable } from '@trademind/core';
import type { ControlDatabase } from '../database/control.ts';
import type { Actor } from '../actor.ts';
import type { AccountDatabase } from '../database/account.ts';
import type { MachineDatabase } from '../database/machine.ts';
import type { PlansDatabase } from '../database/plans.ts';
import type { RequestsDatabase } from '../database/requests.ts';
import type { SecretsDatabase } from '../database/secrets.ts';
import type { OpenUserDatabase } from '../database/user.ts';
import type { Signer } from '../keys.ts';
import type { SealingKeys } from '../secrets/envelope.ts';
import type { UserSecretStore } from '../secrets/user-secrets.ts';
import type { Fleet } from '../fleet.ts';
import type { LogSources } from '../logs/machine-logs.ts';
import type { Hub } from './hub.ts';
import type { Authenticator, Caller } from './auth.ts';

/** What the routes are given. */
export interface ApiContext {
  auth: Authenticator;
  control: Pick<ControlDatabase, 'deploy' | 'adopt' | 'setDesired' | 'wishAgain'>;
  machines: MachineDatabase;
  plans: PlansDatabase;
  secrets: UserSecretStore;
  secretsDatabase: Pick<SecretsDatabase, 'setSetting'>;
  account: AccountDatabase;
  requests: RequestsDatabase;
  sealingKeys: SealingKeys | null;
  userDatabase: OpenUserDatabase;
  signer: Signer;
  /** What operators look after: releases, rollouts, sweeps. */
  fleet: Fleet;
  hub: Hub;
  /** Where a machine's last lines are read. */
  logs: Omit<LogSources, 'missed'>;
  /** Of today; null: not read yet. */
  prices: () => PriceTable | null;
  /** A wish was written: look for due machines now. */
  wake: () => void;
  environment: string;
  machineImage: string;
  machineSupabaseUrl: string;
  allowUsRegions: boolean;
  /** The platform's own access to Gemini; null: none. */
  gemini: { url: string; apiKey: string; callsPerMinute: number } | null;
  /** As machines call this control plane. */
  controlPlaneUrl: () => string;
  fetch: typeof fetch;
  now: () => number;
  /** Ends everything that stays open (event streams). */
  closing: AbortSignal;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the handler on every route that needs a user. */
    caller: Caller | null;
    /** For whom the database is asked: filled in once it is known who calls. */
    actor: Actor;
  }
}

/** The caller of a route that needs one. */
export function callerOf(request: { caller: Caller | null }): Caller {
  if (request.caller === null) throw new Error('this route is not guarded');
  return request.caller;
}
