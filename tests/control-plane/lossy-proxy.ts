import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';

export interface LossyProxy {
  url: string;
  /** Writes that were performed and whose answer was dropped. */
  lost: () => number;
  close(): Promise<void>;
}

/**
 * Passes every request on; after a write has been performed it drops the answer with the given chance (the connection just ends, as when
 * a network fails at the worst moment). Seeded, so that a run can be repeated. `only`: of writes to these addresses alone.
 */
export async function startLossyProxy(target: string, chance: number, seed: number, only = /./): Promise<LossyProxy> {
  let state = seed;
  // mulberry32
  const random = () => {
    state = (state + 0x6D2B79F5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  let lost = 0;
  const { origin, host, pathname } = new URL(target);
  const base = pathname.replace(/\/$/, '');
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const onward = request(`${origin}${incoming.url ?? '/'}`, { method: incoming.method, headers: { ...incoming.headers, host } }, (answer) => {
      if (incoming.method !== 'GET' && only.test(incoming.url ?? '') && random() < chance) {
        lost += 1;
        answer.resume();
        answer.once('end', () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.once('error', () => incoming.socket.destroy());
    incoming.pipe(onward);
  };
  const server = createServer(pass);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}${base}`,
    lost: () => lost,
    close: () => new Promise((resolve) => { server.close(() => resolve()); server.closeAllConnections(); }),
  };
}
