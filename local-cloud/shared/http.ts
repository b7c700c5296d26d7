import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { timingSafeEqual, createHash } from 'node:crypto';

/** What a stand-in answers when a request is not from this machine's own programs. */
export interface Refusal { status: number; code: string; message: string }

/** Origins that a browser on this machine may call from: any loopback origin that was named, nothing else. */
export interface GuardOptions { allowedOrigins?: readonly string[] | undefined }

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]|[a-z0-9-]+\.localhost)(:\d+)?$/i;

/** Whether a Host header names this machine: what every server on loopback must ask for, against DNS rebinding. */
export const isLoopbackHost = (host: string | undefined): boolean => LOOPBACK.test(host ?? '');

/**
 * Refuses what a hostile web page could send to a loopback port: a foreign Host (DNS rebinding), a foreign Origin,
 * a body that is not JSON (a form post needs no preflight). Returns null when the request may go on.
 */
export function guardRequest(request: IncomingMessage, options: GuardOptions = {}): Refusal | null {
  if (!isLoopbackHost(request.headers.host)) {
    return { status: 421, code: 'host_refused', message: 'This stand-in answers to loopback host names only.' };
  }
  const origin = request.headers.origin;
  if (origin !== undefined && !(options.allowedOrigins ?? []).includes(origin)) {
    return { status: 403, code: 'origin_refused', message: 'This origin may not call the stand-in; name it with ALLOWED_ORIGINS.' };
  }
  const hasBody = Number(request.headers['content-length'] ?? 0) > 0 || request.headers['transfer-encoding'] !== undefined;
  if (hasBody && !/^application\/(?:[\w.+-]+\+)?json\b/i.test(request.headers['content-type'] ?? '')) {
    return { status: 415, code: 'json_only', message: 'Send the body as application/json.' };
  }
  return null;
}

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Compares two secrets without telling by its duration how much of them agrees. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

/** Reads a JSON body of at most `limit` bytes; undefined for an empty one. Throws an Error with `status` 413 or 400. */
export async function readJson(request: IncomingMessage, limit = 1_000_000): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw Object.assign(new Error(`The body is larger than ${limit} bytes.`), { status: 413 });
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw Object.assign(new Error('The body is not valid JSON.'), { status: 400 });
  }
}

export function sendJson(response: ServerResponse, status: number, body?: unknown, headers: Record<string, string> = {}): void {
  const text = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, { ...(text ? { 'content-type': 'application/json; charset=utf-8' } : {}), ...headers });
  response.end(text);
}

export interface Listening { server: Server; port: number; url: string; close(): Promise<void> }

/** Listens on loopback. Port 0 takes a free one. Rejects with the system's error (EADDRINUSE …). */
export async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void, port: number): Promise<Listening> {
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => { server.off('error', reject); resolve(); });
  });
  const address = server.address();
  const actual = typeof address === 'object' && address ? address.port : port;
  return {
    server,
    port: actual,
    url: `http://127.0.0.1:${actual}`,
    close: () => new Promise((resolve) => { server.close(() => resolve()); server.closeAllConnections(); }),
  };
}
