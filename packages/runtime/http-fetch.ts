import { request as plainRequest, type IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { gunzip } from 'node:zlib';

export interface HttpInit { method?: string; headers?: Record<string, string>; body?: string; signal?: AbortSignal }
/** An answer with its whole body, whatever its status: as much of a `Response` as is read here, so that one fits too. */
export interface HttpAnswer { readonly ok: boolean; readonly status: number; readonly headers: { get(name: string): string | null }; text(): Promise<string> }
/** How one address is called; `fetch` itself fits. */
export type HttpFetch = (url: string, init?: HttpInit) => Promise<HttpAnswer>;

/** No answer that a machine asks for is as large: the exchange's list of symbols has some 20 MB. */
const MOST_BYTES = 64 * 1_048_576;

/**
 * One call over Node's `http` and `https`, with their kept connections and proxy settings; a redirect is an answer like any other, never followed. It stands in for `fetch`, whose
 * client takes 17 MB of a machine's memory (docs/adr/0013). Rejects with the signal's reason or the system's error (ECONNREFUSED …).
 */
export const httpFetch: HttpFetch = (url, init = {}) => call(url, init, true);

async function call(url: string, init: HttpInit, mayRepeat: boolean): Promise<HttpAnswer> {
  const { method = 'GET', headers = {}, body, signal } = init;
  signal?.throwIfAborted();
  const send = url.startsWith('https:') ? secureRequest : plainRequest;
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const request = send(url, { method, headers: { 'accept-encoding': 'gzip', ...headers, ...length }, ...(signal && { signal }) });
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject).end(body);
    });
    const text = (await unpacked(response, await bodyOf(response))).toString('utf8');
    const status = response.statusCode ?? 0;
    return { status, ok: status >= 200 && status < 300, headers: { get: (name) => valueOf(response.headers[name.toLowerCase()]) }, text: () => Promise.resolve(text) };
  } catch (error) {
    signal?.throwIfAborted();
    // A kept connection that the other side was just closing: the request never arrived.
    if (mayRepeat && request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET') return call(url, init, false);
    throw error;
  }
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES) throw Object.assign(new Error(`The answer has more than ${MOST_BYTES} bytes.`), { code: 'answer_too_large' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function unpacked(response: IncomingMessage, body: Buffer): Buffer | Promise<Buffer> {
  if (response.headers['content-encoding'] !== 'gzip' || body.length === 0) return body;
  return new Promise((resolve, reject) => {
    gunzip(body, { maxOutputLength: MOST_BYTES }, (error, text) => { if (error) reject(error); else resolve(text); });
  });
}

const valueOf = (value: string | readonly string[] | undefined): string | null => (typeof value === 'string' ? value : value?.join(', ') ?? null);
