import {
  MachineEvent, MachineLogs, MachinePage, MachineView, Me, parseWith, TicketAnswer, Trader, TraderPage, type DeployRequest, type AnalysisCaps, type FeedScope,
  type MachinePatch, type TraderWrite,
} from '@trademind/core';
import type * as z from 'zod/mini';
import { watchEvents, type StreamEvent } from './event-stream.ts';
import { call, type Call, type Fetch } from './http.ts';

export interface ControlPlaneOptions {
  url: string;
  /** A user's access token; asked for at each call, so that it may be renewed. */
  token(): Promise<string>;
  fetch?: Fetch;
}

export type ControlPlane = ReturnType<typeof controlPlane>;

/** Typed client of the control plane's API. Every method rejects with a TradeMindError that carries the server's code and next step. */
export function controlPlane(options: ControlPlaneOptions) {
  const fetch = options.fetch ?? globalThis.fetch;
  const send = async <T extends z.ZodMiniType>(path: string, shape: T, request: Call = {}): Promise<z.output<T>> => {
    const headers = { ...request.headers, authorization: `Bearer ${await options.token()}` };
    const { body } = await call(fetch, `${options.url}${path}`, { ...request, headers });
    return parseWith(shape, body, 'unexpected_answer', `${request.method ?? 'GET'} ${path.replace(/\?.*/, '')}`);
  };
  const sendOnly = async (path: string, request: Call): Promise<void> => {
    await call(fetch, `${options.url}${path}`, { ...request, headers: { ...request.headers, authorization: `Bearer ${await options.token()}` } });
  };

  return {
    me: () => send('/v1/me', Me),
    /** null: the default. */
    setCaps: (caps: AnalysisCaps | null) => sendOnly('/v1/me/analysis', caps === null ? { method: 'DELETE' } : { method: 'PUT', body: caps }),
    machines: () => everyPage('/v1/machines', (at) => send(at, MachinePage)),
    machine: (id: string) => send(`/v1/machines/${id}`, MachineView),
    deploy: (wish: DeployRequest, signal?: AbortSignal) => send('/v1/machines', MachineView, { method: 'POST', body: wish, signal }),
    change: (id: string, patch: MachinePatch) => send(`/v1/machines/${id}`, MachineView, { method: 'PATCH', body: patch }),
    destroy: (id: string) => sendOnly(`/v1/machines/${id}`, { method: 'DELETE' }),
    ticket: (id: string, scopes?: FeedScope[]) => send(`/v1/machines/${id}/ticket`, TicketAnswer, { method: 'POST', body: scopes ? { scopes } : {} }),
    /** The last lines, or those after a place or instant. */
    logs: (id: string, { after, limit }: { after?: string; limit?: number } = {}) =>
      send(`/v1/machines/${id}/logs?${new URLSearchParams({ ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit: String(limit) }) }).toString()}`, MachineLogs, { timeoutMs: 15_000 }),
    /** Events as they happen, from after `lastId` on; reconnects by itself until `signal` is aborted. */
    watch: (id: string, signal: AbortSignal, onEvent: (event: MachineEvent) => void, lastId?: number): Promise<void> =>
      watchEvents({
        fetch, url: `${options.url}/v1/machines/${id}/events`, token: options.token, signal, ...(lastId === undefined ? {} : { lastId: String(lastId) }),
        onEvent: ({ data }: StreamEvent) => {
          const event = MachineEvent.safeParse(data);
          if (event.success) onEvent(event.data);
        },
      }),
    traders: () => everyPage('/v1/traders', (at) => send(at, TraderPage)),
    addTrader: (trader: TraderWrite) => send('/v1/traders', Trader, { method: 'POST', body: trader }),
    removeTrader: (id: string) => sendOnly(`/v1/traders/${id}`, { method: 'DELETE' }),
  };
}

interface Page<T> { items: T[]; next: string | null }

/** All items of a list that is given in pages. */
async function everyPage<T>(path: string, read: (at: string) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  do {
    const { items, next }: Page<T> = await read(cursor === null ? path : `${path}?cursor=${encodeURIComponent(cursor)}`);
    all.push(...items);
    cursor = next;
  } while (cursor !== null);
  return all;
}
