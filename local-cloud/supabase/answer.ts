/** What a room of the gateway answers; `body` is JSON text. */
export interface Answer { status: number; headers?: Record<string, string>; body?: string | undefined }

/** An HTTP request as the rooms see it: its address taken apart, its body read. */
export interface Call {
  method: string;
  /** Below `/rest/v1` or `/auth/v1`, e.g. `/rpc/machine_beat`. */
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string>>;
  /** The body as it was sent ('' for none); JSON is checked by whoever reads it. */
  body: string;
  caller: Caller;
  /** Where the request came from, for rate limits. */
  address: string;
}

/** Who calls: the database role and the claims that row-level security reads. */
export interface Caller { role: 'anon' | 'authenticated' | 'service_role' | 'machine'; claims: Readonly<Record<string, unknown>> }

export const json = (status: number, value: unknown, headers?: Record<string, string>): Answer => ({
  status, body: JSON.stringify(value), ...(headers === undefined ? {} : { headers }),
});
