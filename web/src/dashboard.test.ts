import { TradeMindError, type MachineView, type TicketAnswer } from '@trademind/core';
import { createFeedClient } from '@trademind/feed-client';
import { afterEach, expect, test, vi } from 'vitest';
import { testMachine } from '../../tests/support/dashboard.ts';
import { startTestFeed, testSignal, testStatus, type TestFeed } from '../../tests/support/feed.ts';
import type { Auth, SignedIn } from './auth.ts';
import { Dashboard, type DashboardPorts, type DashboardState } from './dashboard.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end();
});

const who: SignedIn = { userId: 'u', email: 'demo@example.test' };
const until = <T>(check: () => T) => vi.waitFor(() => {
  const value = check();
  if (!value) throw new Error('not yet');
  return value;
}, { timeout: 60_000, interval: 4 });

interface World { dashboard: Dashboard; machine: MachineView | null | Error; auth: { kept: SignedIn | null; links: string[]; endSession(): void }; asked: number; feed: TestFeed }

async function open(fragment = '', kept: SignedIn | null = who): Promise<World> {
  const feed = await startTestFeed();
  let signedOut = (): void => undefined;
  const world = { machine: null as World['machine'], asked: 0, feed, auth: { kept, links: [] as string[], endSession: () => signedOut() } };
  const auth: Auth = {
    current: () => Promise.resolve(world.auth.kept),
    accessToken: () => Promise.resolve('token'),
    openLink: (hash) => {
      world.auth.links.push(hash);
      return hash === 'good' ? Promise.resolve(who) : Promise.reject(new Error('This link was used before or is too old.'));
    },
    signIn: (_, password) => (password === 'right' ? Promise.resolve(who) : Promise.reject(new Error('wrong'))),
    signOut: () => Promise.resolve(),
    onSignedOut: (listener) => { signedOut = listener; },
  };
  const ports: DashboardPorts = {
    auth,
    controlPlane: {
      machine: () => {
        world.asked += 1;
        return world.machine instanceof Error ? Promise.reject(world.machine) : Promise.resolve(world.machine);
      },
      ticket: async (): Promise<TicketAnswer> => ({ ticket: await feed.ticket(), url: feed.server.url, feed: feed.feed, machineId: feed.source.machineId, expiresAt: '' }),
      start: () => Promise.resolve({ ...(world.machine as MachineView), phase: 'starting' }),
    },
    createFeed: (getTicket) => createFeedClient({ getTicket, timing: { baseMs: 5, capMs: 20 } }),
    takeFragment: () => fragment,
    soon: (run) => setTimeout(run, 1),
    pollMs: { waiting: 10, live: 10 },
  };
  const dashboard = new Dashboard(ports);
  ending.push(() => feed.close(), () => dashboard.signOut());
  await dashboard.open();
  return Object.assign(world, { dashboard });
}

const signedIn = ({ dashboard }: World) => {
  const state = dashboard.get();
  return state.kind === 'signed-in' ? state : undefined;
};

test('without a session or a link the page asks to sign in; a good password goes on', async () => {
  const world = await open('', null);
  expect(world.dashboard.get()).toEqual({ kind: 'signed-out', notice: null });
  await expect(world.dashboard.signIn('a', 'wrong')).rejects.toThrow('wrong');
  expect(world.dashboard.get().kind).toBe('signed-out');
  await world.dashboard.signIn('a', 'right');
  await until(() => signedIn(world)?.machine === null);
});

test('a link signs in; a used one says so, unless a session is there already', async () => {
  const good = await open('token_hash=good&type=magiclink', null);
  expect([good.dashboard.get().kind, good.auth.links]).toEqual(['signed-in', ['good']]);
  expect((await open('token_hash=used', null)).dashboard.get()).toEqual({ kind: 'signed-out', notice: 'This link was used before or is too old.' });
  expect((await open('token_hash=used', who)).dashboard.get().kind).toBe('signed-in');
});

test('the feed is followed once the machine was seen reachable, and its view becomes the page’s', async () => {
  const world = await open();
  world.machine = testMachine({ id: world.feed.source.machineId, phase: 'creating' });
  const before = world.asked;
  await until(() => world.asked > before + 3);
  expect(signedIn(world)?.feed.state.phase).toBe('idle');
  expect(world.feed.server.stats().connections).toBe(0);
  world.machine = { ...world.machine, phase: 'backfilling' };
  await until(() => signedIn(world)?.feed.state.phase === 'live');
  const states: DashboardState[] = [];
  world.dashboard.subscribe(() => states.push(world.dashboard.get()));
  world.feed.source.emit({ type: 'signal', data: testSignal({ symbol: 'NEW' }) });
  await until(() => signedIn(world)?.feed.signals[0]?.symbol === 'NEW');
  world.machine = { ...world.machine, phase: 'failed' };
  await until(() => signedIn(world)?.machine?.phase === 'failed');
  expect(signedIn(world)?.feed.state.phase).toBe('live');
});

test('a machine that is stopped, destroyed or replaced is let go', async () => {
  const world = await open();
  world.machine = testMachine({ id: world.feed.source.machineId });
  await until(() => signedIn(world)?.feed.state.phase === 'live');
  world.machine = { ...world.machine, phase: 'stopping', desired: { ...world.machine.desired, state: 'stopped' } };
  await until(() => signedIn(world)?.feed.state.phase === 'idle');
  await until(() => world.feed.server.stats().connections === 0);
  world.machine = testMachine({ id: world.feed.source.machineId });
  await until(() => signedIn(world)?.feed.state.phase === 'live');
  world.machine = null;
  await until(() => signedIn(world)?.machine === null && signedIn(world)?.feed.state.phase === 'idle');
});

test('trouble at the control plane is shown beside what was known, and goes away by itself', async () => {
  const world = await open();
  world.machine = testMachine({ id: world.feed.source.machineId });
  await until(() => signedIn(world)?.feed.state.phase === 'live');
  world.machine = new TradeMindError({ code: 'control_plane_unreachable', message: 'The control plane does not answer.', nextStep: 'Wait.' });
  await until(() => signedIn(world)?.trouble);
  expect(signedIn(world)).toMatchObject({ trouble: { code: 'control_plane_unreachable', nextStep: 'Wait.' }, machine: { phase: 'screening' }, feed: { state: { phase: 'live' } } });
  world.machine = testMachine({ id: world.feed.source.machineId });
  await until(() => signedIn(world)?.trouble === null);
});

test('a session that ended closes the feed and asks to sign in', async () => {
  const world = await open();
  world.machine = testMachine({ id: world.feed.source.machineId });
  world.feed.source.emit({ type: 'status', data: testStatus() });
  await until(() => signedIn(world)?.feed.state.phase === 'live');
  world.machine = new TradeMindError({ code: 'signed_out', message: 'Your session has ended.' });
  await until(() => world.dashboard.get().kind === 'signed-out');
  expect(world.dashboard.get()).toEqual({ kind: 'signed-out', notice: 'Your session has ended. Sign in again.' });
  await until(() => world.feed.server.stats().connections === 0);
  const asked = world.asked;
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  expect(world.asked).toBe(asked);
});

test('signing out in another tab signs out here', async () => {
  const world = await open();
  world.auth.endSession();
  expect(world.dashboard.get().kind).toBe('signed-out');
});

test('a stopped machine can be started', async () => {
  const world = await open();
  world.machine = testMachine({ phase: 'stopped', desired: { ...testMachine().desired, state: 'stopped' } });
  await until(() => signedIn(world)?.machine?.phase === 'stopped');
  const seen: string[] = [];
  world.dashboard.subscribe(() => seen.push(signedIn(world)?.machine?.phase ?? ''));
  await world.dashboard.startMachine();
  expect(signedIn(world)?.machine?.phase).toBe('starting');
});
