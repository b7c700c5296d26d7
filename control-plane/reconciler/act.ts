import { createHash } from 'node:crypto';
import { FlyError, type FlyClient, type Machine } from '@trademind/fly';
import { TradeMindError, sizeName } from '@trademind/core';
import type { ControlDatabase } from '../database/control.ts';
import type { MachinePatch, MachineRow } from '../database/rows.ts';
import type { Action } from './actions.ts';
import { impossible } from './impossible.ts';
import { SECRET_NAME, VOLUME_NAME, VOLUME_SIZE_GB, machineUrl } from './names.ts';
import { seenMachine, type SeenMachine } from './seen.ts';
import { configFor, type MachineContract, type Wish } from './wish.ts';

/** The verbs of Fly that acting needs. */
export interface FlyHands {
  apps: Pick<FlyClient['apps'], 'create' | 'get' | 'delete'>;
  machines: Pick<FlyClient['machines'], 'create' | 'get' | 'list' | 'update' | 'start' | 'stop' | 'destroy'>;
  leases: Pick<FlyClient['leases'], 'acquire' | 'release'>;
  volumes: Pick<FlyClient['volumes'], 'create' | 'delete'>;
  secrets: Pick<FlyClient['secrets'], 'set'>;
}

export interface ActContext {
  fly: FlyHands;
  database: Pick<ControlDatabase, 'secretHashes' | 'setSecret'>;
  org: string;
  contract: MachineContract;
  replicaId: string;
  /** 32 random bytes as base64url. */
  newSecret: () => string;
  wish: Wish;
  row: MachineRow;
  signal: AbortSignal;
  /** What earlier actions of the same list learned. */
  learned: { volumeId?: string; secretsVersion?: number };
}

/** What to write back of an action, and the sentence that tells it. */
export interface Done { patch: MachinePatch; kind: string; message: string; data?: Record<string, unknown> }

/** The lease on the row is no longer ours: whoever has it now goes on. */
export class LeaseLost extends Error {}

/** The actions that do something; the others only say how a list ends. */
export type Deed = Exclude<Action, { kind: 'wait' | 'back-off' | 'give-up' | 'none' }>;

/** Long enough for one call; if its release is lost, this is how long others wait. */
const FLY_LEASE_SECONDS = 20;

/** Does one thing at Fly. Whatever already stands is adopted, whatever is already gone is fine. Throws FlyError. */
export async function act(action: Deed, context: ActContext): Promise<Done> {
  const { fly, wish, learned, row } = context;
  const call = { signal: context.signal };
  switch (action.kind) {
    case 'create-app': return createApp(context);
    case 'create-volume': {
      const volume = await fly.volumes.create(wish.app, { name: VOLUME_NAME, region: action.region, sizeGb: VOLUME_SIZE_GB }, call);
      learned.volumeId = volume.id;
      return { patch: { fly_volume_id: volume.id }, kind: 'volume.created', message: `A ${VOLUME_SIZE_GB} GB volume was made in ${action.region}.`, data: { volume: volume.id } };
    }
    case 'set-secret': return setSecret(context);
    case 'create-machine': return createMachine(action.volumeId ?? learned.volumeId ?? null, context);
    case 'start':
      await leased(context, action.machineId, (nonce) => fly.machines.start(wish.app, action.machineId, { ...call, leaseNonce: nonce }));
      return { patch: {}, kind: 'machine.started', message: 'The machine was told to start.' };
    case 'stop':
      await leased(context, action.machineId, (nonce) => fly.machines.stop(wish.app, action.machineId, { ...call, leaseNonce: nonce }));
      return { patch: {}, kind: 'machine.stopped', message: `The machine was told to stop. ${action.why}.` };
    case 'update': {
      const config = configFor(row, context.contract, action.volumeId);
      const updated = await leased(context, action.machineId, (nonce) => fly.machines.update(wish.app, action.machineId, {
        config, skipLaunch: false, ...(learned.secretsVersion === undefined ? {} : { minSecretsVersion: learned.secretsVersion }),
      }, { ...call, leaseNonce: nonce }));
      return { patch: patchOf(seenMachine(updated)), kind: 'machine.updated', message: `${action.why}: the machine was updated to ${sizeName(wish.size)} and restarts.`, data: { config: wish.configHash } };
    }
    case 'destroy-machine':
      await leased(context, action.machineId, (nonce) => fly.machines.destroy(wish.app, action.machineId, { ...call, leaseNonce: nonce, force: true }), 'gone is fine');
      return { patch: action.machineId === row.fly_machine_id ? { fly_machine_id: null, fly_instance_id: null, fly_state: null } : {}, kind: 'machine.destroyed', message: `The machine ${action.machineId} was destroyed at Fly.` };
    case 'delete-volume':
      await goneIsFine(fly.volumes.delete(wish.app, action.volumeId, call));
      return { patch: action.volumeId === row.fly_volume_id ? { fly_volume_id: null } : {}, kind: 'volume.deleted', message: `The volume ${action.volumeId} was deleted.` };
    case 'delete-app':
      await goneIsFine(fly.apps.delete(wish.app, { ...call, force: true }));
      return { patch: {}, kind: 'app.deleted', message: `The app ${wish.app} was deleted.` };
    default: return impossible(action);
  }
}

/** What the row says of a machine, read back from Fly. */
export function patchOf(machine: SeenMachine): MachinePatch {
  return {
    fly_machine_id: machine.id,
    fly_state: machine.word,
    fly_instance_id: machine.instanceId,
    region: machine.region,
    ...(machine.volumeId === null ? {} : { fly_volume_id: machine.volumeId }),
    ...(machine.image === null ? {} : { image: machine.image }),
    ...(machine.size === null ? {} : { cpu_kind: machine.size.cpuKind, cpus: machine.size.cpus, memory_mb: machine.size.memoryMb }),
  };
}

async function createApp({ fly, org, contract, wish, signal }: ActContext): Promise<Done> {
  const patch = { fly_app: wish.app, url: machineUrl(contract.urlTemplate, wish.app) };
  try {
    // a network of its own: no machine of another user can reach this one
    await fly.apps.create({ name: wish.app, orgSlug: org, network: wish.app }, { signal });
  } catch (error) {
    if (!(error instanceof FlyError && error.code === 'fly_already_exists')) throw error;
    await fly.apps.get(wish.app, { signal }).catch((cause: unknown) => {
      if (!(cause instanceof FlyError && cause.code === 'fly_forbidden')) throw cause;
      throw new TradeMindError({ code: 'app_name_taken', message: `The Fly app ${wish.app} belongs to another organisation.`, nextStep: 'Ask the operator to change APP_NAME_KEY for new machines.', cause });
    });
    return { patch, kind: 'app.adopted', message: `The app ${wish.app} was there already: an earlier request had made it.` };
  }
  return { patch, kind: 'app.created', message: `The app ${wish.app} was made, on a network of its own.`, data: { app: wish.app } };
}

/** The hash is stored before Fly learns the secret, so that no machine can ever hold one that is refused. */
async function setSecret(context: ActContext): Promise<Done> {
  const { row, database, fly, wish, signal } = context;
  const secret = context.newSecret();
  const newest = (await database.secretHashes(row.id)).at(-1);
  const hash = createHash('sha256').update(secret).digest('hex');
  if (!(await database.setSecret(row.id, row.fence, newest === undefined ? [hash] : [newest, hash]))) throw new LeaseLost();
  const answer = await fly.secrets.set(wish.app, { [SECRET_NAME]: secret }, { signal });
  if (answer.version !== undefined) context.learned.secretsVersion = answer.version;
  return { patch: {}, kind: 'secret.set', message: 'The machine\'s own secret was set.' };
}

async function createMachine(volumeId: string | null, context: ActContext): Promise<Done> {
  const { fly, wish, contract, row, signal, learned } = context;
  if (volumeId === null) throw new TradeMindError({ code: 'volume_missing', message: 'No volume stands ready for the machine.' });
  const config = configFor(row, contract, volumeId);
  const places = { fly_app: wish.app, url: machineUrl(contract.urlTemplate, wish.app) };
  let machine: Machine;
  try {
    machine = await fly.machines.create(wish.app, {
      name: wish.machineName, region: wish.region, config, ...(learned.secretsVersion === undefined ? {} : { minSecretsVersion: learned.secretsVersion }),
    }, { signal });
  } catch (error) {
    if (!(error instanceof FlyError && error.code === 'fly_already_exists')) throw error;
    const there = error.machineId === undefined
      ? (await fly.machines.list(wish.app, {}, { signal })).find((one) => one.name === wish.machineName)
      : await fly.machines.get(wish.app, error.machineId, { signal });
    if (there === undefined) throw error;
    return { patch: { ...places, ...patchOf(seenMachine(there)) }, kind: 'machine.adopted', message: `The machine ${there.id} was there already: an earlier request had made it.`, data: { machine: there.id } };
  }
  return {
    patch: { ...places, fly_volume_id: volumeId, ...patchOf(seenMachine(machine)) },
    kind: 'machine.created',
    message: `The machine ${machine.id} was made in ${machine.region}: ${sizeName(wish.size)}.`,
    data: { machine: machine.id, region: machine.region, image: wish.image },
  };
}

/** Changes a machine under Fly's own lease, so that nobody else changes it meanwhile. */
async function leased<T>(context: ActContext, machineId: string, change: (nonce: string) => Promise<T>): Promise<T>;
async function leased<T>(context: ActContext, machineId: string, change: (nonce: string) => Promise<T>, absent: 'gone is fine'): Promise<T | undefined>;
async function leased<T>(context: ActContext, machineId: string, change: (nonce: string) => Promise<T>, absent?: 'gone is fine'): Promise<T | undefined> {
  const { fly, wish, signal } = context;
  try {
    const lease = await fly.leases.acquire(wish.app, machineId, { ttlSeconds: FLY_LEASE_SECONDS, description: `trademind ${context.replicaId}` }, { signal });
    try {
      return await change(lease.nonce);
    } finally {
      // a release that is lost only means that others wait for the lease to run out
      await fly.leases.release(wish.app, machineId, lease.nonce).catch(() => undefined);
    }
  } catch (error) {
    if (absent !== undefined && isGone(error)) return undefined;
    throw error;
  }
}

const isGone = (error: unknown) => error instanceof FlyError && error.code === 'fly_not_found';

async function goneIsFine(deleting: Promise<void>): Promise<void> {
  try {
    await deleting;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
