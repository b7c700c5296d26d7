import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { appId, machineId, privateIp, ulid, volumeId } from '../../local-cloud/fly/ids.ts';
import { Store } from '../../local-cloud/fly/store.ts';
import { machineConfig } from '../../packages/fly/index.ts';
import { TEST_IMAGES } from '../../tests/support/fly.ts';

export interface FleetMachine { userId: string; id: string; app: string; flyId: string; instanceId: string; volumeId: string }

const REGIONS = ['sin', 'fra', 'lhr', 'nrt', 'syd'];

/** Settled machines, written straight into the database and into the file of the Fly stand-in, which is not running yet: as if each had been deployed. */
export async function makeFleet(pool: Pool, flyFile: string, count: number): Promise<FleetMachine[]> {
  const now = Date.now();
  const fleet = Array.from({ length: count }, (): FleetMachine => {
    const id = randomUUID();
    return { userId: randomUUID(), id, app: `tm-${id.replaceAll('-', '').slice(0, 16)}`, flyId: machineId(), instanceId: ulid(now), volumeId: volumeId() };
  });
  if (count === 0) return fleet;
  const region = (index: number) => REGIONS[index % REGIONS.length] ?? 'sin';
  const store = new Store(flyFile, () => now);
  store.db.transaction(() => {
    for (const [index, one] of fleet.entries()) {
      const app = appId();
      store.saveApp({ id: app, name: one.app, orgSlug: 'personal', network: one.app, createdAt: now, deletedAt: null, secretsVersion: 1, idempotencyKey: null });
      store.saveVolume({ id: one.volumeId, appId: app, name: 'data', region: region(index), sizeGb: 1, machineId: one.flyId, createdAt: now });
      store.saveMachine({
        id: one.flyId, appId: app, name: `${one.app}-${region(index)}`, region: region(index), state: 'started', goal: 'started', instanceId: one.instanceId, boot: 1, run: { id: ulid(now), boot: 1, startedAt: now },
        stopWith: null, privateIp: privateIp(), cordoned: false, restartCount: 0, createdAt: now, updatedAt: now, destroyedAt: null,
        config: machineConfig({
          image: TEST_IMAGES.tiny, guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 }, volumeId: one.volumeId, metadata: { trademind_machine: one.id, trademind_config: 'x'.repeat(32) },
          env: { USER_ID: one.userId, MACHINE_ID: one.id, MACHINE_REGION: region(index), CONTROL_PLANE_URL: 'https://control.example', DATA_DIR: '/data', PAPER_TRADING: 'true' },
        }) as never,
      });
    }
  });
  store.close();
  const rows = JSON.stringify(fleet.map((one, index) => ({ ...one, region: region(index) })));
  await pool.query(`insert into auth.users (id, email) select r."userId", r."userId" || '@example.test' from jsonb_to_recordset($1) as r("userId" uuid)`, [rows]);
  await pool.query(`insert into public.machines (id, user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, observed_generation, phase, fly_app, fly_machine_id,
      fly_volume_id, fly_instance_id, fly_state, region, cpu_kind, cpus, memory_mb, image, url, next_look_at)
    select r.id, r."userId", 'local', r.region, 'shared', 1, 512, $2, 1, 'screening', r.app, r."flyId", r."volumeId", r."instanceId", 'started', r.region, 'shared', 1, 512, $2, 'https://' || r.app || '.example',
      now() + interval '1 day'
    from jsonb_to_recordset($1) as r(id uuid, "userId" uuid, region text, app text, "flyId" text, "volumeId" text, "instanceId" text)`, [rows, TEST_IMAGES.tiny]);
  await pool.query('analyze public.machines; analyze auth.users');
  return fleet;
}
