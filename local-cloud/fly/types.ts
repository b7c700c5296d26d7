/** A machine's configuration as it was sent; only what the stand-in acts on is named. */
export interface MachineConfig {
  image: string;
  env?: Record<string, string>;
  guest?: { cpu_kind: string; cpus: number; memory_mb: number };
  metadata?: Record<string, string>;
  mounts?: { volume: string; path: string }[];
  services?: { internal_port: number; checks?: CheckConfig[]; [more: string]: unknown }[];
  checks?: Record<string, CheckConfig>;
  metrics?: { port: number; path: string };
  restart?: { policy?: string; max_retries?: number };
  auto_destroy?: boolean;
  stop_config?: { signal?: string | null; timeout?: string | number | null };
  [more: string]: unknown;
}

export interface CheckConfig { type?: string; port?: number; interval?: string | number; timeout?: string | number; method?: string; path?: string }

/** What should become of a machine. `created`: it rests until someone starts it. */
export type Goal = 'created' | 'started' | 'stopped' | 'suspended' | 'destroyed';

/** One life of a machine: from a start to an exit. */
export interface Run {
  id: string;
  /** The boot it serves; a machine whose `boot` is greater is to be booted anew. */
  boot: number;
  startedAt: number;
  /** Suspended: it stands still and goes on where it was. */
  frozen?: boolean;
  /** Absent in the simulated runtime. */
  process?: { pid: number; identity: string; ports: Record<string, number> };
}

/** A machine as it is kept. */
export interface MachineRow {
  id: string;
  appId: string;
  name: string;
  region: string;
  state: string;
  goal: Goal;
  config: MachineConfig;
  /** Changes with every update; Fly shows it as instance_id and as version. */
  instanceId: string;
  /** Grows whenever the machine is to boot anew. */
  boot: number;
  run: Run | null;
  /** How the next stop was asked for; null = as the config says. */
  stopWith: { signal?: string; timeoutMs?: number } | null;
  privateIp: string;
  cordoned: boolean;
  restartCount: number;
  /** The volume was moved to another host under a new id: the next boot finds its data there. */
  movedFrom?: string | undefined;
  createdAt: number;
  updatedAt: number;
  destroyedAt: number | null;
}

export interface AppRow { id: string; name: string; orgSlug: string; network: string; createdAt: number; deletedAt: number | null; secretsVersion: number; idempotencyKey: string | null; foreign?: boolean }
export interface VolumeRow {
  id: string; appId: string; name: string; region: string; sizeGb: number; machineId: string | null; createdAt: number;
  snapshotRetention?: number;
  autoBackup?: boolean;
}
export interface SnapshotRow { id: string; volumeId: string; createdAt: number; sizeGb: number }
export interface LeaseRow { machineId: string; nonce: string; owner: string; description: string; expiresAt: number; version: string }
export interface MachineEventRow { id: string; type: string; status: string; source: 'user' | 'flyd'; timestamp: number; request?: unknown }

export interface Exit { exitCode: number; signal: number; oomKilled: boolean }
