import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { refused, type Fetch } from './http.ts';

export interface StreamEvent { id: string | undefined; name: string | undefined; data: unknown }

export interface WatchOptions {
  fetch: Fetch;
  url: string;
  token(): Promise<string>;
  signal: AbortSignal;
  onEvent(event: StreamEvent): void;
  /** Events after this one only. */
  lastId?: string;
}

const RETRY_MS = { first: 200, last: 5_000 };
/** The server says something at least every 15 s; a line that is silent for longer is dead. */
const SILENCE_MS = 45_000;

/**
 * Follows a stream of server-sent events. A broken line is taken up again after the last event seen, with back-off, until `signal` is
 * aborted; then it resolves. Rejects when the server refuses (4xx other than 429).
 */
export async function watchEvents(options: WatchOptions): Promise<void> {
  let lastId = options.lastId;
  let wait = RETRY_MS.first;
  while (!options.signal.aborted) {
    const silence = new AbortController();
    const signal = AbortSignal.any([options.signal, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const response = await options.fetch(options.url, {
        headers: { accept: 'text/event-stream', authorization: `Bearer ${await options.token()}`, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
        signal,
      });
      if (response.status >= 400 && response.status < 500 && response.status !== 429) {
        throw refused(response.status, await response.json().catch(() => undefined), new URL(options.url).origin);
      }
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      const parser = createParser({
        onEvent: ({ id, event, data }) => {
          if (id !== undefined) lastId = id;
          const parsed = parse(data);
          if (parsed !== undefined) options.onEvent({ id, name: event, data: parsed });
        },
      });
      const decoder = new TextDecoder();
      for await (const chunk of response.body) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        wait = RETRY_MS.first;
        parser.feed(decoder.decode(chunk, { stream: true }));
      }
    } catch (error) {
      if (options.signal.aborted) return;
      if (typeof (error as { status?: unknown }).status === 'number') throw error;
    } finally {
      clearTimeout(timer);
    }
    await sleep(wait, undefined, { signal: options.signal }).catch(() => undefined);
    wait = Math.min(wait * 2, RETRY_MS.last);
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}
