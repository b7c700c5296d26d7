import { z } from 'zod';
import { createSecretDatabase, type SecretOptions } from './call.ts';
import { databaseError } from './errors.ts';
import { MachineRow, type DesiredPatch, type MachinePatch, type NewEvent, type NewSecret } from './rows.ts';

export interface Deployment { userId: string; environment: string; region: string; cpuKind: string; cpus: number; memoryMb: number; image: string }

/** So many due machines at most, for whom and how long; at most `troubled` of them have failed three times in a row. */
export interface Claim { owner: string; limit: number; leaseSeconds: number; troubled: number }

/** What only the control plane may do: every write goes through a SQL function, called with the secret key. All throw DatabaseError. */
export interface ControlDatabase {
  /** The user's machine in that environment: made if there is none. */
  deploy(wish: Deployment): Promise<{ machine: MachineRow; created: boolean }>;
  /** Takes over an app that stands at Fly; the same again answers the same. Throws `machine_exists`, `app_taken` (409), and as a deploy. */
  adopt(wish: Deployment & { app: string; flyMachineId: string }): Promise<MachineRow>;
  /** Throws `generation_mismatch` (412) or `machine_not_found` (404). */
  setDesired(machineId: string, userId: string, patch: DesiredPatch, ifGeneration?: number): Promise<MachineRow>;
  /** A restart, or a new secret: each call is one more. */
  wishAgain(machineId: string, userId: string, what: 'restart' | 'secret', ifGeneration?: number): Promise<MachineRow>;
  /** Due machines, now leased by the database's clock. */
  claim(claim: Claim): Promise<MachineRow[]>;
  /** These: false (or null) = the lease is no longer ours: stop. */
  renew(machineId: string, fence: number, leaseSeconds: number): Promise<boolean>;
  /** Writes a step, and a secret that is valid from now on beside all that were valid before; the generation of the wish now. */
  record(machineId: string, fence: number, patch: MachinePatch, events: readonly NewEvent[], secret: NewSecret | null): Promise<number | null>;
  /** Writes the end of a look, gives the row back (`kept`: it was still ours), and claims due machines for the place that is free now. */
  release(machineId: string, fence: number, patch: MachinePatch, events: readonly NewEvent[], nextLookSeconds: number, next: Claim): Promise<{ kept: boolean; claimed: MachineRow[] }>;
  /** Those older than this version are valid no more. */
  retireSecrets(machineId: string, fence: number, version: number): Promise<boolean>;
  /** Asks the machine to finish its work within so many seconds, through its beat; 0 takes it back. */
  requestDrain(machineId: string, fence: number, seconds: number, reason: string): Promise<boolean>;
  /** "This replica lives, and gives this to machines"; how many live, and whether a younger one gives something else. */
  replicaBeat(id: string, seconds: number, contract: string): Promise<{ live: number; superseded: boolean }>;
  replicaLeave(id: string): Promise<void>;
  /** Gives turns to take what all machines are given, this contract, to so many as may have one now; how many. `share`: of the running machines, within ten minutes. */
  giveTurns(contract: string, share: number): Promise<number>;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
}

const claimArgs = ({ owner, limit, leaseSeconds, troubled }: Claim) => ({ p_owner: owner, p_limit: limit, p_lease_seconds: leaseSeconds, p_troubled: troubled });

const Released = z.object({ kept: z.boolean(), claimed: z.array(MachineRow) });
const Deployed = z.object({ machine: MachineRow, created: z.boolean() });

export function createControlDatabase(options: SecretOptions): ControlDatabase {
  const { client, call, timeout } = createSecretDatabase(options);
  return {
    deploy: (wish) => call(Deployed, 'deploy_machine', {
      p_user_id: wish.userId, p_environment: wish.environment, p_region: wish.region, p_cpu_kind: wish.cpuKind, p_cpus: wish.cpus,
      p_memory_mb: wish.memoryMb, p_image: wish.image,
    }),
    adopt: (wish) => call(MachineRow, 'adopt_machine', {
      p_user_id: wish.userId, p_environment: wish.environment, p_fly_app: wish.app, p_fly_machine_id: wish.flyMachineId, p_region: wish.region, p_cpu_kind: wish.cpuKind, p_cpus: wish.cpus,
      p_memory_mb: wish.memoryMb, p_image: wish.image,
    }),
    setDesired: (machineId, userId, patch, ifGeneration) => call(MachineRow, 'set_machine_desired', {
      p_machine_id: machineId, p_user_id: userId, p_patch: patch, p_if_generation: ifGeneration ?? null,
    }),
    wishAgain: (machineId, userId, what, ifGeneration) => call(MachineRow, 'wish_machine_again', { p_machine_id: machineId, p_user_id: userId, p_what: what, p_if_generation: ifGeneration ?? null }),
    claim: (claim) => call(z.array(MachineRow), 'claim_machines', claimArgs(claim)),
    renew: (machineId, fence, leaseSeconds) => call(z.boolean(), 'renew_machine_lease', { p_machine_id: machineId, p_fence: fence, p_lease_seconds: leaseSeconds }),
    record: (machineId, fence, patch, events, secret) => call(z.number().nullable(), 'record_step', { p_machine_id: machineId, p_fence: fence, p_patch: patch, p_events: events, p_secret: secret }),
    release: (machineId, fence, patch, events, nextLookSeconds, next) => call(Released, 'release_and_claim', {
      p_machine_id: machineId, p_fence: fence, p_patch: patch, p_events: events, p_next_look_seconds: nextLookSeconds, ...claimArgs(next),
    }),
    retireSecrets: (machineId, fence, version) => call(z.boolean(), 'retire_machine_secrets', { p_machine_id: machineId, p_fence: fence, p_version: version }),
    requestDrain: (machineId, fence, seconds, reason) => call(z.boolean(), 'request_drain', { p_machine_id: machineId, p_fence: fence, p_seconds: seconds, p_reason: reason }),
    replicaBeat: (id, seconds, contract) => call(z.object({ live: z.number(), superseded: z.boolean() }), 'replica_beat', { p_id: id, p_seconds: seconds, p_contract: contract }),
    giveTurns: (contract, share) => call(z.number(), 'give_contract_turns', { p_contract: contract, p_share: share }),
    replicaLeave: async (id) => { await call(z.unknown(), 'replica_leave', { p_id: id }); },
    async ping() {
      const { error, status } = await client.from('machines').select('id').limit(1).abortSignal(timeout());
      if (error) throw databaseError('read machines', status, error);
    },
  };
}
