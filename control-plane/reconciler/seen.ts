import { exitOf, type IpAssignment, type Machine, type Volume } from '@trademind/fly';
import { CPU_KINDS, type MachineSize } from '@trademind/core';
import { META_CONFIG, META_MACHINE, VOLUME_NAME } from './names.ts';
import { hashOf, lastingEnv } from './hash.ts';

/** Every state Fly is known to show, and `unknown` for one it may invent. */
export const FLY_STATES = [
  'created', 'creating', 'starting', 'started', 'stopping', 'stopped', 'suspending', 'suspended', 'restarting', 'updating', 'replacing', 'replaced',
  'migrated', 'launch_failed', 'failed', 'destroying', 'destroyed', 'unknown',
] as const;
export type FlyState = (typeof FLY_STATES)[number];

/** How a machine's last run ended, as Fly told it. */
export interface Exit { code: number | null; oomKilled: boolean; requested: boolean; at: number }

export interface SeenMachine {
  id: string;
  name: string;
  state: FlyState;
  /** Fly's own word when the state is `unknown`. */
  word: string;
  region: string;
  instanceId: string | null;
  image: string | null;
  /** Of the image that it really runs. */
  digest: string | null;
  /** Of the environment as Fly shows it. */
  envHash: string | null;
  size: MachineSize | null;
  configHash: string | null;
  /** The row it was made for, from its metadata. */
  owner: string | null;
  volumeId: string | null;
  hostOk: boolean;
  /** When it last changed (ms); 0 when Fly did not say. */
  since: number;
  exit: Exit | null;
  /** When it was last given a configuration (Fly's clock, ms); 0 when its events do not say. */
  configuredAt: number;
  /** All ends that Fly still tells, oldest first. */
  exits: Exit[];
}

export interface SeenVolume { id: string; region: string; attachedTo: string | null }
export interface SeenIp { ip: string; type: string }

/** What Fly shows of one user's app. A field that is null was not read in this look. */
export interface Seen {
  app: 'absent' | 'ours' | 'foreign';
  secretSet: boolean | null;
  volumes: SeenVolume[] | null;
  ips: SeenIp[] | null;
  machines: SeenMachine[];
  /** What the machine itself answers at `/ready`. */
  ready: boolean | null;
}

export function seenMachine(machine: Machine): SeenMachine {
  const guest = machine.config?.guest;
  const kind = CPU_KINDS.find((known) => known === guest?.cpu_kind);
  const known = FLY_STATES.find((state) => state === machine.state);
  const exits = exitsOf(machine);
  return {
    id: machine.id,
    name: machine.name,
    state: known ?? 'unknown',
    word: machine.state,
    region: machine.region,
    instanceId: machine.instance_id ?? null,
    image: machine.config?.image ?? null,
    digest: machine.image_ref?.digest || null,
    envHash: machine.config ? hashOf(lastingEnv(machine.config.env)) : null,
    size: guest && kind ? { cpuKind: kind, cpus: guest.cpus, memoryMb: guest.memory_mb } : null,
    configHash: machine.config?.metadata?.[META_CONFIG] ?? null,
    owner: machine.config?.metadata?.[META_MACHINE] ?? null,
    volumeId: machine.config?.mounts?.[0]?.volume ?? null,
    // a host in trouble answers with an incomplete configuration: nothing may be concluded from what is missing
    hostOk: (machine.host_status ?? 'ok') === 'ok' && machine.config != null,
    since: Date.parse(machine.updated_at ?? machine.created_at ?? '') || 0,
    configuredAt: Math.max(0, ...(machine.events ?? []).filter(({ type }) => type === 'launch' || type === 'update').map(({ timestamp }) => timestamp)),
    exit: exits.at(-1) ?? null,
    exits,
  };
}

function exitsOf(machine: Machine): Exit[] {
  return (machine.events ?? []).flatMap((event) => {
    const exit = exitOf(event);
    return exit === null ? [] : [{ code: exit.exitCode ?? null, oomKilled: exit.oomKilled, requested: exit.requested, at: exit.at }];
  }).sort((a, b) => a.at - b.at);
}

/** It ended by itself and not well. */
export const isCrash = (exit: Exit): boolean => !exit.requested && (exit.oomKilled || (exit.code ?? 0) !== 0);

/** Volume states in which nothing more can be mounted from it. */
const ENDING = /destroy|delete/;

export function seenVolumes(volumes: readonly Volume[]): SeenVolume[] {
  return volumes
    .filter((volume) => volume.name === VOLUME_NAME && !ENDING.test(volume.state))
    .sort((a, b) => ((a.created_at ?? '') + a.id < (b.created_at ?? '') + b.id ? -1 : 1))
    .map((volume) => ({ id: volume.id, region: volume.region, attachedTo: volume.attached_machine_id || null }));
}

export function seenIps(ips: readonly IpAssignment[]): SeenIp[] {
  // a shared address may be told without its type
  return ips.map(({ ip, type, shared }) => ({ ip, type: type ?? (shared === true ? 'shared_v4' : ip.includes(':') ? 'v6' : 'v4') }));
}
