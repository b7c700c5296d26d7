import { machineConfig, type MachineConfig } from '@trademind/fly';
import { US_REGIONS, type DesiredState, type MachineSize } from '@trademind/core';
import type { Failure, MachineRow, Place } from '../database/rows.ts';
import { hashOf, lastingEnv } from './hash.ts';
import { META_CONFIG, META_MACHINE, META_RESTART, META_SECRET, appName, machineName } from './names.ts';

/** What every machine of this environment is told at birth. */
export interface MachineContract {
  appNameKey: string;
  urlTemplate: string;
  supabaseUrl: string;
  supabasePublishableKey: string;
  controlPlaneUrl: string;
  ticketJwks: string;
  allowedOrigins: readonly string[];
  env: Readonly<Record<string, string>>;
  /** True where no live data is wanted: Binance answers HTTP 451 to addresses in the United States. */
  allowUsRegions: boolean;
}

/** What is wished for one machine, as the plan reads it. */
export interface Wish {
  state: DesiredState;
  app: string;
  machineName: string;
  region: string;
  size: MachineSize;
  image: string;
  /** Hash of all that a machine is configured with, its volume apart (a host migration changes that id without a wish). */
  configHash: string;
  envHash: string;
  /** Which secret it must have been started with. */
  secret: number;
  /** The version that is wished did not work: this is the one before (or none: then the machine rests). */
  failure: Failure | null;
  /** It was ready with this very version before. */
  proven: boolean;
  /** Hash of what all machines are given. */
  contract: string;
  /** As it was ready with this very wish, when all were given something else; null: it was not, or nothing else is given. */
  before: { configHash: string; envHash: string | null } | null;
  /** The region lies where the exchange refuses to answer. */
  refused: boolean;
}

export type Wished = Pick<MachineRow,
  'id' | 'user_id' | 'environment' | 'generation' | 'desired_state' | 'desired_region' | 'desired_cpu_kind' | 'desired_cpus' | 'desired_memory_mb' | 'desired_image' |
  'desired_env' | 'desired_restart' | 'desired_secret' | 'observed_generation' | 'fly_app' | 'placed' | 'placement' | 'good' | 'failed_generation' | 'failure'>;

/** What the control plane itself sets for each machine: nobody sets it beside. `MACHINE_SECRET` comes as Fly's secret. */
export const RESERVED_ENV: readonly string[] = [
  'USER_ID', 'MACHINE_ID', 'MACHINE_REGION', 'SUPABASE_URL', 'SUPABASE_PUBLISHABLE_KEY', 'CONTROL_PLANE_URL', 'TICKET_JWKS', 'ALLOWED_ORIGINS', 'DATA_DIR', 'MACHINE_SECRET',
];

/** What one machine is made of. */
interface Version extends Place { image: string; env: Readonly<Record<string, string>> }

/** The version to run: the one wished, where it has room; once that has failed, the last that worked. */
function versionOf(row: Wished): Version {
  const failed = row.failed_generation === row.generation;
  if (failed && row.good !== null) return row.good;
  const wished: Place = row.placed ?? { region: row.desired_region, cpuKind: row.desired_cpu_kind, cpus: row.desired_cpus, memoryMb: row.desired_memory_mb };
  return { ...wished, image: row.desired_image, env: row.desired_env };
}

export function wishOf(row: Wished, contract: MachineContract): Wish {
  // an app that was taken over keeps its name
  const app = row.fly_app ?? appName(contract.appNameKey, row.user_id, row.environment);
  const version = versionOf(row);
  const failure = row.failed_generation === row.generation ? row.failure : null;
  const config = plainConfig(row, version, contract, '');
  const configHash = configHashOf(config);
  const shared = contractHash(contract);
  return {
    // without a version that works it rests: a machine that only crashes costs money for nothing
    state: failure !== null && row.good === null && row.desired_state === 'started' ? 'stopped' : row.desired_state,
    app,
    machineName: machineName(app, version.region, row.placement),
    region: version.region,
    size: { cpuKind: version.cpuKind, cpus: version.cpus, memoryMb: version.memoryMb },
    image: version.image,
    configHash,
    envHash: hashOf(lastingEnv(config.env)),
    secret: row.desired_secret,
    failure,
    proven: row.good !== null && row.good.configHash === configHash,
    contract: shared,
    before: row.observed_generation === row.generation && row.good !== null && row.good.contract !== shared ? { configHash: row.good.configHash, envHash: row.good.envHash ?? null } : null,
    refused: !contract.allowUsRegions && US_REGIONS.includes(version.region),
  };
}

/** The whole configuration sent to Fly for this row and volume, with its hash in the metadata. */
export function configFor(row: Wished, contract: MachineContract, volumeId: string): MachineConfig {
  const version = versionOf(row);
  const { configHash: hash } = wishOf(row, contract);
  const config = plainConfig(row, version, contract, volumeId);
  return { ...config, metadata: { ...config.metadata, [META_CONFIG]: hash } };
}

/** The version that the row runs, to go back to. */
export function goodVersion(row: Wished, contract: MachineContract, now: number): NonNullable<MachineRow['good']> {
  const { region, cpuKind, cpus, memoryMb, image, env } = versionOf(row);
  const { configHash, envHash, contract: shared } = wishOf(row, contract);
  return { region, cpuKind, cpus, memoryMb, image, env: { ...env }, configHash, envHash, contract: shared, at: new Date(now).toISOString() };
}

/** Of a machine's configuration what is nobody's own: the contract, and what this version of the control plane gives to all. As far as a machine would have to start anew for it. */
export function contractHash(contract: MachineContract): string {
  return configHashOf(plainConfig({ id: '', user_id: '', desired_restart: 0, desired_secret: 1 }, NOBODYS, contract, ''));
}
const NOBODYS: Version = { region: '', cpuKind: 'shared', cpus: 1, memoryMb: 256, image: `@sha256:${'0'.repeat(64)}`, env: {} };

const configHashOf = (config: MachineConfig): string => hashOf({ ...config, env: lastingEnv(config.env) });

function plainConfig(row: Pick<Wished, 'id' | 'user_id' | 'desired_restart' | 'desired_secret'>, version: Version, contract: MachineContract, volumeId: string): MachineConfig {
  const own: Readonly<Record<string, string>> = { ...contract.env, ...version.env };
  return machineConfig({
    image: version.image,
    guest: { cpuKind: version.cpuKind, cpus: version.cpus, memoryMb: version.memoryMb },
    volumeId,
    metadata: {
      [META_MACHINE]: row.id,
      ...(row.desired_restart > 0 ? { [META_RESTART]: String(row.desired_restart) } : {}),
      ...(row.desired_secret > 1 ? { [META_SECRET]: String(row.desired_secret) } : {}),
    },
    env: {
      ...own,
      USER_ID: row.user_id,
      MACHINE_ID: row.id,
      MACHINE_REGION: version.region,
      SUPABASE_URL: contract.supabaseUrl,
      SUPABASE_PUBLISHABLE_KEY: contract.supabasePublishableKey,
      CONTROL_PLANE_URL: contract.controlPlaneUrl,
      TICKET_JWKS: contract.ticketJwks,
      ALLOWED_ORIGINS: contract.allowedOrigins.join(','),
      DATA_DIR: '/data',
      PAPER_TRADING: own['PAPER_TRADING'] ?? 'true',
    },
  });
}
