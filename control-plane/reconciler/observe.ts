import { FlyError, type FlyClient, type Machine, type Volume } from '@trademind/fly';
import type { MachineRow } from '../database/rows.ts';
import { SECRET_NAME } from './names.ts';
import { seenIps, seenMachine, seenVolumes, type Seen, type SeenMachine } from './seen.ts';
import type { Wish } from './wish.ts';

/** The reads of Fly that observing needs. */
export interface FlyEyes {
  apps: Pick<FlyClient['apps'], 'get'>;
  machines: Pick<FlyClient['machines'], 'get' | 'list'>;
  volumes: Pick<FlyClient['volumes'], 'list'>;
  secrets: Pick<FlyClient['secrets'], 'list'>;
  ipAssignments: Pick<FlyClient['ipAssignments'], 'list'>;
}

export type Known = Pick<MachineRow, 'fly_machine_id' | 'fly_instance_id' | 'phase' | 'generation' | 'observed_generation' | 'doubt'>;

export interface ObserveOptions {
  fly: FlyEyes;
  /** Asks the machine itself whether it is ready. */
  probe: (app: string, signal: AbortSignal) => Promise<boolean>;
  signal: AbortSignal;
}

/**
 * What Fly shows, read by name and by id. A machine whose id is known and that stands where it is wished (or is to be destroyed) costs one request; whatever is in
 * doubt is read whole. Absence is a 404 of the named thing: an empty list only means that nothing was found to adopt (creates are safe
 * all the same, for names are unique). Throws FlyError when Fly does not answer: then nothing is concluded.
 */
export async function observe(known: Known, wish: Wish, options: ObserveOptions): Promise<Seen> {
  const named = known.fly_machine_id === null ? null : await readMachine(options, wish.app, known.fly_machine_id);
  const here = named !== null && named.state !== 'destroyed' && (named.region === wish.region || wish.state === 'destroyed');
  const ready = here && named.state === 'started' && wish.state === 'started' && asksToBeProbed(known, named) ? await options.probe(wish.app, options.signal) : null;
  const settling = here && wish.state === 'started' && known.observed_generation < known.generation && (ready === true || known.phase === 'screening');
  // after a write whose outcome is not known, everything is looked at before anything is written
  if (here && !settling && known.doubt === null) return { app: 'ours', secretSet: null, volumes: null, ips: null, machines: [named], ready };

  const call = { signal: options.signal };
  const together = ([machines, volumes]: [Machine[], Volume[]]): Pick<Seen, 'machines' | 'volumes'> => {
    // the list may miss what was made a moment ago, or show what is gone: the named read wins
    const listed = machines.map(seenMachine).filter((machine) => machine.id !== named?.id && !(machine.id === known.fly_machine_id && named === null));
    return { volumes: seenVolumes(volumes), machines: [...(named === null ? [] : [named]), ...listed].filter((machine) => machine.state !== 'destroyed') };
  };
  const lists = () => Promise.all([options.fly.machines.list(wish.app, {}, call), options.fly.volumes.list(wish.app, call)]);
  // one that is about to be called settled shows by itself that its app, address and secret are there: what is left to see is what should not be
  if (settling && named.volumeId !== null && known.doubt === null) return { app: 'ours', secretSet: null, ips: null, ...together(await lists()), ready };

  const app = await readApp(options, wish.app);
  if (app !== 'ours') return { app, secretSet: null, volumes: null, ips: null, machines: [], ready: null };
  const [listed, secrets, ips] = await Promise.all([lists(), options.fly.secrets.list(wish.app, call), options.fly.ipAssignments.list(wish.app, call)]);
  return { app, secretSet: secrets.secrets.some((secret) => secret.name === SECRET_NAME), ips: seenIps(ips), ...together(listed), ready };
}

/** A machine that said itself that it screens, in this very incarnation, need not be asked again. */
function asksToBeProbed(known: Known, machine: SeenMachine): boolean {
  return known.phase !== 'screening' || known.fly_instance_id !== machine.instanceId;
}

async function readMachine(options: ObserveOptions, app: string, id: string): Promise<SeenMachine | null> {
  const machine = await absentIsNull(options.fly.machines.get(app, id, { signal: options.signal }));
  return machine === null ? null : seenMachine(machine);
}

async function readApp(options: ObserveOptions, app: string): Promise<Seen['app']> {
  try {
    return (await absentIsNull(options.fly.apps.get(app, { signal: options.signal }))) === null ? 'absent' : 'ours';
  } catch (error) {
    // Fly's way to say that a name is taken by somebody else
    if (error instanceof FlyError && error.code === 'fly_forbidden') return 'foreign';
    throw error;
  }
}

async function absentIsNull<T extends Machine | object>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof FlyError && error.code === 'fly_not_found') return null;
    throw error;
  }
}
