import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';

/** log2 of scrypt's cost N; 14 takes about 40 ms. */
export const PASSWORD_COST = 14;

const derive = (password: string, salt: Buffer, options: ScryptOptions) => new Promise<Buffer>((resolve, reject) => {
  scrypt(password.normalize('NFKC'), salt, 32, { ...options, maxmem: 256 * 1024 * 1024 }, (error, key) => { if (error) reject(error); else resolve(key); });
});

/** `scrypt$<log2 N>$<salt>$<key>` */
export async function hashPassword(password: string, cost: number = PASSWORD_COST): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, { N: 2 ** cost, r: 8, p: 1 });
  return `scrypt$${cost}$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

/** Compares in constant time. An absent hash costs as much as a wrong password, so that the time does not tell which addresses exist. */
export async function isPassword(password: string, hash: string | null, cost: number = PASSWORD_COST): Promise<boolean> {
  const [scheme, logN, salt, key] = (hash ?? '').split('$');
  if (scheme !== 'scrypt' || logN === undefined || salt === undefined || key === undefined) {
    await derive(password, Buffer.alloc(16), { N: 2 ** cost, r: 8, p: 1 });
    return false;
  }
  const expected = Buffer.from(key, 'base64url');
  const actual = await derive(password, Buffer.from(salt, 'base64url'), { N: 2 ** Number(logN), r: 8, p: 1 });
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}
