import { expect, test } from 'vitest';
import { connectTo, eventually, start } from '../test-world.ts';

test('a connection is ended after 24 hours, and not before', async () => {
  const { exchange, wall } = await start({ speed: 0 });
  const client = await connectTo(exchange, '/ws');
  let ended = 0;
  client.socket.on('close', (code) => { ended = code; });
  let pings = 0;
  client.socket.on('ping', () => { pings++; });
  wall.now += 24 * 3_600_000 - 1_000;
  await eventually(() => pings).toBe(1);
  expect(ended).toBe(0);
  wall.now += 1_000;
  expect(await client.closed).toBe(1001);
});
