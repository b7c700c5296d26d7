import { imageRef } from './images.ts';
import type { Platform } from './platform.ts';
import type { MachineEventRow, MachineRow } from './types.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

/** Events, newest first, by the clock that is told. */
export function eventsView({ store, skew }: Platform, machineId: string, limit: number): MachineEventRow[] {
  const off = skew();
  const events = store.events(machineId, limit);
  return off === 0 ? events : events.map((event) => ({ ...event, timestamp: event.timestamp + off }));
}

/** A machine as Fly shows it. */
export function machineView(platform: Platform, machine: MachineRow, more: { nonce?: string; eventCount?: number } = {}): Record<string, unknown> {
  const { checks } = platform;
  const off = platform.skew();
  const host = platform.lifecycle.hostOf(machine);
  return {
    id: machine.id,
    name: machine.name,
    state: machine.state,
    region: machine.region,
    image_ref: imageRef(machine.config.image),
    instance_id: machine.instanceId,
    version: machine.instanceId,
    private_ip: machine.privateIp,
    created_at: iso(machine.createdAt + off),
    updated_at: iso(machine.updatedAt + off),
    ...(host !== 'ok' ? { incomplete_config: machine.config } : { config: machine.config }),
    events: eventsView(platform, machine.id, more.eventCount ?? 20),
    checks: checks.of(machine.id),
    host_status: host,
    cordoned: machine.cordoned,
    ...(more.nonce === undefined ? {} : { nonce: more.nonce }),
  };
}

/** A machine without what is long: its config, events, checks and host. */
export function summaryView(platform: Platform, machine: MachineRow): Record<string, unknown> {
  const { config: _config, incomplete_config: _incomplete, events: _events, checks: _checks, host_status: _host, ...rest } = machineView(platform, machine, { eventCount: 0 });
  return rest;
}

/** A machine as the organisation's listing shows it: with its app and version, without instance id, events and most of its config. */
export function slimView(platform: Platform, machine: MachineRow, appName: string): Record<string, unknown> {
  const off = platform.skew();
  const { image, guest, metadata } = machine.config;
  return {
    id: machine.id, name: machine.name, state: machine.state, region: machine.region, app_name: appName, version: machine.instanceId,
    private_ip: machine.privateIp, created_at: iso(machine.createdAt + off), updated_at: iso(machine.updatedAt + off),
    host_status: platform.lifecycle.hostOf(machine),
    config: { image, guest, metadata },
  };
}
