import { expect, test } from 'vitest';
import { testMachine } from '../../tests/support/dashboard.ts';
import { createControlPlane } from './control-plane.ts';
import { isLocal, loadConfig } from './config.ts';

const answering = (status: number, body: unknown) => createControlPlane('http://control', () => Promise.resolve('t'), () => Promise.resolve(new Response(typeof body === 'string' ? body : JSON.stringify(body), { status })));

test('the machine that is not destroyed is the user’s machine', async () => {
  const gone = testMachine({ phase: 'destroyed' });
  const here = testMachine();
  expect(await answering(200, { items: [gone, here], next: null }).machine()).toEqual(here);
  expect(await answering(200, { items: [gone], next: null }).machine()).toBeNull();
});

test('every failure has a code and what happens next', async () => {
  const away = createControlPlane('http://control', () => Promise.resolve('t'), () => Promise.reject(new TypeError('fetch failed')));
  await expect(away.machine()).rejects.toMatchObject({ code: 'control_plane_unreachable', nextStep: expect.stringContaining('keeps trying') as string });
  await expect(answering(401, {}).machine()).rejects.toMatchObject({ code: 'signed_out' });
  await expect(createControlPlane('http://control', () => Promise.resolve(null)).machine()).rejects.toMatchObject({ code: 'signed_out' });
  await expect(answering(502, '<html>').ticket('x')).rejects.toMatchObject({ code: 'control_plane_failed' });
  await expect(answering(409, { type: 'about:blank', title: 't', status: 409, detail: 'It is stopped.', code: 'machine_stopped' }).start('x')).rejects.toMatchObject({ code: 'machine_stopped', message: 'It is stopped.' });
  await expect(answering(200, { items: 'no' }).machine()).rejects.toMatchObject({ code: 'control_plane_answer_invalid', field: 'items' });
});

test('the configuration is checked, and loopback services are local', async () => {
  const config = { supabaseUrl: 'http://127.0.0.1:4271', publishableKey: 'k', controlPlaneUrl: 'http://127.0.0.1:4272' };
  expect(await loadConfig(() => Promise.resolve(Response.json(config)))).toEqual(config);
  await expect(loadConfig(() => Promise.resolve(Response.json({})))).rejects.toMatchObject({ code: 'config_invalid' });
  expect([isLocal(config), isLocal({ ...config, supabaseUrl: 'https://x.supabase.co' })]).toEqual([true, false]);
});
