import * as z from 'zod/mini';

export const TICKET_ISSUER = 'trademind-control-plane';
export const TICKET_MAX_AGE_S = 60;
export const FEED_SCOPES = ['feed:read', 'feed:command'] as const;
export const FeedScope = z.enum(FEED_SCOPES);
export type FeedScope = z.infer<typeof FeedScope>;

/** Audience of everything that is meant for one machine only. */
export function machineAudience(machineId: string): string {
  return `machine:${machineId}`;
}

/** Claims of a ticket: an EdDSA JWT that opens one session on one machine. `scope` is space-separated. */
export const TicketClaims = z.object({
  iss: z.literal(TICKET_ISSUER), aud: z.string(), sub: z.uuid(), scope: z.string(), jti: z.uuid(), iat: z.int(), exp: z.int(),
});
export type TicketClaims = z.infer<typeof TicketClaims>;

/** Claims of a machine's database token: an ES256 JWT; `epoch` must equal the row's `token_epoch`. */
export const MachineTokenClaims = z.object({
  role: z.literal('machine'), aud: z.literal('authenticated'), sub: z.uuid(), machine_id: z.uuid(), epoch: z.int(), iat: z.int(), exp: z.int(),
});
export type MachineTokenClaims = z.infer<typeof MachineTokenClaims>;
