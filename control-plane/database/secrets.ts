import { z } from 'zod';
import type { Rpc } from './rpc.ts';

const StoredSecret = z.object({ key_id: z.string(), sealed: z.string(), hint: z.record(z.string(), z.unknown()), version: z.number(), updated_at: z.string() });
export const UserSecrets = z.object({ keys_version: z.number(), settings_version: z.number(), settings: z.record(z.string(), z.unknown()), secrets: z.record(z.string(), StoredSecret) });
export type UserSecrets = z.infer<typeof UserSecrets>;
const ToReseal = z.array(z.object({ user_id: z.uuid(), field: z.string(), key_id: z.string(), sealed: z.string(), version: z.number() }));

/** A part of a user's settings; null where none is stored, or one that this version does not understand. */
export function settingOf<T>(shape: { safeParse(value: unknown): { success: true; data: T } | { success: false } }, value: unknown): T | null {
  const read = shape.safeParse(value);
  return read.success ? read.data : null;
}

/** What users entrusted to us, sealed, and their settings. All throw DatabaseError. */
export interface SecretsDatabase {
  of(userId: string): Promise<UserSecrets>;
  set(userId: string, field: string, secret: { keyId: string; sealed: string; hint: Record<string, unknown> }): Promise<number>;
  /** Throws `secret_not_found`. */
  forget(userId: string, field: string): Promise<number>;
  /** Replaces one part of the settings; null removes it. */
  setSetting(userId: string, part: string, value: unknown): Promise<number>;
  toReseal(keyId: string, limit: number): Promise<z.infer<typeof ToReseal>>;
  /** False when it was changed meanwhile. */
  reseal(userId: string, field: string, version: number, secret: { keyId: string; sealed: string }): Promise<boolean>;
}

export function createSecretsDatabase(rpc: Rpc): SecretsDatabase {
  return {
    of: (userId) => rpc(UserSecrets, 'user_secrets_of', { p_user_id: userId }),
    set: (userId, field, { keyId, sealed, hint }) => rpc(z.number(), 'set_user_secret', { p_user_id: userId, p_field: field, p_key_id: keyId, p_sealed: sealed, p_hint: hint }),
    forget: (userId, field) => rpc(z.number(), 'set_user_secret', { p_user_id: userId, p_field: field, p_key_id: null, p_sealed: null }),
    setSetting: (userId, part, value) => rpc(z.number(), 'set_user_setting', { p_user_id: userId, p_part: part, p_value: value }),
    toReseal: (keyId, limit) => rpc(ToReseal, 'secrets_to_reseal', { p_key_id: keyId, p_limit: limit }),
    reseal: (userId, field, version, { keyId, sealed }) => rpc(z.boolean(), 'reseal_secret', { p_user_id: userId, p_field: field, p_version: version, p_key_id: keyId, p_sealed: sealed }),
  };
}
