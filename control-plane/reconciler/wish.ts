import { createHash } from 'node:crypto';
import { machineConfig, type MachineConfig } from '@trademind/fly';
import type { DesiredState, MachineSize } from '@trademind/core';
import type { MachineRow } from '../database/rows.ts';
import { META_CONFIG, META_MACHINE, appName, machineName } from './names.ts';

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
}

type Wished = Pick<MachineRow, 'id' | 'user_id' | 'environment' | 'desired_state' | 'desired_region' | 'desired_cpu_kind' | 'desired_cpus' | 'desired_memory_mb' | 'desired_image'>;

export function wishOf(row: Wished, contract: MachineContract): Wish {
  const app = appName(contract.appNameKey, row.user_id, row.environment);
  return {
    state: row.desired_state,
    app,
    machineName: machineName(app, row.desired_region),
    region: row.desired_region,
    size: { cpuKind: row.desired_cpu_kind, cpus: row.desired_cpus, memoryMb: row.desired_memory_mb },
    image: row.desired_image,
    configHash: hashOf(plainConfig(row, contract, '')),
  };
}

/** The whole configuration sent to Fly for this row and volume, with its hash in the metadata. */
export function configFor(row: Wished, contract: MachineContract, volumeId: string): MachineConfig {
  const hash = hashOf(plainConfig(row, contract, ''));
  const config = plainConfig(row, contract, volumeId);
  return { ...config, metadata: { ...config.metadata, [META_CONFIG]: hash } };
}

function plainConfig(row: Wished, contract: MachineContract, volumeId: string): MachineConfig {
  return machineConfig({
    image: row.desired_image,
    guest: { cpuKind: row.desired_cpu_kind, cpus: row.desired_cpus, memoryMb: row.desired_memory_mb },
    volumeId,
    metadata: { [META_MACHINE]: row.id },
    env: {
      ...contract.env,
      USER_ID: row.user_id,
      MACHINE_ID: row.id,
      MACHINE_REGION: row.desired_region,
      SUPABASE_URL: contract.supabaseUrl,
      SUPABASE_PUBLISHABLE_KEY: contract.supabasePublishableKey,
      CONTROL_PLANE_URL: contract.controlPlaneUrl,
      TICKET_JWKS: contract.ticketJwks,
      ALLOWED_ORIGINS: contract.allowedOrigins.join(','),
      DATA_DIR: '/data',
      PAPER_TRADING: contract.env['PAPER_TRADING'] ?? 'true',
    },
  });
}

/** Equal configurations give equal hashes, whatever the order of their keys. */
function hashOf(config: MachineConfig): string {
  return createHash('sha256').update(JSON.stringify(config, (_key, value: unknown) =>
    (typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value))).digest('hex').slice(0, 32);
}
