import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestSupabase, type TestSupabase } from './supabase.ts';

let supabase: TestSupabase;
beforeAll(async () => { supabase = await startTestSupabase(); });
afterAll(async () => { await supabase.close(); });

test('a test gets a project of its own: a user signs in, a machine is deployed and beats', async () => {
  const user = await supabase.createUser();
  const deployed = await supabase.adminClient.rpc('deploy_machine', {
    p_user_id: user.id, p_environment: 'local', p_region: 'sin', p_cpu_kind: 'shared', p_cpus: 1, p_memory_mb: 512, p_image: 'registry.local/machine@sha256:00',
  });
  expect(deployed.error).toBeNull();
  expect(deployed.data).toMatchObject({ created: true, machine: { user_id: user.id, phase: 'requested', generation: 1 } });
  const { machine } = deployed.data as { machine: { id: string } };
  const token = await supabase.signMachineToken({ machineId: machine.id, userId: user.id, epoch: 1 });
  const beat = await supabase.machineClient(token).rpc('machine_beat', { p_status: { phase: 'backfilling' } });
  expect(beat.error).toBeNull();
  expect(beat.data).toMatchObject({ generation: 1, desired_state: 'started', drain: false });
  const seen = await user.client.from('machines').select('id, phase').single();
  expect(seen.data).toEqual({ id: machine.id, phase: 'backfilling' });
});
