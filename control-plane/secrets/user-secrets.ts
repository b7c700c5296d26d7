import { TradeMindError, type NotificationSettings } from '@trademind/core';
import type { SecretsDatabase, UserSecrets } from '../database/secrets.ts';
import { open, reseal, seal, type SealingKeys } from './envelope.ts';

/** What a user may entrust to us, by its name in the database; the name is part of what it is sealed for. */
export interface Entrusted {
  binance: { apiKey: string; secretKey: string };
  gemini: { apiKey: string };
  notifications: NotificationSettings;
}
export type EntrustedField = keyof Entrusted;

/** Users' secrets: sealed on their way in, opened only for their own machine. */
export interface UserSecretStore {
  put<F extends EntrustedField>(userId: string, field: F, value: Entrusted[F], hint: Record<string, unknown>): Promise<void>;
  forget(userId: string, field: EntrustedField): Promise<void>;
  /** Everything stored, unopened. */
  stored(userId: string): Promise<UserSecrets>;
  opened<F extends EntrustedField>(userId: string, stored: UserSecrets, field: F): Entrusted[F] | null;
  /** Seals up to `limit` anew that are not under the current key. Resolves to how many are done and how many failed. */
  resealSome(limit: number): Promise<{ done: number; failed: number }>;
}

/** @param keys null: no sealing key is configured; then nothing is taken and nothing opened. */
export function createUserSecrets(database: SecretsDatabase, keys: SealingKeys | null): UserSecretStore {
  const held = (): SealingKeys => {
    if (keys === null) throw new TradeMindError({ code: 'sealing_not_configured', message: 'This control plane has no key to seal secrets with.', nextStep: 'The operator sets SEALING_KEYS.' });
    return keys;
  };
  return {
    async put(userId, field, value, hint) {
      const sealing = held();
      await database.set(userId, field, { keyId: sealing.current, sealed: seal(sealing, { userId, field }, JSON.stringify(value)), hint });
    },
    async forget(userId, field) { await database.forget(userId, field); },
    stored: (userId) => database.of(userId),
    opened(userId, stored, field) {
      const secret = stored.secrets[field];
      // sealed by ourselves, bound to its field: it has the form it was given
      return secret === undefined ? null : JSON.parse(open(held(), { userId, field }, secret.sealed)) as Entrusted[typeof field];
    },
    async resealSome(limit) {
      const result = { done: 0, failed: 0 };
      if (keys === null) return result;
      for (const { user_id: userId, field, version, sealed } of await database.toReseal(keys.current, limit)) {
        try {
          if (await database.reseal(userId, field, version, { keyId: keys.current, sealed: reseal(keys, { userId, field }, sealed) })) result.done += 1;
        } catch (error) {
          if (!(error instanceof TradeMindError) || error.code !== 'secret_unreadable') throw error;
          result.failed += 1;
        }
      }
      return result;
    },
  };
}
