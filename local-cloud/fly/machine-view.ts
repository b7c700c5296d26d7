import { imageRef } from './images.ts';
import type { Platform } from './platform.ts';
import type { MachineRow } from './types.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

/** A machine as Fly shows it. */
export function machineView(platform: Platform, machine: MachineRow, more: { nonce?: string; eventCount?: number } = {}): Record<string, unknown> {
  const { store, checks } = platform;
  return {
    id: machine.id,
    name: machine.name,
    state: machine.state,
    region: machine.region,
    image_ref: imageRef(machine.config.image),
    instance_id: machine.instanceId,
    version: machine.instanceId,
    private_ip: machine.privateIp,
    created_at: iso(machine.createdAt),
    updated_at: iso(machine.updatedAt),
    ...(machine.hostStatus === 'ok' ? { config: machine.config } : { incomplete_config: machine.config }),
    events: store.events(machine.id, more.eventCount ?? 20),
    checks: checks.of(machine.id),
    host_status: machine.hostStatus,
    cordoned: machine.cordoned,
    ...(more.nonce === undefined ? {} : { nonce: more.nonce }),
  };
}

/** A machine as the organisation's listing shows it: with its app and version, without instance id, events and most of its config. */
export function slimView(machine: MachineRow, appName: string): Record<string, unknown> {
  const { image, guest, metadata } = machine.config;
  return {
    id: machine.id, name: machine.name, state: machine.state, region: machine.region, app_name: appName, version: machine.instanceId,
    private_ip: machine.privateIp, created_at: iso(machine.createdAt), updated_at: iso(machine.updatedAt), host_status: machine.hostStatus,
    config: { image, guest, metadata },
  };
}
