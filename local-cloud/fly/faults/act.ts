import { ApiError } from '../api-error.ts';
import { appId, privateIp, ulid, volumeId } from '../ids.ts';
import type { Platform } from '../platform.ts';
import type { MachineRow } from '../types.ts';
import type { FaultView } from './faults.ts';
import type { FaultOrder, OrderOf } from './kinds.ts';

/** Puts a fault in force, or does at once what is over once it is done. */
export async function act(platform: Platform, order: FaultOrder): Promise<FaultView> {
  const { faults } = platform;
  switch (order.kind) {
    case 'exit': return faults.note(order, exit(platform, order));
    case 'migrate': return faults.note(order, migrate(platform, order));
    case 'take-app-name': return faults.note(order, take(platform, order));
    case 'host-unreachable': {
      const view = faults.add(order);
      if (order.dead) die(platform, order);
      return view;
    }
    default: return faults.add(order);
  }
}

const appOf = ({ store }: Platform, machine: MachineRow): string => store.appById(machine.appId)?.name ?? '';

function picked(platform: Platform, order: Parameters<Platform['faults']['picks']>[0]): MachineRow[] {
  return platform.store.livingMachines().filter((machine) => platform.faults.picks(order, machine, appOf(platform, machine)));
}

/** Ends what runs now. */
function exit(platform: Platform, order: OrderOf<'exit'>): number {
  const running = picked(platform, order).filter(({ run }) => run !== null);
  for (const { id, run } of running) if (run) platform.runtime.crash(id, run, order, order.log);
  return running.length;
}

/** The host is not only silent but gone: what ran on it has ended, and nobody says so. */
function die(platform: Platform, order: OrderOf<'host-unreachable'>): void {
  for (const machine of picked(platform, order)) {
    if (machine.run && platform.lifecycle.isUnreachable(machine)) platform.runtime.crash(machine.id, machine.run, { exitCode: -1, signal: -1, oomKilled: false });
  }
}

/** Moves machines to another host: the id stays, the volume's id and the private address change, a running machine boots anew. */
function migrate(platform: Platform, order: OrderOf<'migrate'>): number {
  const { store, lifecycle, now } = platform;
  const moving = picked(platform, order);
  for (const { id } of moving) {
    store.changeMachine(id, (row) => {
      const [old] = store.volumesOf(id);
      if (old) {
        const moved = { ...old, id: volumeId() };
        store.dropVolume(old.id);
        store.saveVolume(moved);
        row.movedFrom = old.id;
        row.config.mounts = (row.config.mounts ?? []).map((mount) => ({ ...mount, volume: moved.id }));
      }
      row.privateIp = privateIp();
      row.instanceId = ulid(now());
      if (row.goal === 'started') {
        row.boot += 1;
        if (row.run) row.state = 'replacing';
      }
      store.saveVersion(row);
      store.addEvent(id, { type: 'migrate', status: 'migrated', source: 'flyd' });
    });
    lifecycle.kick(id);
  }
  return moving.length;
}

/** Another organisation has this name: it cannot be seen, changed, or taken. */
function take({ store, now }: Platform, order: OrderOf<'take-app-name'>): number {
  if (store.app(order.name)) throw new ApiError(409, `name: there is an app ${order.name} already.`);
  store.saveApp({
    id: appId(), name: order.name, orgSlug: order.org, network: 'default', createdAt: now(), deletedAt: null, secretsVersion: 0, idempotencyKey: null, foreign: true,
  });
  return 1;
}
