import { expect, test } from 'vitest';
import { machineConfig, type MachinePlan } from './machine-config.ts';

const plan: MachinePlan = {
  image: `registry.example/trademind-machine@sha256:${'0'.repeat(64)}`, env: { USER_ID: 'u' }, guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
  volumeId: 'vol_1', metadata: { owner: 'u' },
};

test('the configuration holds every promise of the machine contract', () => {
  const config = machineConfig(plan);
  expect(config).toMatchObject({
    image: plan.image, env: { USER_ID: 'u' }, guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 512 }, mounts: [{ volume: 'vol_1', path: '/data' }],
    metrics: { port: 9091, path: '/metrics' }, restart: { policy: 'always' }, stop_config: { signal: 'SIGTERM', timeout: '30s' }, auto_destroy: false, metadata: { owner: 'u' },
  });
  expect(config.services).toEqual([expect.objectContaining({
    internal_port: 8080, autostop: 'off', autostart: false, concurrency: { type: 'connections', soft_limit: 200, hard_limit: 300 },
  })]);
  expect(config.checks).toMatchObject({ health: { port: 8080, method: 'GET', path: '/health' } });
});

test('equal plans give equal configurations, and the plan is not shared with them', () => {
  const config = machineConfig(plan);
  expect(machineConfig(structuredClone(plan))).toEqual(config);
  (config.env as Record<string, string>)['USER_ID'] = 'changed';
  expect(plan.env['USER_ID']).toBe('u');
});

test.each(['registry.example/trademind-machine:latest', 'trademind-machine', 'x@sha256:abc'])('an image that is not pinned by digest is refused: %s', (image) => {
  expect(() => machineConfig({ ...plan, image })).toThrow(/not pinned by digest/);
});
