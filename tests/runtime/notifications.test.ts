// How messages to a user ended, from the trader that found something to the row that its user reads.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { notificationSecrets, type NotificationSettings } from '@trademind/core';
import { recordDeliveries } from '../../packages/runtime/notifications/delivery-facts.ts';
import { QUEUE_FILE } from '../../packages/runtime/notifications/message-queue.ts';
import { Notifier } from '../../packages/runtime/notifications/notifier.ts';
import { systemWall } from '../../packages/runtime/time.ts';
import { BUSY, removeDir, startCloud, startOrchestrator, startTestExchange, tempDir, until, type InProcess } from './world.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => { for (const cleanup of cleanups.splice(0).toReversed()) await cleanup(); });

const TOKEN = '123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw7';

interface Row { id: string; machine_id: string; channel: string; rule: string; outcome: string; attempts: number; code: string | null; message: string | null; about: { kind: string; signal_id?: string } }

test('each delivery is one row that its user alone reads: who, by which rule, how it ended and why; told twice it stays one, and nothing of channel or text is in it', async () => {
  const heard: string[] = [];
  // Telegram takes all; the webhook takes no message at all.
  const receiver = createServer((request, response) => {
    request.resume().on('end', () => {
      heard.push(request.url!);
      response.writeHead(request.url!.startsWith('/bot') ? 200 : 418, { 'content-type': 'application/json' }).end('{"ok":true}');
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  cleanups.push(() => { receiver.closeAllConnections(); receiver.close(); });
  const base = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const [cloud, exchange] = await Promise.all([startCloud(), startTestExchange({ speed: 600 })]);
  cleanups.push(() => cloud.close(), () => exchange.close());
  const notifications: NotificationSettings = {
    channels: [
      { id: '1st-phone', name: 'My phone', kind: 'telegram', botToken: TOKEN, chatId: '424242' },
      { id: 'hook', name: 'My server', kind: 'webhook', form: 'json', url: `${base}/aVerySecretPath`, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G' },
    ],
    rules: [{ id: 'entries', on: 'signal', to: ['1st-phone', 'hook'] }],
  };
  const [machine, other] = await Promise.all([cloud.addMachine(), cloud.addMachine()]);
  await machine.addTrader(BUSY);
  machine.entrust({ notifications });
  const dataDir = tempDir();
  cleanups.push(() => removeDir(dataDir));
  const start = (): InProcess => {
    const one = startOrchestrator({
      cloud, supabase: cloud.supabase, machine, exchange, dataDir,
      more: {
        controlPlane: { url: cloud.controlPlaneUrl, secret: machine.secret },
        notifier: (store) => new Notifier({ dataDir, machineId: machine.id, wall: systemWall, log: () => undefined, record: recordDeliveries(store, machine.id), allowPrivate: true, telegramUrl: base }),
      },
    });
    cleanups.push(() => one.orchestrator.stop());
    return one;
  };
  const rows = async (of = machine): Promise<Row[]> => (await of.user.client.from('notifications').select('id, machine_id, channel, rule, outcome, attempts, code, message, about').order('at')).data as Row[];

  const first = start();
  await until('a few have ended', async () => new Set((await rows()).map(({ channel }) => channel)).size === 2 && (await rows()).length >= 4, 120_000, () => ({ heard, logged: first.logged.slice(-5) }));
  await first.orchestrator.stop();
  const live = first.orchestrator.view.signals(1_000).filter(({ origin }) => origin === 'live').map(({ id }) => id);
  for (const row of await rows()) {
    expect(row).toMatchObject({ machine_id: machine.id, rule: 'entries', attempts: 1, about: { kind: 'signal' } });
    expect([row.outcome, row.code, row.message]).toEqual(row.channel === 'hook' ? ['failed', 'receiver_message_refused', 'It was refused for good.'] : ['sent', null, null]);
    expect(live).toContain(row.about.signal_id);
  }
  expect(await rows(other)).toEqual([]);
  const { rows: stored } = await cloud.supabase.database.pool.query('select * from notifications');
  for (const secret of [...notificationSecrets(notifications), '424242', new URL(base).port, 'Fast cross']) expect(JSON.stringify(stored).includes(secret), secret).toBe(false);

  // As if it had been killed after the database had taken them and before the machine had written that down.
  const queue = new DatabaseSync(join(dataDir, QUEUE_FILE));
  const forgotten = Number(queue.prepare("update messages set recorded = 0 where state in ('sent', 'refused')").run().changes);
  queue.close();
  expect(forgotten).toBeGreaterThanOrEqual((await rows()).length);
  const second = start();
  await until('all that ended is kept, once', async () => {
    const file = new DatabaseSync(join(dataDir, QUEUE_FILE), { readOnly: true });
    const { waiting } = file.prepare("select count(*) as waiting from messages where state <> 'waiting' and recorded = 0").get() as { waiting: number };
    file.close();
    return waiting === 0 && second.orchestrator.store.outboxState().rows === 0;
  }, 240_000);
  await second.orchestrator.stop();
  const all = await rows();
  expect(all.length).toBeGreaterThanOrEqual(forgotten);
  const named = all.map(({ channel, about }) => `${channel} ${about.signal_id}`);
  expect(new Set(named).size).toBe(named.length);
}, 480_000);
