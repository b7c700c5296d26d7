import { z } from 'zod';

/**
 * What Fly answers, as read from its published OpenAPI document and its own clients. Every object is loose: a field we do not know passes.
 * Where sources disagree about a name, both are accepted and the first form is what the rest of the house sees.
 */

const Guest = z.looseObject({ cpu_kind: z.string(), cpus: z.number(), memory_mb: z.number() });

/** A duration is a Go string (`"15s"`) or nanoseconds. */
const Duration = z.union([z.string(), z.number()]);

const Check = z.looseObject({
  type: z.string().optional(), port: z.number().optional(), interval: Duration.optional(), timeout: Duration.optional(),
  grace_period: Duration.optional(), method: z.string().optional(), path: z.string().optional(),
});

const Service = z.looseObject({
  protocol: z.string(),
  internal_port: z.number(),
  ports: z.array(z.looseObject({ port: z.number().optional(), handlers: z.array(z.string()).nullish(), force_https: z.boolean().optional() })).nullish(),
  // "off" and "stop" come back as booleans, "suspend" stays
  autostop: z.union([z.boolean(), z.string()]).nullish(),
  autostart: z.boolean().nullish(),
  min_machines_running: z.number().nullish(),
  concurrency: z.looseObject({ type: z.string().optional(), soft_limit: z.number().optional(), hard_limit: z.number().optional() }).nullish(),
  checks: z.array(Check).nullish(),
});

/** A machine's configuration. An update replaces the whole of it: there is no PATCH. */
export const MachineConfig = z.looseObject({
  image: z.string(),
  env: z.record(z.string(), z.string()).nullish(),
  guest: Guest.nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  mounts: z.array(z.looseObject({ volume: z.string().optional(), path: z.string() })).nullish(),
  services: z.array(Service).nullish(),
  checks: z.record(z.string(), Check).nullish(),
  metrics: z.looseObject({ port: z.number(), path: z.string() }).nullish(),
  restart: z.looseObject({ policy: z.string().optional(), max_retries: z.number().optional() }).nullish(),
  auto_destroy: z.boolean().nullish(),
  stop_config: z.looseObject({ signal: z.string().nullish(), timeout: Duration.nullish() }).nullish(),
});
export type MachineConfig = z.infer<typeof MachineConfig>;

const ExitEvent = z.looseObject({
  exit_code: z.number().nullish(), guest_exit_code: z.number().nullish(), signal: z.number().nullish(), guest_signal: z.number().nullish(),
  oom_killed: z.boolean().nullish(), requested_stop: z.boolean().nullish(), restarting: z.boolean().nullish(),
});

export const MachineEvent = z.looseObject({
  id: z.string(),
  type: z.string(),
  status: z.string().optional(),
  source: z.string().optional(),
  /** Milliseconds. */
  timestamp: z.number(),
  request: z.looseObject({
    exit_event: ExitEvent.nullish(),
    // sources disagree about where it is
    monitor_event: z.looseObject({ exit_event: ExitEvent.nullish() }).nullish(),
    restart_count: z.number().nullish(),
  }).nullish(),
});
export type MachineEvent = z.infer<typeof MachineEvent>;

const ImageRef = z.looseObject({
  registry: z.string().optional(), repository: z.string().optional(), tag: z.string().nullish(), digest: z.string().nullish(),
});

/** A machine. On a host that is not `ok` there is `incomplete_config` instead of `config`. */
export const Machine = z.looseObject({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  region: z.string(),
  image_ref: ImageRef.nullish(),
  instance_id: z.string().nullish(),
  version: z.string().nullish(),
  private_ip: z.string().nullish(),
  created_at: z.string().nullish(),
  updated_at: z.string().nullish(),
  config: MachineConfig.nullish(),
  incomplete_config: z.looseObject({}).nullish(),
  events: z.array(MachineEvent).nullish(),
  checks: z.array(z.looseObject({ name: z.string(), status: z.string(), output: z.string().nullish(), updated_at: z.string().nullish() })).nullish(),
  nonce: z.string().nullish(),
  host_status: z.string().nullish(),
  cordoned: z.boolean().nullish(),
});
export type Machine = z.infer<typeof Machine>;

/** A row of the organisation's listing: slim config, no instance id, eventually consistent. */
export const OrgMachine = z.looseObject({
  id: z.string(), name: z.string(), state: z.string(), region: z.string(), app_name: z.string(), version: z.string().nullish(),
  updated_at: z.string().nullish(), created_at: z.string().nullish(), host_status: z.string().nullish(), private_ip: z.string().nullish(),
  // slim: what of it is there is not promised
  config: z.looseObject({ image: z.string().nullish(), guest: Guest.nullish(), metadata: z.record(z.string(), z.string()).nullish() }).nullish(),
});
export type OrgMachine = z.infer<typeof OrgMachine>;

export const OrgMachinesPage = z.looseObject({
  machines: z.array(OrgMachine).nullish().transform((rows) => rows ?? []),
  next_cursor: z.string().nullish(),
  last_machine_id: z.string().nullish(),
  last_updated_at: z.string().nullish(),
  /** Regions that were NOT read: never conclude from an absence there. */
  error_regions: z.array(z.union([z.string(), z.looseObject({ region: z.string() }).transform((row) => row.region)])).nullish().transform((regions) => regions ?? []),
});
export type OrgMachinesPage = z.infer<typeof OrgMachinesPage>;

export const App = z.looseObject({
  id: z.string().nullish(),
  name: z.string(),
  status: z.string().nullish(),
  network: z.string().nullish(),
  machine_count: z.number().nullish(),
  volume_count: z.number().nullish(),
  organization: z.looseObject({ slug: z.string(), name: z.string().nullish() }).nullish(),
});
export type App = z.infer<typeof App>;

export const AppList = z.looseObject({ apps: z.array(App).nullish().transform((rows) => rows ?? []), total_apps: z.number().nullish(), next_cursor: z.string().nullish() });

export const CreatedApp = z.looseObject({ id: z.string(), created_at: z.union([z.number(), z.string()]).nullish() });
export type CreatedApp = z.infer<typeof CreatedApp>;

export const Volume = z.looseObject({
  id: z.string(), name: z.string(), state: z.string(), region: z.string(), size_gb: z.number(),
  attached_machine_id: z.string().nullish(), encrypted: z.boolean().nullish(), created_at: z.string().nullish(), host_status: z.string().nullish(),
});
export type Volume = z.infer<typeof Volume>;

export const ExtendedVolume = z.union([z.looseObject({ volume: Volume, needs_restart: z.boolean().nullish() }), Volume.transform((volume) => ({ volume, needs_restart: undefined }))]);

export const VolumeSnapshot = z.looseObject({ id: z.string(), status: z.string().nullish(), size: z.number().nullish(), created_at: z.string().nullish() });
export type VolumeSnapshot = z.infer<typeof VolumeSnapshot>;

/** `exit_code` says whether the command succeeded: Fly answers 200 either way. */
export const ExecResult = z.looseObject({ exit_code: z.number().nullish().transform((code) => code ?? 0), exit_signal: z.number().nullish(), stdout: z.string().nullish(), stderr: z.string().nullish() });
export type ExecResult = z.infer<typeof ExecResult>;

const LeaseData = z.looseObject({
  nonce: z.string().nullish(), expires_at: z.union([z.number(), z.string()]).nullish(), owner: z.string().nullish(), description: z.string().nullish(), version: z.string().nullish(),
});
/** `{status, data: {…}}` or the flat object. `expires_at` is in seconds, or a date. */
export const Lease = z.union([z.looseObject({ data: LeaseData }).transform((wrapped) => wrapped.data), LeaseData]);
export type Lease = z.infer<typeof LeaseData>;

export const WaitResult = z.looseObject({
  ok: z.boolean().optional(), state: z.string().optional(), version: z.string().optional(), event_id: z.string().optional(),
});
export type WaitResult = z.infer<typeof WaitResult>;

export const Secret = z.looseObject({ name: z.string(), digest: z.string().nullish() });
export type Secret = z.infer<typeof Secret>;

export const SecretsAnswer = z
  .looseObject({ secrets: z.array(Secret).nullish(), version: z.number().nullish(), Version: z.number().nullish() })
  .transform((answer) => ({ secrets: answer.secrets ?? [], version: answer.version ?? answer.Version ?? undefined }));
export type SecretsAnswer = z.infer<typeof SecretsAnswer>;

export const IpAssignment = z.looseObject({
  ip: z.string(), region: z.string().nullish(), shared: z.boolean().nullish(), type: z.string().nullish(), created_at: z.string().nullish(),
});
export type IpAssignment = z.infer<typeof IpAssignment>;
export const IpAssignments = z.union([
  z.looseObject({ ips: z.array(IpAssignment).nullish() }).transform((answer) => answer.ips ?? []),
  z.array(IpAssignment),
]);

export const Metadata = z.union([z.looseObject({ metadata: z.record(z.string(), z.string()) }).transform((wrapped) => wrapped.metadata), z.record(z.string(), z.string())]);

export const MachineVersion = z.looseObject({ version: z.string(), user_config: MachineConfig.nullish() });
export type MachineVersion = z.infer<typeof MachineVersion>;

export const Regions = z.looseObject({ Regions: z.array(z.looseObject({ code: z.string() })).optional(), regions: z.array(z.looseObject({ code: z.string() })).optional() })
  .transform((answer) => (answer.regions ?? answer.Regions ?? []).map((region) => region.code));
