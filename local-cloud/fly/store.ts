import { EventEmitter } from 'node:events';
import { Database } from './database.ts';
import { ulid } from './ids.ts';
import { SCHEMA } from './schema.ts';
import type { AppRow, LeaseRow, MachineEventRow, MachineRow, Run, SnapshotRow, VolumeRow } from './types.ts';

interface Body { body: string }
const parse = (row: unknown): unknown => (row === undefined ? undefined : JSON.parse((row as Body).body));
const parseAll = <T extends object>(rows: unknown[]): T[] => rows.map((row) => parse(row) as T);

/** All that the stand-in must remember. Every method is synchronous: between two of them nothing else of this process can happen unless someone awaits. */
export class Store {
  readonly db: Database;
  readonly now: () => number;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  /** Called before a machine's row is written; `before` reads what it replaces. */
  onSave: ((id: string, before: () => MachineRow | null) => void) | undefined;

  constructor(file: string, now: () => number) {
    this.db = new Database(file, SCHEMA);
    this.now = now;
  }

  // apps
  app(name: string): AppRow | undefined {
    return parse(this.db.get('select body from apps where name = ? and deleted_at is null', name)) as AppRow | undefined;
  }
  appById(id: string): AppRow | undefined {
    return parse(this.db.get('select body from apps where id = ?', id)) as AppRow | undefined;
  }
  appByKey(key: string): AppRow | undefined {
    return parse(this.db.get('select body from apps where idempotency_key = ? and deleted_at is null', key)) as AppRow | undefined;
  }
  /** In the order of their names, after this one. */
  apps(orgSlug: string | null, after: string, limit: number): AppRow[] {
    return parseAll(this.db.all('select body from apps where deleted_at is null and (?1 is null or org_slug = ?1) and name > ?2 order by name limit ?3', orgSlug, after, limit));
  }
  countApps(orgSlug: string | null): number {
    return (this.db.get('select count(*) as count from apps where deleted_at is null and (?1 is null or org_slug = ?1)', orgSlug) as { count: number }).count;
  }
  counts(appId: string): { machines: number; volumes: number } {
    return this.db.get(
      'select (select count(*) from machines where app_id = ?1 and destroyed_at is null) as machines, (select count(*) from volumes where app_id = ?1) as volumes', appId,
    ) as { machines: number; volumes: number };
  }
  saveApp(app: AppRow): void {
    this.db.run(
      `insert into apps (id, name, org_slug, idempotency_key, deleted_at, body) values (?, ?, ?, ?, ?, ?)
       on conflict (id) do update set deleted_at = excluded.deleted_at, body = excluded.body`,
      app.id, app.name, app.orgSlug, app.idempotencyKey, app.deletedAt, JSON.stringify(app),
    );
  }
  deletedApps(): AppRow[] {
    return parseAll(this.db.all('select body from apps where deleted_at is not null'));
  }
  forgetApp(id: string): void {
    for (const table of ['secrets', 'ips']) this.db.run(`delete from ${table} where app_id = ?`, id);
    this.db.run('delete from apps where id = ?', id);
  }

  // machines
  machine(id: string): MachineRow | undefined {
    return parse(this.db.get('select body from machines where id = ?', id)) as MachineRow | undefined;
  }
  machineByName(appId: string, name: string): MachineRow | undefined {
    return parse(this.db.get('select body from machines where app_id = ? and name = ? and destroyed_at is null', appId, name)) as MachineRow | undefined;
  }
  machines(appId: string, includeDestroyed = false): MachineRow[] {
    return parseAll(this.db.all('select body from machines where app_id = ? and (? or destroyed_at is null) order by seq', appId, includeDestroyed ? 1 : 0));
  }
  livingMachines(): MachineRow[] {
    return parseAll(this.db.all('select body from machines where destroyed_at is null order by seq'));
  }
  saveMachine(machine: MachineRow): void {
    machine.updatedAt = this.now();
    this.onSave?.(machine.id, () => this.machine(machine.id) ?? null);
    this.db.run(
      `insert into machines (id, app_id, name, state, region, updated_at, destroyed_at, body) values (?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (id) do update set state = excluded.state, updated_at = excluded.updated_at, destroyed_at = excluded.destroyed_at, body = excluded.body`,
      machine.id, machine.appId, machine.name, machine.state, machine.region, machine.updatedAt, machine.destroyedAt, JSON.stringify(machine),
    );
    // told after the current synchronous work, so that whoever listens reads what was committed
    queueMicrotask(() => this.#changes.emit(machine.id));
  }
  /** Reads, changes and writes a machine in one step; nothing when it is absent. */
  changeMachine(id: string, change: (machine: MachineRow) => void): MachineRow | undefined {
    return this.db.transaction(() => {
      const machine = this.machine(id);
      if (!machine) return undefined;
      change(machine);
      this.saveMachine(machine);
      return machine;
    });
  }
  /** Calls back after every change of a machine, until the returned function is called. */
  onChange(id: string, listener: () => void): () => void {
    this.#changes.on(id, listener);
    return () => this.#changes.off(id, listener);
  }
  saveVersion(machine: MachineRow): void {
    this.db.run('insert into versions (machine_id, version, created_at, config) values (?, ?, ?, ?)', machine.id, machine.instanceId, this.now(), JSON.stringify(machine.config));
  }

  // events
  addEvent(machineId: string, event: Omit<MachineEventRow, 'id' | 'timestamp'>): void {
    const timestamp = this.now();
    this.db.run('insert into events (machine_id, body) values (?, ?)', machineId, JSON.stringify({ id: ulid(timestamp), ...event, timestamp }));
  }
  /** Newest first. */
  events(machineId: string, limit: number): MachineEventRow[] {
    return parseAll(this.db.all('select body from events where machine_id = ? order by seq desc limit ?', machineId, limit));
  }

  // runs: when which machine was running
  openRun(machine: MachineRow, run: Run): void {
    this.db.run(
      'insert into runs (run_id, machine_id, app, name, region, image, metadata, started_at) values (?, ?, ?, ?, ?, ?, ?, ?)', run.id, machine.id,
      this.appById(machine.appId)?.name ?? '', machine.name, machine.region, machine.config.image, JSON.stringify(machine.config.metadata ?? {}), this.now(),
    );
  }
  closeRun(runId: string): void {
    this.db.run('update runs set ended_at = ? where run_id = ? and ended_at is null', this.now(), runId);
  }

  // leases
  /** The lease that holds now; one that has run out is none. */
  lease(machineId: string): LeaseRow | undefined {
    const lease = parse(this.db.get('select body from leases where machine_id = ?', machineId)) as LeaseRow | undefined;
    return lease && lease.expiresAt > this.now() ? lease : undefined;
  }
  saveLease(lease: LeaseRow): void {
    this.db.run('insert or replace into leases (machine_id, body) values (?, ?)', lease.machineId, JSON.stringify(lease));
  }
  dropLease(machineId: string): void {
    this.db.run('delete from leases where machine_id = ?', machineId);
  }

  // volumes
  volume(id: string): VolumeRow | undefined {
    return parse(this.db.get('select body from volumes where id = ?', id)) as VolumeRow | undefined;
  }
  volumes(appId: string): VolumeRow[] {
    return parseAll(this.db.all('select body from volumes where app_id = ? order by rowid', appId));
  }
  volumesOf(machineId: string): VolumeRow[] {
    return parseAll(this.db.all('select body from volumes where machine_id = ?', machineId));
  }
  saveVolume(volume: VolumeRow): void {
    this.db.run(
      'insert into volumes (id, app_id, machine_id, body) values (?, ?, ?, ?) on conflict (id) do update set machine_id = excluded.machine_id, body = excluded.body',
      volume.id, volume.appId, volume.machineId, JSON.stringify(volume),
    );
  }
  dropVolume(id: string): void {
    this.db.run('delete from volumes where id = ?', id);
  }

  snapshot(id: string): SnapshotRow | undefined {
    return parse(this.db.get('select body from snapshots where id = ?', id)) as SnapshotRow | undefined;
  }
  snapshots(volumeId: string): SnapshotRow[] {
    return parseAll(this.db.all('select body from snapshots where volume_id = ? order by rowid desc', volumeId));
  }
  saveSnapshot(snapshot: SnapshotRow): void {
    this.db.run('insert into snapshots (id, volume_id, body) values (?, ?, ?)', snapshot.id, snapshot.volumeId, JSON.stringify(snapshot));
  }

  secrets(appId: string): { name: string; value: string; createdAt: number; updatedAt: number }[] {
    return this.db.all('select name, value, created_at as createdAt, updated_at as updatedAt from secrets where app_id = ? order by name', appId);
  }

  close(): void {
    this.#changes.removeAllListeners();
    this.db.close();
  }
}
