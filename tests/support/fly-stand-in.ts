import type { Audit } from '../../local-cloud/fly/audit.ts';
import type { FaultView } from '../../local-cloud/fly/faults/faults.ts';
import type { JournalEntry } from '../../local-cloud/fly/journal.ts';

/** The stand-in's own routes, as tests, chaos and bench use them. */
export interface FlyStandInAdmin {
  /** Puts a fault in force (`local-cloud/fly/faults/kinds.ts`); answers how to look at it and end it. */
  fault(order: { kind: string; [field: string]: unknown }): Promise<{ id: string; strikes(): Promise<number>; end(): Promise<void> }>;
  clearFaults(): Promise<void>;
  journal(query?: Record<string, string | number>): Promise<JournalEntry[]>;
  /** Which rules were broken: overlapping machines (`by`: `app`, or `metadata.<key>`), changes without a lease, rates. */
  audit(by?: string): Promise<Audit>;
  /** Requests by verb since the last reset, reads included. */
  requests(): Promise<{ total: number; verbs: Record<string, { asked: number; limited: number; struck: number }> }>;
  resetRequests(): Promise<void>;
  /** Memory for machines by region, MB; {} for no end of it. */
  room(mbByRegion: Record<string, number>): Promise<void>;
  memory(): Promise<{ rss: number; heapUsed: number }>;
  /** A token of its own for a caller with this name: the journal and the leases show it. */
  token(name: string): Promise<string>;
  /** That token opens nothing from now on. */
  revokeToken(name: string): Promise<void>;
}

/** `url`: the stand-in's, with `/v1`. Throws what it refuses. */
export function flyStandInAdmin(url: string, token: string): FlyStandInAdmin {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${new URL(url).origin}/_stand-in${path}`, {
      method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  return {
    fault: async (order) => {
      const { id } = await call<FaultView>('POST', '/faults', order);
      return {
        id,
        strikes: async () => (await call<{ faults: FaultView[] }>('GET', '/faults')).faults.find((one) => one.id === id)?.strikes ?? 0,
        end: () => call('DELETE', `/faults/${id}`),
      };
    },
    clearFaults: () => call('DELETE', '/faults'),
    journal: async (query = {}) => (await call<{ entries: JournalEntry[] }>('GET', `/journal?${new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)])).toString()}`)).entries,
    audit: (by = 'app') => call('GET', `/audit?by=${encodeURIComponent(by)}`),
    requests: () => call('GET', '/requests'),
    resetRequests: () => call('DELETE', '/requests'),
    room: (mbByRegion) => call('PUT', '/capacity', mbByRegion),
    memory: () => call('GET', '/memory'),
    token: async (name) => (await call<{ token: string }>('GET', `/token?name=${encodeURIComponent(name)}`)).token,
    revokeToken: (name) => call('DELETE', `/token?name=${encodeURIComponent(name)}`),
  };
}
