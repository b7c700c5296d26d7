/** The stand-in's own tables. Rows that are read whole are kept as JSON beside the columns that queries need. */
export const SCHEMA = `
create table if not exists apps (
  id text primary key, name text not null, org_slug text not null, idempotency_key text, deleted_at integer, body text not null
) strict;
create unique index if not exists apps_name on apps (name) where deleted_at is null;
create unique index if not exists apps_key on apps (idempotency_key) where idempotency_key is not null and deleted_at is null;

create table if not exists machines (
  seq integer primary key autoincrement, id text not null unique, app_id text not null, name text not null, state text not null, region text not null,
  updated_at integer not null, destroyed_at integer, body text not null
) strict;
create index if not exists machines_app on machines (app_id, seq);
create unique index if not exists machines_name on machines (app_id, name) where destroyed_at is null;

create table if not exists versions (machine_id text not null, version text not null, created_at integer not null, config text not null, primary key (machine_id, version)) strict;
create table if not exists events (seq integer primary key autoincrement, machine_id text not null, body text not null) strict;
create index if not exists events_machine on events (machine_id, seq);
create table if not exists leases (machine_id text primary key, body text not null) strict;
create table if not exists volumes (id text primary key, app_id text not null, machine_id text, body text not null) strict;
create index if not exists volumes_app on volumes (app_id);
create index if not exists volumes_machine on volumes (machine_id);
create table if not exists secrets (app_id text not null, name text not null, value text not null, created_at integer not null, updated_at integer not null, primary key (app_id, name)) strict;
create table if not exists ips (app_id text not null, ip text not null, type text not null, region text not null, created_at integer not null, primary key (app_id, ip)) strict;
create table if not exists snapshots (id text primary key, volume_id text not null, body text not null) strict;
create index if not exists snapshots_volume on snapshots (volume_id);
create table if not exists writes (
  seq integer primary key autoincrement, time integer not null, who text not null, agent text, verb text not null, app text, machine text, name text,
  nonce text, lease text, status integer not null, error text, fault text
) strict;
create table if not exists runs (
  seq integer primary key autoincrement, run_id text not null, machine_id text not null, app text not null, name text not null, region text not null, image text not null,
  metadata text not null, started_at integer not null, ended_at integer
) strict;
create index if not exists runs_open on runs (run_id) where ended_at is null;
create index if not exists runs_app on runs (app);
`;
