import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DatabaseFile } from './database-file.ts';
import { MembershipBook, type MembershipEntry } from './membership-book.ts';
import { MIGRATIONS } from './schema.ts';
import { STATE_FILE, StateStore } from './state-store.ts';

const MINUTE = 60_000;
const trader = { id: '00000000-0000-4000-8000-000000000001', version: 2 };
let dataDir: string;
let store: StateStore;
const open = () => new StateStore({ dataDir, epoch: () => 1_000, outbox: false });
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tm-book-'));
  store = open();
});
afterEach(() => {
  store.close();
  rmSync(dataDir, { recursive: true });
});
const mark = (symbol: string, closeTime: number) => ({ traderId: trader.id, version: trader.version, symbol, interval: '1m' as const, closeTime });
const missed = (minute: number, ...symbols: string[]) => ({ traderId: trader.id, version: trader.version, interval: '1m' as const, closeTime: minute * MINUTE, symbols });
const begin = () => store.beginTrader({ traderId: trader.id, version: trader.version, historyFrom: 0, liveFrom: 0, spans: [{ after: 0, symbols: ['A', 'B'] }] }, [mark('A', 0), mark('B', 0)]);

test('who was in and who was missing survives a restart, each version for itself; the same symbols missing close after close are one stretch', () => {
  begin();
  store.setMembers(trader.id, trader.version, { left: [], joined: [mark('C', 5 * MINUTE)], spans: [{ after: 5 * MINUTE, symbols: ['B', 'C'] }] });
  store.commit({ signals: [], watermarks: [], missed: [missed(1, 'B'), missed(2, 'B'), missed(3, 'A', 'B'), missed(7, 'C')] });
  store.close();
  store = open();
  const membership = store.memberships.of(trader)!;
  expect([MINUTE, 5 * MINUTE, 6 * MINUTE].map((time) => [...membership.at(time)].join(''))).toEqual(['AB', 'AB', 'BC']);
  expect(membership.absences.map(({ from, to, symbols }) => [from / MINUTE, to / MINUTE, symbols.join('')])).toEqual([[1, 2, 'B'], [3, 3, 'AB'], [7, 7, 'C']]);
  expect(store.memberships.of({ ...trader, version: 1 })).toBeUndefined();
});

test('a choice that another one replaces before any close has seen it leaves no trace', () => {
  begin();
  store.setMembers(trader.id, trader.version, { left: [], joined: [], spans: [{ after: MINUTE, symbols: ['A'] }] });
  store.setMembers(trader.id, trader.version, { left: [], joined: [], spans: [{ after: MINUTE, symbols: ['B'] }] });
  expect([...store.memberships.of(trader)!.now]).toEqual(['B']);
});

test('what is kept is told, and what a failed step would have written is neither kept nor told', () => {
  const told: MembershipEntry[] = [];
  store.memberships.tell = (entry) => told.push(entry);
  begin();
  expect(told).toEqual([{ ...trader, spans: [{ after: 0, symbols: ['A', 'B'] }], absences: [] }]);
  const broken = { ...mark('A', 0), closeTime: 'soon' as unknown as number };
  expect(() => store.setMembers(trader.id, trader.version, { left: [], joined: [broken], spans: [{ after: MINUTE, symbols: ['A'] }] })).toThrow();
  store.commit({ signals: [], watermarks: [], missed: [missed(1, 'B')] });
  expect(told.slice(1)).toEqual([{ ...trader, spans: [], absences: [{ from: MINUTE, to: MINUTE, symbols: ['B'] }] }]);
  expect(store.memberships.of(trader)!.spans).toHaveLength(1);
});

test('of a trader the newest thousand changes are kept', () => {
  const file = new DatabaseFile(join(dataDir, STATE_FILE));
  const book = new MembershipBook(file);
  file.transaction(() => { for (let change = 0; change < 1_003; change++) book.choose(trader, { after: change, symbols: [`S${change}`] }); });
  expect(book.of(trader)!.spans.map(({ after }) => after)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 3));
  file.close();
});

test('a file of an earlier version goes on with whom it screened', () => {
  store.close();
  rmSync(dataDir, { recursive: true });
  dataDir = mkdtempSync(join(tmpdir(), 'tm-book-'));
  const old = new DatabaseSync(join(dataDir, STATE_FILE));
  const before = MIGRATIONS.findIndex((sql) => sql.includes('create table universes'));
  old.exec(`${MIGRATIONS.slice(0, before).join(';')}; pragma user_version = ${before}`);
  old.exec(`insert into trader_state (trader_id, version, history_from, live_from) values ('${trader.id}', 2, 60000, 120000)`);
  for (const symbol of ['A', 'B']) old.exec(`insert into watermarks (trader_id, version, symbol, interval, close_time) values ('${trader.id}', 2, '${symbol}', '1m', 180000)`);
  old.close();
  store = open();
  expect(store.memberships.of(trader)!.spans.map(({ after, symbols }) => [after, [...symbols]])).toEqual([[MINUTE, ['A', 'B']]]);
});
