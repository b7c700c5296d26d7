import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { createProxyServer } from 'http-proxy-3';
import { isLoopbackHost, listen, sendJson, type Listening } from '../shared/http.ts';
import type { Faults } from './faults/faults.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Runtime } from './runtime.ts';
import type { Store } from './store.ts';

interface Target { prefix: string; path: string; port: number | null }
class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Fly's edge, by path instead of by host name: `/<app>/<path>` goes to the started machine of that app, the prefix stripped. WebSockets too. It guards
 * no origin: a machine has its own list. It does check Host, as everything on loopback must.
 */
export async function startEdge(options: { store: Store; runtime: Runtime; lifecycle: Pick<Lifecycle, 'isUnreachable'>; faults: Faults; port: number }): Promise<Listening> {
  const { store, runtime, faults } = options;
  const proxy = createProxyServer({ xfwd: true });
  // a client that resets its connection is told of here as well, and whoever does not listen is ended by it
  proxy.on('error', () => undefined);
  const upgraded = new Set<Duplex>();

  const targetOf = (request: IncomingMessage): Target => {
    if (!isLoopbackHost(request.headers.host)) throw new Refused(421, 'this edge answers to loopback host names only');
    const [, name = '', rest = ''] = /^\/([^/?]*)(.*)$/.exec(request.url ?? '/') ?? [];
    const app = store.app(name);
    if (!app) throw new Refused(404, 'no such app');
    const machine = store.machines(app.id).find((row) => row.state === 'started' && row.run !== null && !row.run.frozen && !row.cordoned && row.config.services?.[0] !== undefined);
    const service = machine?.config.services?.[0];
    if (machine && options.lifecycle.isUnreachable(machine)) throw new Refused(502, 'the host of the machine does not answer');
    if (!machine?.run || !service) throw new Refused(503, 'no started machine');
    const path = rest.startsWith('/') ? rest : `/${rest}`;
    const [asked = ''] = path.split('?');
    const unready = asked === '/ready' || asked === '/health' ? faults.machine('not-ready', machine, name, (order) => order.path === '*' || order.path === asked) : undefined;
    if (unready) throw new Refused(unready.status, 'not ready');
    return { prefix: `/${name}`, path, port: runtime.port(machine.run, service.internal_port) };
  };

  const edge = await listen((request, response) => {
    try {
      const target = targetOf(request);
      if (target.port === null) simulate(response, target.path);
      else {
        proxy.web(request, response, forward(request, target), () => {
          if (response.headersSent) response.destroy();
          else sendJson(response, 502, { error: 'the machine does not answer' });
        });
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      sendJson(response, error.status, { error: error.message });
    }
  }, options.port);

  edge.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    socket.on('error', () => socket.destroy());
    try {
      const target = targetOf(request);
      if (target.port === null) throw new Refused(501, 'a simulated machine has no feed');
      proxy.ws(request, socket, head, forward(request, target), () => refuse(socket, 502, 'the machine does not answer'));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refuse(socket, error.status, error.message);
    }
  });

  return {
    ...edge,
    close: async () => {
      for (const socket of upgraded) socket.destroy();
      await edge.close();
    },
  };
}

/** Rewrites the request's path and says where it goes. */
function forward(request: IncomingMessage, target: Target) {
  request.url = target.path;
  return { target: { protocol: 'http:', host: '127.0.0.1', port: target.port ?? 0 }, headers: { 'X-Forwarded-Prefix': target.prefix } };
}

function refuse(socket: Duplex, status: number, message: string): void {
  if (socket.destroyed || !socket.writable) return;
  const body = JSON.stringify({ error: message });
  socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}

/** What a simulated machine answers: it is ready, and there is nothing else. */
function simulate(response: ServerResponse, path: string): void {
  if (path === '/ready' || path === '/health') sendJson(response, 200, { status: 'ok', simulated: true });
  else sendJson(response, 404, { error: 'a simulated machine serves /health and /ready only' });
}
