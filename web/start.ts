import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { bundlePage } from './bundle.ts';
import type { DashboardEnv } from './env.ts';
import { securityHeaders } from './headers.ts';

export interface RunningDashboard { url: string; close(): Promise<void> }
interface Asset { type: string; body: Buffer; zipped: Buffer; etag: string }

const compress = promisify(gzip);
const source = (name: string) => readFile(new URL(`src/${name}`, import.meta.url));

/** Serves the dashboard: the page, its bundle, and the three public values it needs. Rejects with the system's error when the port is taken. */
export async function startDashboard(env: DashboardEnv, cacheFolder?: string): Promise<RunningDashboard> {
  const bundle = await bundlePage(cacheFolder);
  const { supabaseUrl, publishableKey, controlPlaneUrl } = env;
  const assets = new Map<string, Asset>([
    ['/', await asset('text/html; charset=utf-8', await source('index.html'))],
    ['/favicon.svg', await asset('image/svg+xml', await source('favicon.svg'))],
    ['/app.js', await asset('text/javascript; charset=utf-8', bundle.js)],
    ['/app.css', await asset('text/css; charset=utf-8', bundle.css)],
    ['/config.json', await asset('application/json', Buffer.from(JSON.stringify({ supabaseUrl, publishableKey, controlPlaneUrl })))],
    ['/health', await asset('application/json', Buffer.from('{"ok":true}'))],
  ]);
  const headers = securityHeaders(env);
  const server = createServer((request, response) => answer(request, response, assets, headers));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(env.port, env.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${env.host.includes(':') ? `[${env.host}]` : env.host}:${port}`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

async function asset(type: string, body: Buffer): Promise<Asset> {
  return { type, body, zipped: await compress(body), etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}

function answer(request: IncomingMessage, response: ServerResponse, assets: ReadonlyMap<string, Asset>, headers: Record<string, string>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const found = assets.get((request.url ?? '/').split('?')[0] ?? '/');
  if (!found) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('There is nothing here. The dashboard is at /.\n');
    return;
  }
  const zipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  const shared = { etag: found.etag, 'cache-control': 'no-cache', vary: 'Accept-Encoding' };
  if (request.headers['if-none-match'] === found.etag) {
    response.writeHead(304, shared).end();
    return;
  }
  const body = zipped ? found.zipped : found.body;
  response.writeHead(200, { ...shared, 'content-type': found.type, 'content-length': body.length, ...(zipped ? { 'content-encoding': 'gzip' } : {}) });
  response.end(request.method === 'HEAD' ? undefined : body);
}
