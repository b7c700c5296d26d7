import type { IncomingMessage } from 'node:http';

/** Path and query of a request. Never throws, whatever was sent as the target. */
export function addressOf(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const [path = '/', ...rest] = (request.url ?? '/').split('?');
  return { path, query: new URLSearchParams(rest.join('?')) };
}
