import { z } from 'zod';

/** Parts that several routes share. */
export const IdParams = z.object({ id: z.uuid() });

export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional(),
});

/** `If-Match: "3"`: the generation the caller has read. `*` and an absent header ask for nothing. */
export function generationOf(header: string | undefined): number | undefined | 'malformed' {
  if (header === undefined || header.trim() === '*') return undefined;
  const digits = /^(?:W\/)?"?(\d{1,15})"?$/.exec(header.trim())?.[1];
  return digits === undefined ? 'malformed' : Number(digits);
}

export const etagOf = (generation: number): string => `"${generation}"`;
