import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { TradeMindError } from '@trademind/core';

/** The keys that users' secrets are sealed with: new ones with `current`, old ones are opened with whichever sealed them. Each 32 bytes. */
export interface SealingKeys { current: string; keys: ReadonlyMap<string, Buffer> }

/** Whose secret it is and which: what was sealed for one user and field opens for no other. */
export interface SealedFor { userId: string; field: string }

const FORMAT = 'tm1';
const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * An envelope: the text under a key of its own (AES-256-GCM), that key under the current sealing key. Both are bound to user and field as associated data. Form: `tm1.<key id>.<wrapped key>.<text>`,
 * each part iv ‖ ciphertext ‖ tag in base64url. A new sealing key needs only the wrapped part anew.
 */
export function seal(keys: SealingKeys, whose: SealedFor, text: string): string {
  const dataKey = randomBytes(32);
  return [FORMAT, keys.current, encrypt(keyOf(keys, keys.current), associated(whose, 'key'), dataKey), encrypt(dataKey, associated(whose, 'text'), Buffer.from(text, 'utf8'))].join('.');
}

/** The text of an envelope. Throws `secret_unreadable` for one of another user or field, of a key that is not held, or that was changed. */
export function open(keys: SealingKeys, whose: SealedFor, sealed: string): string {
  const { dataKey, text } = unwrap(keys, whose, sealed);
  return decrypt(dataKey, associated(whose, 'text'), text).toString('utf8');
}

/** The same envelope under the current sealing key; the text is not opened. Throws as `open` does. */
export function reseal(keys: SealingKeys, whose: SealedFor, sealed: string): string {
  const { dataKey, text } = unwrap(keys, whose, sealed);
  return [FORMAT, keys.current, encrypt(keyOf(keys, keys.current), associated(whose, 'key'), dataKey), text].join('.');
}

function unwrap(keys: SealingKeys, whose: SealedFor, sealed: string): { dataKey: Buffer; text: string } {
  const [format, keyId, wrapped, text, ...rest] = sealed.split('.');
  if (format !== FORMAT || keyId === undefined || wrapped === undefined || text === undefined || rest.length > 0) throw unreadable('it is not an envelope');
  return { dataKey: decrypt(keyOf(keys, keyId), associated(whose, 'key'), wrapped), text };
}

function keyOf({ keys }: SealingKeys, id: string): Buffer {
  const key = keys.get(id);
  if (key === undefined) throw unreadable(`the sealing key "${id}" is not held here`);
  return key;
}

const associated = ({ userId, field }: SealedFor, part: 'key' | 'text'): Buffer => Buffer.from(`${FORMAT}\n${part}\n${userId}\n${field}`, 'utf8');

function encrypt(key: Buffer, aad: Buffer, plain: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES }).setAAD(aad);
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64url');
}

function decrypt(key: Buffer, aad: Buffer, part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.length < IV_BYTES + TAG_BYTES) throw unreadable('it is cut short');
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES }).setAAD(aad).setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw unreadable('it was sealed for something else, or changed');
  }
}

const unreadable = (why: string) => new TradeMindError({ code: 'secret_unreadable', message: `A stored secret cannot be opened: ${why}.`, nextStep: 'Hold the key it was sealed with (SEALING_KEYS), or have the user store it again.' });
