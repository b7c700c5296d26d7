import type { IncomingMessage } from 'node:http';

/** What a request line asks for. Taken apart by hand: a URL parser throws at some of what the network may bring. */
export function targetOf(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const [path = '/', ...query] = (request.url ?? '/').split('?');
  return { path, query: new URLSearchParams(query.join('?')) };
}
