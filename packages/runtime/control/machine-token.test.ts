import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { systemWall, type Wall } from '../time.ts';
import { MachineToken } from './machine-token.ts';

function world() {
  const state = { now: 0, asked: [] as Request[], answer: (): Response => token(), given: 0, said: [] as string[] };
  const token = () => Response.json({ token: `token-${++state.given}`, expiresAt: new Date(state.now + 3_600_000).toISOString(), machineId: randomUUID(), userId: randomUUID(), supabaseUrl: 'http://127.0.0.1' });
  const wall: Wall = { ...systemWall, epoch: () => state.now, now: () => state.now, random: () => 1 };
  const ending = new AbortController();
  const machineToken = new MachineToken({
    controlPlaneUrl: 'http://127.0.0.1:1/', secret: 'the-secret', wall, signal: ending.signal, log: (_level, code, message) => state.said.push(`${code} ${message}`),
    fetch: (input, init) => {
      state.asked.push(new Request(input as string, init));
      try {
        return Promise.resolve(state.answer());
      } catch (error) {
        return Promise.reject(error as Error);
      }
    },
  });
  return { state, machineToken };
}

test('the secret is exchanged once for all who ask, and the token serves until half its life', async () => {
  const { state, machineToken } = world();
  expect(await Promise.all([machineToken.get(), machineToken.get()])).toEqual(['token-1', 'token-1']);
  expect(state.asked.map((request) => [request.method, request.url, request.headers.get('authorization')])).toEqual([['POST', 'http://127.0.0.1:1/v1/machine/token', 'Bearer the-secret']]);
  state.now = 1_799_000;
  expect(await machineToken.get()).toBe('token-1');
  state.now = 1_801_000;
  expect(await machineToken.get()).toBe('token-2');
});

test('a revoked token is never given again', async () => {
  const { machineToken } = world();
  machineToken.revoked(await machineToken.get());
  expect(await machineToken.get()).toBe('token-2');
  machineToken.revoked('token-1');
  expect(await machineToken.get()).toBe('token-2');
});

test('while the control plane is away the old token serves to its end; then the reason is told, without asking all the time', async () => {
  const { state, machineToken } = world();
  await machineToken.get();
  state.answer = () => { throw new TypeError('fetch failed'); };
  state.now = 3_000_000;
  expect(await machineToken.get()).toBe('token-1');
  state.now = 3_700_000;
  await expect(machineToken.get()).rejects.toMatchObject({ code: 'control_plane_unreachable' });
  const asked = state.asked.length;
  await expect(machineToken.get()).rejects.toMatchObject({ code: 'control_plane_unreachable' });
  expect(state.asked).toHaveLength(asked);
  expect(machineToken.problem?.code).toBe('control_plane_unreachable');
  expect(state.said).toHaveLength(1);
});

test('a refused secret says what to do and never repeats the secret', async () => {
  const { state, machineToken } = world();
  state.answer = () => new Response('{}', { status: 401 });
  await expect(machineToken.get()).rejects.toMatchObject({ code: 'machine_secret_refused' });
  expect(state.said.join()).not.toContain('the-secret');
});
