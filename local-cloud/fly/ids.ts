import { randomBytes, randomInt } from 'node:crypto';

const BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A ULID: 48 bits of time, 80 of chance. Sorts by time. */
export function ulid(now: number): string {
  let time = '';
  for (let rest = now, digit = 0; digit < 10; digit += 1, rest = Math.floor(rest / 32)) time = (BASE32[rest % 32] ?? '0') + time;
  return time + [...randomBytes(16)].map((byte) => BASE32[byte % 32]).join('');
}

/** Like Fly's: fourteen hex digits. */
export const machineId = (): string => randomBytes(7).toString('hex');
export const volumeId = (): string => `vol_${ulid(0).slice(10).toLowerCase()}`;
export const appId = (): string => ulid(0).slice(12).toLowerCase();
export const snapshotId = (): string => `vs_${ulid(0).slice(10).toLowerCase()}`;
export const leaseNonce = (): string => randomBytes(6).toString('hex');
const group = () => randomBytes(2).toString('hex');
/** A private (6PN) address; shown, never listened on. */
export const privateIp = (): string => `fdaa:0:${group()}:a7b:${group()}:${group()}:${group()}:2`;
export const publicV4 = (): string => `66.241.${randomInt(256)}.${randomInt(1, 255)}`;
export const publicV6 = (): string => `2a09:8280:1::${group()}:${group()}`;
