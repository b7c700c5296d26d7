import { z } from 'zod';
import { ApiProblem } from './problems.ts';

/** Parts that several routes share. */
export const IdParams = z.object({ id: z.uuid() });

export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional(),
});

/** Of routes that can be told what the caller has read; all others refuse `If-Match` rather than ignore it. */
export const MatchHeaders = z.looseObject({ 'if-match': z.string().max(100).optional().describe('The ETag that was read: refused (412) when it has changed since.') });

/** The number in `If-Match`, undefined for none. Throws 400 for what is no ETag of ours. */
export function matchOf(header: string | undefined): number | undefined {
  const number = generationOf(header);
  if (number === 'malformed') throw new ApiProblem(400, { code: 'request_invalid', message: 'If-Match is no ETag of this.', field: 'if-match', nextStep: 'Send the ETag as it was read, e.g. "3".' });
  return number;
}

/** `If-Match: "3"`: the generation the caller has read. `*` and an absent header ask for nothing. */
function generationOf(header: string | undefined): number | undefined | 'malformed' {
  if (header === undefined || header.trim() === '*') return undefined;
  const digits = /^(?:W\/)?"?(\d{1,15})"?$/.exec(header.trim())?.[1];
  return digits === undefined ? 'malformed' : Number(digits);
}

export const etagOf = (generation: number): string => `"${generation}"`;
