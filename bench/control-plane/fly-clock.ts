import { createServer, request as httpRequest, Agent } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FlyClock {
  url: string;
  /** Intervals (ms of performance.now) in which a request was at Fly, since the last call. */
  taken(): [from: number, to: number][];
  close(): Promise<void>;
}

/** Stands before Fly and notes when requests are there: what Fly takes is not our own share. */
export async function startFlyClock(target: string): Promise<FlyClock> {
  const upstream = new URL(target);
  const agent = new Agent({ keepAlive: true });
  let spans: [number, number][] = [];
  const server = createServer((request, response) => {
    const from = performance.now();
    const out = httpRequest({ host: upstream.hostname, port: upstream.port, method: request.method, path: request.url, headers: { ...request.headers, host: upstream.host }, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    out.on('error', () => response.destroy());
    response.once('close', () => spans.push([from, performance.now()]));
    request.pipe(out);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken: () => { const done = spans; spans = []; return done; },
    close: async () => {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => { server.close(resolve); });
    },
  };
}

/** How long at least one of these was under way. */
export function covered(spans: readonly (readonly [number, number])[]): number {
  let [sum, end] = [0, -Infinity];
  for (const [from, to] of spans.toSorted((a, b) => a[0] - b[0])) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}
