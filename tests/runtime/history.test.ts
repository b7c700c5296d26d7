// What a machine says of itself reaches its user: in its log, its figures, and the machine's events.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectRaw } from '../support/feed.ts';
import { startWorkingMachine, type WorkingMachine } from '../security/working-machine.ts';
import { until } from './world.ts';

let at: WorkingMachine;
beforeAll(async () => { at = await startWorkingMachine(); });
afterAll(() => at.close());

test('what the feed and the notifier have to say is in the machine\'s log, and their errors count, from the first moment on', async () => {
  // A folder where the queue's file should be, and another where it would be moved to.
  rmSync(join(at.dataDir, 'notifications.db'));
  for (const name of ['notifications.db', 'notifications.db.broken/full']) mkdirSync(join(at.dataDir, name), { recursive: true });
  await at.restart();
  const stranger = connectRaw(at, 'x.y.z');
  await stranger.closed;
  const owner = connectRaw(at, await at.ticket());
  const { data: { session } } = await owner.next('hello');
  const answer = await fetch(`${at.url}/v1/logs`, { headers: { authorization: `Bearer ${session}` } });
  const codes = ((await answer.json()) as { items: { code: string }[] }).items.map(({ code }) => code);
  expect(codes).toEqual(expect.arrayContaining(['notification_not_kept', 'ticket_invalid']));
  expect(await (await fetch(`${at.privateUrl}/metrics`)).text()).toMatch(/^trademind_errors_total\{code="notification_not_kept"\} 1$/m);
  owner.socket.terminate();
});

test('commands and crashes are in the machine\'s events, as its user reads them, each once however often it starts', async () => {
  const events = async () => {
    const { data, error } = await at.machine.user.client.from('machine_events').select('kind, message, data, at').eq('machine_id', at.machine.id).in('kind', ['command', 'crash', 'owner']).order('id');
    if (error) throw error;
    return data as { kind: string; message: string; data: Record<string, unknown> }[];
  };
  const kinds = async () => (await events()).map(({ kind }) => kind);
  const crashes = async () => (await kinds()).filter((kind) => kind === 'crash').length;
  // A restart is a kill: this is the second.
  await at.restart();
  await until('both crashes are told', async () => await crashes() === 2, 120_000, kinds);
  const owner = connectRaw(at, await at.ticket());
  await owner.next('snapshot');
  owner.send({ type: 'pause', id: '1' });
  owner.send({ type: 'close-position', id: '2', position: 'x' });
  owner.send({ type: 'resume', id: '3' });
  await until('the commands are there', async () => (await kinds()).filter((kind) => kind === 'command').length >= 2, 120_000);
  await until('the pause is among them', async () => (await events()).some(({ data }) => data['command'] === 'pause'), 120_000);
  expect((await events()).find(({ data }) => data['command'] === 'pause')).toMatchObject({ kind: 'command', message: 'A client asked for "pause": done.', data: { command: 'pause', outcome: 'done', sessionId: expect.stringMatching(/./) } });
  owner.socket.terminate();
  await at.restart();
  await until('another crash is told', async () => await crashes() === 3, 120_000, kinds);
  expect((await events()).findLast(({ kind }) => kind === 'crash')).toMatchObject({ data: { kind: 'killed', code: 'ended_silently' } });
  // What was told before is told again at each start, and is the same event.
  at.child().kill('SIGTERM');
  await until('it has ended, with all sent', () => at.child().exitCode !== null, 120_000);
  expect(await crashes()).toBe(3);
}, 240_000);
