import { expect, test } from 'vitest';
import { HARMS } from './faults.ts';
import { FAULT_KINDS, readFaultOrder, type FaultOrder } from '../../local-cloud/exchange/faults/kinds.ts';

const orders = HARMS.flatMap((harm) => harm.orders({ random: () => 0.5, symbol: () => 'BTCUSDT', seed: () => 'a' })).map(readFaultOrder);

test('a storm does every kind of harm that the exchange knows', () => {
  expect(FAULT_KINDS.filter((kind) => !orders.some((order) => order.kind === kind))).toEqual([]);
});

test('a storm refuses requests and connections in every way that a client must tell apart', () => {
  const statuses = (kind: FaultOrder['kind']) => new Set(orders.flatMap((order) => (order.kind === kind && 'status' in order ? [order.status] : [])));
  for (const kind of ['rest-status', 'refuse-connection'] as const) for (const status of [403, 418, 429, 451, 503]) expect([...statuses(kind)], kind).toContain(status);
});
