import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundlePage } from './bundle.ts';
import { readEnv, startDashboard, type RunningDashboard } from './index.ts';

const ENV = {
  DASHBOARD_SUPABASE_URL: 'https://project.supabase.co/', DASHBOARD_PUBLISHABLE_KEY: 'sb_publishable_x', DASHBOARD_CONTROL_PLANE_URL: 'https://control.example.com',
  MACHINE_ORIGINS: 'https://*.fly.dev http://127.0.0.1:4274',
};

describe('the environment', () => {
  test('good values are read, with plain names in place of the dashboard’s own', () => {
    expect(readEnv({ ...ENV, PORT: '0' })).toEqual({
      port: 0, host: '127.0.0.1', supabaseUrl: 'https://project.supabase.co', publishableKey: 'sb_publishable_x', controlPlaneUrl: 'https://control.example.com',
      machineOrigins: ['https://*.fly.dev', 'http://127.0.0.1:4274'],
    });
    expect(readEnv({ SUPABASE_URL: 'http://a', SUPABASE_PUBLISHABLE_KEY: 'k', CONTROL_PLANE_URL: 'http://b', FEED_ORIGIN: 'http://c:1' })).toMatchObject({
      supabaseUrl: 'http://a', publishableKey: 'k', controlPlaneUrl: 'http://b', machineOrigins: ['http://c:1'], port: 4270,
    });
  });
  test('all that is wrong is said at once; a secret key and a header trick are refused and not repeated', () => {
    const read = () => readEnv({ PORT: 'x', DASHBOARD_SUPABASE_URL: 'ftp://x', DASHBOARD_PUBLISHABLE_KEY: 'sb_secret_abc', MACHINE_ORIGINS: "https://x;script-src" });
    expect(read).toThrowError(/PORT.*is a secret key.*MACHINE_ORIGINS.*DASHBOARD_SUPABASE_URL.*DASHBOARD_CONTROL_PLANE_URL/);
    expect(read).not.toThrowError(/sb_secret_abc/);
  });
});

describe('the server', () => {
  let dashboard: RunningDashboard;
  beforeAll(async () => { dashboard = await startDashboard(readEnv({ ...ENV, PORT: '0' })); });
  afterAll(() => dashboard.close());

  test('every answer carries the security headers, and the policy names only the services given', async () => {
    for (const path of ['/', '/app.js', '/app.css', '/config.json', '/favicon.svg', '/nothing']) {
      const answer = await fetch(`${dashboard.url}${path}`);
      expect(answer.status, path).toBe(path === '/nothing' ? 404 : 200);
      expect(answer.headers.get('content-security-policy')).toBe(
        "default-src 'self'; connect-src 'self' https://project.supabase.co https://control.example.com https://*.fly.dev wss://*.fly.dev http://127.0.0.1:4274 ws://127.0.0.1:4274; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'");
      expect([answer.headers.get('x-content-type-options'), answer.headers.get('referrer-policy')]).toEqual(['nosniff', 'no-referrer']);
      await answer.arrayBuffer();
    }
  });

  test('the configuration holds the three public values and nothing else', async () => {
    expect(await (await fetch(`${dashboard.url}/config.json`)).json()).toEqual({
      supabaseUrl: 'https://project.supabase.co', publishableKey: 'sb_publishable_x', controlPlaneUrl: 'https://control.example.com',
    });
  });

  test('an unchanged file is not sent again, only GET and HEAD are answered', async () => {
    const first = await fetch(`${dashboard.url}/app.css`);
    expect(await first.text()).toContain('prefers-color-scheme');
    const again = await fetch(`${dashboard.url}/app.css`, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
    expect(again.status).toBe(304);
    expect((await fetch(`${dashboard.url}/`, { method: 'POST' })).status).toBe(405);
    expect(await (await fetch(`${dashboard.url}/`, { method: 'HEAD' })).text()).toBe('');
  });
});

test('the bundle is kept by its content: a second time nothing is built, a broken or read-only cache only costs time', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trademind-bundle-'));
  try {
    const built = await bundlePage(folder);
    expect(await readdir(folder)).toEqual([built.hash]);
    await writeFile(join(folder, built.hash, 'app.css'), 'from the cache');
    expect((await bundlePage(folder)).css.toString()).toBe('from the cache');
    await rm(join(folder, built.hash, 'app.js'));
    expect((await bundlePage(folder)).js.equals(built.js)).toBe(true);
    expect((await bundlePage(folder)).css.toString()).not.toBe('from the cache');
    await writeFile(join(folder, 'file'), '');
    expect((await bundlePage(join(folder, 'file', 'no-folder'))).js.equals(built.js)).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe('the process', () => {
  const start = (env: Record<string, string>) => fork(join(import.meta.dirname, 'main.ts'), [], { env: { PATH: process.env['PATH'], ...env }, execArgv: [], stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const firstLine = async (child: ReturnType<typeof start>) => {
    const [chunk] = await once(child.stdout!, 'data') as [Buffer];
    return JSON.parse(chunk.toString()) as Record<string, unknown>;
  };

  test('it says in one line where it is, and ends with the process that started it', async () => {
    const child = start({ ...ENV, PORT: '0' });
    expect(await firstLine(child)).toMatchObject({ ready: true, name: 'dashboard', url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string, pid: child.pid });
    const exit = once(child, 'exit');
    child.disconnect();
    expect(await exit).toEqual([0, null]);
  });

  test('a wrong environment is one line and exit status 1', async () => {
    const child = start({});
    const exit = once(child, 'exit');
    expect(await firstLine(child)).toMatchObject({ ready: false, code: 'env_invalid' });
    expect(await exit).toEqual([1, null]);
  });
});
