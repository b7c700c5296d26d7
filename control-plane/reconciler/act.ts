import { FlyError, type FlyClient, type Machine } from '@trademind/fly';
import { MachineSize, TradeMindError, priceForecast, sizeName, type PriceForecast, type PriceTable } from '@trademind/core';
import type { ControlDatabase } from '../database/control.ts';
import type { MachinePatch, MachineRow } from '../database/rows.ts';
import type { Action } from './actions.ts';
import { impossible } from './impossible.ts';
import { DRAIN_LEASE_S } from './drain.ts';
import { goneIsFine } from './gone.ts';
import { leased } from './lease.ts';
import { SECRET_NAME, VOLUME_NAME, VOLUME_SIZE_GB, machineUrl } from './names.ts';
import { seenMachine, type SeenMachine } from './seen.ts';
import { configFor, type MachineContract, type Wish } from './wish.ts';

/** The verbs of Fly that acting needs. */
export interface FlyHands {
  apps: Pick<FlyClient['apps'], 'create' | 'get' | 'delete'>;
  machines: Pick<FlyClient['machines'], 'create' | 'get' | 'list' | 'update' | 'start' | 'stop' | 'destroy'>;
  leases: FlyClient['leases'];
  volumes: Pick<FlyClient['volumes'], 'create' | 'delete'>;
  secrets: Pick<FlyClient['secrets'], 'set'>;
  ipAssignments: Pick<FlyClient['ipAssignments'], 'create' | 'delete'>;
}

export interface ActContext {
  fly: FlyHands;
  database: Pick<ControlDatabase, 'retireSecrets' | 'requestDrain'>;
  org: string;
  contract: MachineContract;
  replicaId: string;
  /** The last lines that a machine wrote, as its user may read them; none where there is no log to be read. */
  lastLogs: (app: string, machineId: string, signal: AbortSignal) => Promise<string[]>;
  /** Of today; null: not known, and none is told. */
  prices: () => PriceTable | null;
  now: () => number;
  wish: Wish;
  row: MachineRow;
  signal: AbortSignal;
  /** What earlier actions of the same list learned, and the secret to be set: its hash is stored already. */
  learned: { volumeId?: string; secretsVersion?: number; secret?: string };
}

/** What to write back of an action, and the sentence that tells it. */
export interface Done { patch: MachinePatch; kind: string; message: string; data?: Record<string, unknown> }

/** The lease on the row is no longer ours: whoever has it now goes on. */
export class LeaseLost extends Error {}

/** The actions that do something; the others only say how a list ends. */
export type Deed = Exclude<Action, { kind: 'wait' | 'back-off' | 'give-up' | 'none' }>;

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
    case 'create-ip': {
      const { ip } = await fly.ipAssignments.create(wish.app, { type: action.type }, call);
      return { patch: {}, kind: 'ip.created', message: `The app has a ${action.type === 'v6' ? 'v6' : 'shared v4'} address.`, data: { ip, type: action.type } };
    }
    case 'set-secret': return setSecret(action.version, context);
    case 'retire-secrets':
      if (!(await context.database.retireSecrets(row.id, row.fence, action.version))) throw new LeaseLost();
      return { patch: { secret_oldest: action.version }, kind: 'secret.retired', message: 'The machine runs with its new secret; the old one is valid no more.' };
    case 'drain':
      if (!(await context.database.requestDrain(row.id, row.fence, DRAIN_LEASE_S, `${action.why}.`))) throw new LeaseLost();
      return { patch: {}, kind: 'machine.draining', message: `${action.why}: the machine is asked to finish its work first.` };
    case 'end-drain':
      if (!(await context.database.requestDrain(row.id, row.fence, 0, ''))) throw new LeaseLost();
      return { patch: {}, kind: 'machine.resumed', message: 'The machine is told to go on with its work.' };
    case 'give-up-version': return giveUpVersion(action, context);
    case 'create-machine': return createMachine(action.volumeId ?? learned.volumeId ?? null, context);
    case 'start':
      await leased(context, action.machineId, (leaseNonce, lost) => fly.machines.start(wish.app, action.machineId, { signal: lost, leaseNonce }));
      return { patch: {}, kind: 'machine.started', message: 'The machine was told to start.' };
    case 'stop':
      await leased(context, action.machineId, (leaseNonce, lost) => fly.machines.stop(wish.app, action.machineId, { signal: lost, leaseNonce, ...(action.force ? { stopSignal: 'SIGKILL', stopTimeout: '0s' } : {}) }));
      return { patch: {}, kind: 'machine.stopped', message: `The machine was told to stop${action.force ? ' at once' : ''}. ${action.why}.` };
    case 'update': return update(action, context);
    case 'replace-machine':
      await leased(context, action.machineId, (leaseNonce, lost) => fly.machines.destroy(wish.app, action.machineId, { signal: lost, leaseNonce, force: true }), 'gone is fine');
      return {
        patch: {
          fly_machine_id: null, fly_instance_id: null, fly_state: null, fly_volume_id: null, unreachable_since: null, placement: row.placement + 1,
          doubt: { kind: 'replaced', at: new Date(context.now()).toISOString() },
        },
        kind: 'machine.replaced', message: `The machine ${action.machineId} is given up. ${action.why}.`, data: { machine: action.machineId },
      };
    case 'destroy-machine':
      await leased(context, action.machineId, (leaseNonce, lost) => fly.machines.destroy(wish.app, action.machineId, { signal: lost, leaseNonce, force: true }), 'gone is fine');
      return { patch: action.machineId === row.fly_machine_id ? { fly_machine_id: null, fly_instance_id: null, fly_state: null } : {}, kind: 'machine.destroyed', message: `The machine ${action.machineId} was destroyed at Fly.` };
    case 'delete-volume':
      await goneIsFine(fly.volumes.delete(wish.app, action.volumeId, call));
      return { patch: action.volumeId === row.fly_volume_id ? { fly_volume_id: null } : {}, kind: 'volume.deleted', message: `The volume ${action.volumeId} was deleted.` };
    case 'release-ip':
      await goneIsFine(fly.ipAssignments.delete(wish.app, action.ip, call));
      return { patch: {}, kind: 'ip.released', message: `The address ${action.ip} was given back.` };
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

async function setSecret(version: number, { fly, wish, signal, learned }: ActContext): Promise<Done> {
  if (learned.secret === undefined) throw new TradeMindError({ code: 'secret_missing', message: 'No secret was made for the machine.', nextStep: 'Nothing: one is made with the next look.' });
  const answer = await fly.secrets.set(wish.app, { [SECRET_NAME]: learned.secret }, { signal });
  if (answer.version !== undefined) learned.secretsVersion = answer.version;
  return { patch: { secret_version: version }, kind: 'secret.set', message: version > 1 ? 'The machine\'s new secret was set; the old one stays valid until it has restarted.' : 'The machine\'s own secret was set.' };
}

async function update({ machineId, volumeId, why }: Extract<Deed, { kind: 'update' }>, context: ActContext): Promise<Done> {
  const { fly, wish, learned, row } = context;
  const config = configFor(row, context.contract, volumeId);
  const price = priceOf(row, wish, context.prices());
  const updated = await leased(context, machineId, (leaseNonce, lost) => fly.machines.update(wish.app, machineId, {
    config, skipLaunch: false, ...(learned.secretsVersion === undefined ? {} : { minSecretsVersion: learned.secretsVersion }),
  }, { signal: lost, leaseNonce }));
  return {
    patch: { ...patchOf(seenMachine(updated)), ...given(updated), drain_until: null, drain_reason: null },
    kind: 'machine.updated', message: `${why}: the machine was updated to ${sizeName(wish.size)} and restarts.${priceSentence(price)}`, data: { config: wish.configHash, ...(price === null ? {} : { price }) },
  };
}

/** When Fly took the configuration, by its own clock: ends before it say nothing of this one. */
const given = (machine: Machine): MachinePatch => ({ config_sent_at: machine.updated_at ?? machine.created_at ?? null });

/** What another size costs before and after; null: the size stays, or prices are not known. */
function priceOf(row: MachineRow, wish: Wish, prices: PriceTable | null): PriceForecast | null {
  const { cpu_kind: cpuKind, cpus, memory_mb: memoryMb } = row;
  const before = MachineSize.safeParse({ cpuKind, cpus, memoryMb }).data;
  return prices === null || before === undefined || sizeName(before) === sizeName(wish.size) ? null : priceForecast(before, wish.size, wish.region, prices);
}

function priceSentence(price: PriceForecast | null): string {
  return price === null || price.fromUsd === null || price.toUsd === null ? '' : ` It cost $${price.fromUsd.toFixed(2)} in 30 days and costs $${price.toUsd.toFixed(2)} now.`;
}

/** Nothing is done at Fly: the next look plans for the version before. What is known of the failure is kept for the user. */
async function giveUpVersion({ trouble, exit }: Extract<Deed, { kind: 'give-up-version' }>, context: ActContext): Promise<Done> {
  const { row, wish } = context;
  const logs = row.fly_machine_id === null ? [] : await context.lastLogs(wish.app, row.fly_machine_id, context.signal);
  const after = row.good === null ? 'There is no version before it: the machine is stopped.' : `It goes back to the version that worked: ${sizeName(row.good)} in ${row.good.region}.`;
  return {
    patch: {
      failed_generation: row.generation,
      failure: { ...trouble, message: `${trouble.message} ${after}`, nextStep: trouble.code === 'machine_crashed' ? 'Its last lines are in its events; wish another version, or the same again.' : trouble.nextStep ?? 'Change the wish.', at: new Date(context.now()).toISOString(), exitCode: exit?.code ?? null, oomKilled: exit?.oomKilled ?? false, logs },
    },
    kind: row.good === null ? 'version.failed' : 'version.rolled-back', message: `The version that is wished does not work. ${trouble.message} ${after}`,
    data: { code: trouble.code, exit_code: exit?.code ?? null, oom_killed: exit?.oomKilled ?? false, ...(logs.length > 0 ? { logs } : {}) },
  };
}

async function createMachine(volumeId: string | null, context: ActContext): Promise<Done> {
  const { fly, wish, contract, row, signal, learned } = context;
  if (volumeId === null) throw new TradeMindError({ code: 'volume_missing', message: 'No volume stands ready for the machine.', nextStep: 'Nothing: it is looked for again.' });
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
    return { patch: { ...places, ...patchOf(seenMachine(there)), config_sent_at: there.created_at ?? null }, kind: 'machine.adopted', message: `The machine ${there.id} was there already: an earlier request had made it.`, data: { machine: there.id } };
  }
  return {
    patch: { ...places, fly_volume_id: volumeId, ...patchOf(seenMachine(machine)), ...given(machine), unreachable_since: null, drain_until: null, drain_reason: null },
    kind: 'machine.created',
    message: `The machine ${machine.id} was made in ${machine.region}: ${sizeName(wish.size)}.`,
    data: { machine: machine.id, region: machine.region, image: wish.image },
  };
}
