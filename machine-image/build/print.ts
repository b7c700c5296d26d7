import type { BuiltImage } from './image.ts';

/** Most that the image may have, and what it aims at, in bytes (MB = 1,000,000). */
export const MOST_BYTES = 150e6;
const AIM_BYTES = 125e6;

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1).padStart(7)} MB`;

/** The size of the image by part, as a person reads it. */
export function printSizes({ parts, bytes, components }: Pick<BuiltImage, 'parts' | 'bytes' | 'components'>): string {
  const verdict = bytes > MOST_BYTES ? 'TOO LARGE' : bytes > AIM_BYTES ? 'ok, above its aim' : 'ok';
  return `${parts.map((part) => `${mb(part.bytes)}  ${part.name}\n`).join('')}${mb(bytes)}  in all: ${verdict} (must be ≤ ${MOST_BYTES / 1e6}, aims at ${AIM_BYTES / 1e6}); ${components} components in the SBOM\n`;
}
