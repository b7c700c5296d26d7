import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { startCloud, type Cloud } from './cloud.ts';
import { components, urlsOf, type ComponentName } from './components.ts';
import { openDataFolder } from './data-folder.ts';
import { playDemo } from './demo.ts';
import type { DevEvent, ReadyEvent } from './events.ts';
import { takeLock, type Lock } from './lock.ts';
import { marketName } from './market.ts';
import type { DevOptions } from './options.ts';
import { prepare } from './prepare.ts';
import { endProcesses, identify } from './process-identity.ts';
import { listenForShutdown } from './shutdown.ts';
import type { Story } from './story.ts';

/** What `dev` tells: to people by the story, to programs by JSON lines. */
export interface Voice {
  story: Story;
  /** Writes one JSON line; does nothing without --json. */
  emit(event: ReadyEvent | DevEvent): void;
}

/** How long what a killed predecessor left may take to end by itself: a machine may be draining. */
const LEFT_BEHIND_GRACE_MS = 10_000;

/**
 * `npm start`: takes the data folder, starts every process, gives the demo user a machine through the control plane's API, tells how it
 * comes up and what it finds, until it is told to stop; then stops everything in order. Resolves with the exit status.
 */
export async function runDev(options: DevOptions, io: Io, voice: Voice): Promise<number> {
  const { story, emit } = voice;
  const folder = openDataFolder(options.data);
  const lock = takeLock(folder.running, new Date(io.now()));
  let cloud: Cloud | null = null;
  const force = async (): Promise<void> => {
    story.note('Ended by force.');
    story.end();
    await cloud?.force();
    lock.release();
    process.exit(EXIT.interrupted);
  };
  const shutdown = listenForShutdown(() => void force(), io.now);
  try {
    await cleanUp(lock, story);
    const prepared = await prepare(options, folder, io.environment, fetch);
    const { plan, choice } = prepared;
    const urls = urlsOf(plan);
    lock.update({ market: marketName(choice.market), speed: choice.speed, urls });
    story.market(choice, io.cwd);
    cloud = await bringUp(plan, lock, shutdown.signal, io, voice);
    return await playDemo({ ...prepared, urls, options, io, voice, signal: shutdown.signal, onMachine: (machineId) => lock.update({ machineId }) });
  } catch (error) {
    if (shutdown.by() === null) throw error;
    story.quiet();
    story.note('Stopped before it was ready.');
    return EXIT.interrupted;
  } finally {
    shutdown.begin();
    if (cloud) await bringDown(cloud, voice, io.now);
    lock.release();
    shutdown.dispose();
    if (cloud) emit({ event: 'stopped' });
  }
}

/** Ends what a predecessor that was killed has left running. */
async function cleanUp(lock: Lock, story: Story): Promise<void> {
  const left = Object.values(lock.leftBehind?.children ?? {});
  if (left.length === 0) return;
  story.doing('cleaning up', 'an earlier start was killed; what it left is ending');
  const ended = await endProcesses(left, LEFT_BEHIND_GRACE_MS);
  story.doing(null);
  if (ended.length > 0) story.note(`An earlier start was killed: ${ended.length} of its processes were ended.`);
}

async function bringUp(plan: Parameters<typeof components>[0], lock: Lock, signal: AbortSignal, io: Io, { story, emit }: Voice): Promise<Cloud> {
  const children: Record<string, { pid: number; startedAt: string }> = {};
  const urls: Readonly<Record<string, string | null>> = { ...urlsOf(plan), postgres: `127.0.0.1:${plan.ports.postgres}` };
  const shown: Readonly<Record<ComponentName, string>> = {
    postgres: 'postgres', supabase: 'supabase', fly: 'fly', exchange: 'exchange', gemini: 'gemini', 'control-plane': 'controlPlane', page: 'dashboard',
  };
  story.doing('starting', 'database, gateway, Fly stand-in, exchange, control plane, page');
  const cloud = await startCloud(components(plan), {
    cwd: plan.root, now: io.now, signal,
    onReady: (name) => story.step(name, urls[shown[name]] ?? ''),
    onEvent: (event) => {
      if (event.type === 'spawned') {
        const identity = identify(event.pid);
        if (!identity) return;
        children[event.name] = identity;
        lock.update({ children: { ...children } });
        return;
      }
      story.supervised(event);
      if (event.type === 'died') emit({ event: 'died', name: event.name, how: event.how });
      if (event.type === 'restarted') emit({ event: 'restarted', name: event.name, pid: event.pid, tookMs: event.tookMs });
    },
  });
  story.doing(null);
  return cloud;
}

async function bringDown(cloud: Cloud, { story, emit }: Voice, now: () => number): Promise<void> {
  const began = now();
  story.quiet();
  emit({ event: 'stopping' });
  story.doing('stopping', '');
  await cloud.stop((name) => {
    if (name === 'fly') story.note('The machine finishes its work before it stops; this may take up to 25 s (Ctrl-C again ends it by force).');
    else story.note(`${name} takes its time to stop.`);
  });
  story.doing(null);
  story.stopped(now() - began);
}
