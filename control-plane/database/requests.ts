import { z } from 'zod';
import type { Rpc } from './rpc.ts';

const Begun = z.discriminatedUnion('state', [
  z.object({ state: z.literal('new'), id: z.uuid() }),
  z.object({ state: z.literal('running') }),
  z.object({ state: z.literal('mismatch') }),
  z.object({ state: z.literal('done'), status: z.number(), headers: z.record(z.string(), z.string()), answer: z.string() }),
]);
export type Begun = z.infer<typeof Begun>;

/** Requests that carry an Idempotency-Key. All throw DatabaseError. */
export interface RequestsDatabase {
  /** `new`: it is ours to execute until the lock ends; what it makes has this id, in every attempt. */
  begin(request: { userId: string; key: string; hash: string; attempt: string; lockSeconds: number }): Promise<Begun>;
  /** Keeps the answer for a day; null: nobody knows how it ended, the next attempt may begin. False when another has taken it over. */
  end(request: { userId: string; key: string; attempt: string }, answer: { status: number; headers: Record<string, string>; answer: string } | null): Promise<boolean>;
}

export function createRequestsDatabase(rpc: Rpc): RequestsDatabase {
  return {
    begin: ({ userId, key, hash, attempt, lockSeconds }) => rpc(Begun, 'begin_request', { p_user_id: userId, p_key: key, p_hash: hash, p_attempt: attempt, p_lock_seconds: lockSeconds }),
    end: ({ userId, key, attempt }, answer) => rpc(z.boolean(), 'end_request', {
      p_user_id: userId, p_key: key, p_attempt: attempt, p_status: answer?.status ?? null, p_headers: answer?.headers ?? null, p_answer: answer?.answer ?? null,
    }),
  };
}
