import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { FEED_CLOSE, FEED_PROTOCOL, TICKET_PROTOCOL_PREFIX, type FeedFrame } from '@trademind/core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi } from '../support/control-plane.ts';
import { removeDataDir, startPlatform, until, type Platform } from '../support/platform.ts';

/** What a caller of a feed gets: the first frame, or the code it was closed with. */
function feedAnswer(feed: string, ticket?: string): Promise<{ frame: FeedFrame } | { closed: number }> {
  return new Promise((resolve) => {
    const socket = new WebSocket(feed, ticket === undefined ? [FEED_PROTOCOL] : [FEED_PROTOCOL, `${TICKET_PROTOCOL_PREFIX}${ticket}`]);
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
      resolve({ frame: JSON.parse(data) as FeedFrame });
      socket.close();
    });
    socket.addEventListener('close', ({ code }) => { resolve({ closed: code }); });
  });
}

describe('another user of the same platform', () => {
  let platform: Platform;
  let other: SupabaseClient;
  let otherId: string;
  let token: string;
  let ownMachine: { id: string; feed: string };
  const api = (method: string, path: string, body?: unknown, as: string | null = token) => callApi(platform.ready.controlPlane, as, method, path, body);

  beforeAll(async () => {
    platform = await startPlatform({ market: 'simulated' });
    const { supabase, publishableKey } = platform.ready;
    const { secretKey } = JSON.parse(readFileSync(join(platform.dataDir, 'secrets.json'), 'utf8')) as { secretKey: string };
    const options = { auth: { persistSession: false, autoRefreshToken: false } };
    const credentials = { email: 'other@example.test', password: 'another-password-0' };
    const created = await createClient(supabase, secretKey, options).auth.admin.createUser({ ...credentials, email_confirm: true });
    if (created.error) throw created.error;
    other = createClient(supabase, publishableKey, options);
    const { data, error } = await other.auth.signInWithPassword(credentials);
    if (error) throw error;
    otherId = data.user.id;
    token = data.session.access_token;
    const deployed = await api('POST', '/v1/machines', {});
    const { id } = deployed.body as { id: string };
    ownMachine = await until('the other user’s machine', async () => {
      const { body } = await api('GET', `/v1/machines/${id}`);
      return body['phase'] === 'screening' ? { id, feed: String(body['feed']) } : undefined;
    }, 240_000);
  }, 300_000);
  afterAll(async () => {
    await platform.stop();
    await removeDataDir(platform.dataDir);
  }, 240_000);

  test.each(['machines', 'machine_events', 'traders', 'signals'])('reads no row of %s but own ones through the gateway', async (table) => {
    const { data, error } = await other.from(table).select('user_id');
    expect(error).toBeNull();
    expect((data ?? []).filter((row: { user_id: string }) => row.user_id !== otherId)).toEqual([]);
    const named = await other.from(table).select('user_id').eq('user_id', platform.ready.user.id);
    expect(named.data).toEqual([]);
  });

  test('writes nothing for somebody else through the gateway: each try has its code', async () => {
    const victim = platform.ready.user.id;
    const document = { name: 'Theirs', side: 'long', where: { up: 'close > open' } };
    expect((await other.from('traders').insert({ user_id: victim, name: 'Theirs', document })).error?.code).toBe('42501');
    expect((await other.from('traders').update({ enabled: false }).eq('user_id', victim).select()).data).toEqual([]);
    expect((await other.from('machines').update({ desired_state: 'destroyed' }).eq('user_id', victim)).error?.code).toBe('42501');
    expect((await other.from('signals').insert({ user_id: victim })).error?.code).toBe('42501');
    expect((await other.from('machine_secrets').select('*')).error?.code).toBe('42501');
    expect((await other.rpc('deploy_machine', { p_user_id: victim, p_environment: 'local', p_region: 'sin', p_cpu_kind: 'shared', p_cpus: 1, p_memory_mb: 256, p_image: 'x' })).error?.code).toBe('42501');
    expect((await other.rpc('write_signals', { p_rows: [] })).error?.code).toBe('42501');
    expect((await other.rpc('machine_beat', { p_status: {} })).error?.code).toBe('42501');
  });

  test.each([
    ['GET', ''], ['PATCH', ''], ['DELETE', ''], ['POST', '/ticket'], ['GET', '/events'],
  ])('%s of the machine%s answers machine_not_found at the control plane', async (method, suffix) => {
    const answer = await api(method, `/v1/machines/${platform.ready.machine.id}${suffix}`, method === 'PATCH' ? { desired: 'stopped' } : method === 'POST' ? {} : undefined);
    expect([answer.status, answer.body['code']]).toEqual([404, 'machine_not_found']);
  });

  test('sees own machine and own traders only in the lists of the control plane', async () => {
    const machines = (await api('GET', '/v1/machines')).body['items'] as { id: string }[];
    expect(machines.map(({ id }) => id)).toEqual([ownMachine.id]);
    expect((await api('GET', '/v1/traders')).body['items']).toEqual([]);
    const [theirs] = (await api('GET', '/v1/traders', undefined, platform.ready.user.token)).body['items'] as { id: string }[];
    expect((await api('GET', `/v1/traders/${theirs!.id}`)).status).toBe(404);
    expect((await api('DELETE', `/v1/traders/${theirs!.id}`)).status).toBe(404);
  });

  test.each([['no token', null], ['a token that is none', 'not-a-token']])('with %s the control plane answers 401', async (_, as) => {
    const answer = await api('GET', `/v1/machines/${platform.ready.machine.id}`, undefined, as);
    expect([answer.status, typeof answer.body['code']]).toEqual([401, 'string']);
  });

  test('is closed out of a foreign feed with 4401: without a ticket, with an own ticket, with a user token', async () => {
    const { feed } = platform.ready.machine;
    const { ticket } = (await api('POST', `/v1/machines/${ownMachine.id}/ticket`, {})).body as { ticket: string };
    expect(await feedAnswer(feed)).toEqual({ closed: FEED_CLOSE.ticket });
    expect(await feedAnswer(feed, ticket)).toEqual({ closed: FEED_CLOSE.ticket });
    expect(await feedAnswer(feed, token)).toEqual({ closed: FEED_CLOSE.ticket });
  });

  test('opens own feed with a ticket, once, and its session opens nothing of the other machine', async () => {
    const { ticket } = (await api('POST', `/v1/machines/${ownMachine.id}/ticket`, {})).body as { ticket: string };
    const answer = await feedAnswer(ownMachine.feed, ticket);
    expect(answer).toMatchObject({ frame: { type: 'hello', data: { machineId: ownMachine.id, userId: otherId } } });
    expect(await feedAnswer(ownMachine.feed, ticket)).toEqual({ closed: FEED_CLOSE.ticket });
    const { session } = (answer as { frame: Extract<FeedFrame, { type: 'hello' }> }).frame.data;
    const status = (feed: string) => fetch(`${feed.replace('ws', 'http').replace('/v1/feed', '')}/v1/status`, { headers: { authorization: `Bearer ${session}` } });
    expect((await status(ownMachine.feed)).status).toBe(200);
    expect((await status(platform.ready.machine.feed)).status).toBe(401);
  });
});
