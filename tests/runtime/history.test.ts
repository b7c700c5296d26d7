// What a machine says of itself reaches its user: in its log, its figures, and the machine's events.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectRaw } from '../support/feed.ts';
import { startWorkingMachine, type WorkingMachine } from '../security/working-machine.ts';

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
