import { FEED_PROTOCOL, LogEntry, TICKET_PROTOCOL_PREFIX, TradeMindError } from '@trademind/core';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { feedUrl } from '../api/views.ts';
import type { Signer } from '../keys.ts';

/** A machine beside us answers in milliseconds; one that is stuck is not waited for. */
const PATIENCE_MS = 3_000;
/** Above all that a machine may say in its log. */
const MOST_BYTES = 512 * 1_024;

/** The machine's own log ring, oldest first. Rejects with `machine_silent` when it does not answer, or not as a machine does. */
export type ReadLiveLog = (machine: { id: string; userId: string; url: string }, signal: AbortSignal) => Promise<LogEntry[]>;

const Hello = z.looseObject({ type: z.literal('hello'), data: z.looseObject({ session: z.string().max(8_192) }) });
const Items = z.looseObject({ items: z.array(LogEntry) });

/**
 * Reads as its user's own page does, and by no other right: a ticket that only reads, good for this machine alone, opens a session, and the session reads `/v1/logs`. So no key is
 * needed that is not here already, and the machine knows of no caller above its user. To be called in the name of that user only.
 */
export function createReadLiveLog({ ticket, fetch: call }: { ticket: Signer['ticket']; fetch: typeof fetch }): ReadLiveLog {
  return async ({ id, userId, url }, signal) => {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    try {
      const { token } = await ticket({ machineId: id, userId, scopes: ['feed:read'] });
      const session = await openSession(feedUrl(url), token, bounded);
      const answer = await call(`${url}/v1/logs`, { headers: { authorization: `Bearer ${session}` }, redirect: 'error', signal: bounded });
      if (!answer.ok) {
        await answer.body?.cancel();
        throw new Error(`status ${answer.status}`);
      }
      return Items.parse(JSON.parse(await textOf(answer))).items;
    } catch (cause) {
      throw new TradeMindError({ code: 'machine_silent', message: 'The machine does not answer.', cause });
    }
  };
}

/** The session that a ticket opens; the feed itself is left at once. No market and nothing but the log is asked for, so that little is sent in vain. */
function openSession(feed: string, ticket: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${feed}?types=log&symbols=-`, [FEED_PROTOCOL, `${TICKET_PROTOCOL_PREFIX}${ticket}`], { maxPayload: MOST_BYTES, perMessageDeflate: false });
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', given);
      settle();
      socket.terminate();
    };
    const given = (): void => end(() => reject(new Error('it took too long')));
    signal.addEventListener('abort', given);
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('close', (code) => end(() => reject(new Error(`closed with ${code}`))));
    socket.once('message', (data) => {
      end(() => {
        try {
          resolve(Hello.parse(JSON.parse((data as Buffer).toString())).data.session);
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    if (signal.aborted) given();
  });
}

/** The body, as far as it is not larger than a log can be. */
async function textOf(answer: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of answer.body ?? []) {
    size += part.length;
    if (size > MOST_BYTES) throw new Error('the answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
