import type { FlyClient } from '@trademind/fly';

/**
 * Resolves when the machine runs as it was last configured (`instance`, where that is known) and all its checks pass. Replicas are changed one after the other: the next when this one serves, and none
 * when this one does not. Throws after `withinMs` (3 min) with what was seen last.
 */
export async function awaitServing(fly: { machines: Pick<FlyClient['machines'], 'get'> }, app: string, machineId: string, instance: string | undefined, withinMs = 180_000): Promise<void> {
  const until = Date.now() + withinMs;
  for (;;) {
    const machine = await fly.machines.get(app, machineId);
    const failing = (machine.checks ?? []).filter((check) => check.status !== 'passing');
    if (machine.state === 'started' && (instance === undefined || machine.instance_id === instance) && failing.length === 0) return;
    if (Date.now() >= until) {
      const why = failing.map((check) => `${check.name} is ${check.status}${check.output ? ` (${check.output.slice(0, 200)})` : ''}`).join(', ');
      throw new Error(`Replica ${machineId} of ${app} is ${machine.state}${why === '' ? '' : `, ${why}`}: the others were left as they are. Its log says why (fly logs -a ${app}); correct the configuration and apply again.`);
    }
    await new Promise((resolve) => { setTimeout(resolve, 1_000); });
  }
}
