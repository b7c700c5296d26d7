import { z } from 'zod';
import { ExecResult, Machine, MachineEvent, MachineVersion, Metadata, WaitResult, type MachineConfig } from './shapes.ts';
import { path, type CallOptions, type Send } from './transport.ts';

/** What a change of a machine may carry: the nonce of the lease held on it. */
export interface ChangeOptions extends CallOptions { leaseNonce?: string | undefined }

export interface CreateMachine {
  name: string;
  region: string;
  config: MachineConfig;
  /** Create it without starting it. */
  skipLaunch?: boolean | undefined;
  /** Seconds; the answer then carries a `nonce`. */
  leaseTtlSeconds?: number | undefined;
  minSecretsVersion?: number | undefined;
}

export interface UpdateMachine {
  /** The whole configuration: what is left out is gone. */
  config: MachineConfig;
  /** Always say it: without `true` Fly launches a stopped machine after an update. */
  skipLaunch: boolean;
  /** Refused (`fly_precondition`) when the machine has another version by now. */
  currentVersion?: string | undefined;
  minSecretsVersion?: number | undefined;
}

export type WaitState = 'started' | 'stopped' | 'suspended' | 'destroyed' | 'failed' | 'settled';

/** Machines of one app. */
export interface FlyMachines {
  list(app: string, filter?: { state?: readonly string[]; region?: string; metadata?: Record<string, string>; includeDeleted?: boolean }, options?: CallOptions): Promise<Machine[]>;
  get(app: string, machineId: string, options?: CallOptions): Promise<Machine>;
  /** There is no idempotency key: a duplicate name throws `fly_already_exists` with the id of the first. */
  create(app: string, wish: CreateMachine, options?: CallOptions): Promise<Machine>;
  update(app: string, machineId: string, wish: UpdateMachine, options?: ChangeOptions): Promise<Machine>;
  start(app: string, machineId: string, options?: ChangeOptions): Promise<void>;
  stop(app: string, machineId: string, options?: ChangeOptions & { stopSignal?: string | undefined; stopTimeout?: string | undefined }): Promise<void>;
  /** Its memory is kept (at most 2 GB, no swap), and a start goes on where it was. */
  suspend(app: string, machineId: string, options?: ChangeOptions): Promise<void>;
  restart(app: string, machineId: string, options?: ChangeOptions & { forceStop?: boolean | undefined; stopTimeout?: string | undefined; stopSignal?: string | undefined }): Promise<void>;
  /** By name (`SIGTERM`), or 9. */
  signal(app: string, machineId: string, signal: string | number, options?: ChangeOptions): Promise<void>;
  /** Succeeds also when the command failed: read `exit_code`. */
  exec(app: string, machineId: string, wish: { command: readonly string[]; timeoutSeconds?: number | undefined }, options?: ChangeOptions): Promise<ExecResult>;
  /** `force` kills a running machine. A machine that is gone already is `fly_not_found`. */
  destroy(app: string, machineId: string, options?: ChangeOptions & { force?: boolean | undefined }): Promise<void>;
  /** Waits at Fly for a state, at most 60 s (`fly_wait_expired` afterwards). For `destroyed` an absent machine is success. */
  wait(app: string, machineId: string, wish: { state: WaitState; timeoutSeconds?: number | undefined; version?: string | undefined }, options?: CallOptions): Promise<WaitResult>;
  /** Newest first, at most 50. */
  events(app: string, machineId: string, options?: CallOptions & { limit?: number | undefined }): Promise<MachineEvent[]>;
  versions(app: string, machineId: string, options?: CallOptions): Promise<MachineVersion[]>;
  cordon(app: string, machineId: string, options?: ChangeOptions): Promise<void>;
  uncordon(app: string, machineId: string, options?: ChangeOptions): Promise<void>;
  metadata: {
    get(app: string, machineId: string, options?: CallOptions): Promise<Record<string, string>>;
    /** Does not change the machine's version. A machine changed under leases wants the nonce here too. */
    set(app: string, machineId: string, key: string, value: string, options?: ChangeOptions): Promise<void>;
    delete(app: string, machineId: string, key: string, options?: ChangeOptions): Promise<void>;
    /** The whole map; refused (`fly_precondition`) when the machine has another version by now. */
    replace(app: string, machineId: string, wish: { metadata: Record<string, string>; machineVersion?: string | undefined }, options?: ChangeOptions): Promise<void>;
  };
}

const nothing = () => undefined;
const at = (app: string, machineId: string, ...more: string[]) => path('apps', app, 'machines', machineId, ...more);

export function createMachines(send: Send): FlyMachines {
  const order = async (verb: string, app: string, machineId: string, options: ChangeOptions | undefined, query?: Record<string, string | boolean | undefined>, body?: unknown) => {
    await send({
      kind: 'write', doing: `${verb} machine ${machineId}`, method: 'POST', path: at(app, machineId, verb), query, body, leaseNonce: options?.leaseNonce, parse: nothing, options,
    });
  };

  return {
    async list(app, filter = {}, options) {
      const machines: Machine[] = [];
      let cursor: string | undefined;
      do {
        const page = await send({
          kind: 'read', doing: `list machines of ${app}`, method: 'GET', path: path('apps', app, 'machines'),
          query: {
            state: filter.state?.join(','), region: filter.region, include_deleted: filter.includeDeleted ? true : undefined, cursor,
            ...Object.fromEntries(Object.entries(filter.metadata ?? {}).map(([key, value]) => [`metadata.${key}`, value])),
          },
          parse: z.array(Machine).parse, options,
        });
        machines.push(...page.value);
        // whether this list pages is disputed: follow a cursor when there is one, and never twice the same
        cursor = page.nextCursor === cursor ? undefined : page.nextCursor;
      } while (cursor !== undefined);
      return machines;
    },

    get: async (app, machineId, options) =>
      (await send({ kind: 'read', doing: `read machine ${machineId}`, method: 'GET', path: at(app, machineId), parse: Machine.parse, options })).value,

    create: async (app, wish, options) => (await send({
      kind: 'write', doing: `create machine ${wish.name} in ${wish.region}`, method: 'POST', path: path('apps', app, 'machines'),
      body: {
        name: wish.name, region: wish.region, config: wish.config, skip_launch: wish.skipLaunch ?? false,
        lease_ttl: wish.leaseTtlSeconds, min_secrets_version: wish.minSecretsVersion,
      },
      parse: Machine.parse, options,
    })).value,

    update: async (app, machineId, wish, options) => (await send({
      kind: 'write', doing: `update machine ${machineId}`, method: 'POST', path: at(app, machineId), leaseNonce: options?.leaseNonce,
      body: { config: wish.config, skip_launch: wish.skipLaunch, current_version: wish.currentVersion, min_secrets_version: wish.minSecretsVersion },
      parse: Machine.parse, options,
    })).value,

    start: (app, machineId, options) => order('start', app, machineId, options),
    stop: (app, machineId, options) => order('stop', app, machineId, options, undefined, { signal: options?.stopSignal, timeout: options?.stopTimeout }),
    suspend: (app, machineId, options) => order('suspend', app, machineId, options),
    restart: (app, machineId, options) => order('restart', app, machineId, options, { force_stop: options?.forceStop, timeout: options?.stopTimeout, signal: options?.stopSignal }),
    signal: (app, machineId, signal, options) => order('signal', app, machineId, options, undefined, { signal }),
    exec: async (app, machineId, wish, options) => (await send({
      kind: 'write', doing: `run a command in machine ${machineId}`, method: 'POST', path: at(app, machineId, 'exec'), leaseNonce: options?.leaseNonce,
      body: { command: wish.command, timeout: wish.timeoutSeconds }, parse: ExecResult.parse, options,
    })).value,
    cordon: (app, machineId, options) => order('cordon', app, machineId, options),
    uncordon: (app, machineId, options) => order('uncordon', app, machineId, options),

    async destroy(app, machineId, options) {
      await send({
        kind: 'write', doing: `destroy machine ${machineId}`, method: 'DELETE', path: at(app, machineId), leaseNonce: options?.leaseNonce,
        // sources disagree on the word (`force` in the docs, `kill` in Fly's own client): the first
        query: { force: options?.force ? true : undefined }, parse: nothing, options,
      });
    },

    async wait(app, machineId, wish, options) {
      const timeoutSeconds = wish.timeoutSeconds ?? 60;
      try {
        return (await send({
          kind: 'wait', doing: `wait for machine ${machineId} to be ${wish.state}`, method: 'GET', path: at(app, machineId, 'wait'),
          query: { state: wish.state, timeout: timeoutSeconds, version: wish.version }, parse: WaitResult.parse,
          options: { timeoutMs: timeoutSeconds * 1000 + 10_000, ...options },
        })).value;
      } catch (error) {
        if (wish.state === 'destroyed' && (error as { code?: string }).code === 'fly_not_found') return { ok: true, state: 'destroyed' };
        throw error;
      }
    },

    events: async (app, machineId, options) => (await send({
      kind: 'read', doing: `read events of machine ${machineId}`, method: 'GET', path: at(app, machineId, 'events'),
      query: { limit: options?.limit }, parse: z.array(MachineEvent).parse, options,
    })).value,

    versions: async (app, machineId, options) => (await send({
      kind: 'read', doing: `read versions of machine ${machineId}`, method: 'GET', path: at(app, machineId, 'versions'), parse: z.array(MachineVersion).parse, options,
    })).value,

    metadata: {
      get: async (app, machineId, options) => (await send({
        kind: 'read', doing: `read metadata of machine ${machineId}`, method: 'GET', path: at(app, machineId, 'metadata'), parse: Metadata.parse, options,
      })).value,
      set: async (app, machineId, key, value, options) => {
        await send({
          kind: 'write', doing: `set metadata ${key} of machine ${machineId}`, method: 'POST', path: at(app, machineId, 'metadata', key),
          body: { value }, leaseNonce: options?.leaseNonce, parse: nothing, options,
        });
      },
      replace: async (app, machineId, wish, options) => {
        await send({
          kind: 'write', doing: `replace the metadata of machine ${machineId}`, method: 'PUT', path: at(app, machineId, 'metadata'),
          body: { metadata: wish.metadata, machine_version: wish.machineVersion }, leaseNonce: options?.leaseNonce, parse: nothing, options,
        });
      },
      delete: async (app, machineId, key, options) => {
        await send({
          kind: 'write', doing: `delete metadata ${key} of machine ${machineId}`, method: 'DELETE', path: at(app, machineId, 'metadata', key),
          leaseNonce: options?.leaseNonce, parse: nothing, options,
        });
      },
    },
  };
}
