/** A place and size that a machine may have. */
export interface Placed { region: string; cpuKind: string; cpus: number; memoryMb: number }

/** What a row says that a user's machine should be. */
export interface Wished {
  fly_machine_id: string | null; phase: string; desired_state: string; desired_region: string; desired_cpu_kind: string; desired_cpus: number; desired_memory_mb: number; desired_image: string;
  placed: Placed | null; generation: number; failed_generation: number; good: (Placed & { image: string }) | null;
}

/** What Fly shows of an app; destroyed machines are left out. */
export interface Standing {
  machines: readonly { id: string; state: string; region: string; image: string | undefined; cpuKind: string | undefined; cpus: number | undefined; memoryMb: number | undefined }[];
  volumes: number;
  addresses: readonly string[];
}

/** What should run: the wish; once that was given up, the version that worked; null: nothing, it rests. */
function due(row: Wished): (Placed & { image: string }) | null {
  if (row.desired_state !== 'started') return null;
  if (row.failed_generation === row.generation) return row.good;
  const wished = row.placed ?? { region: row.desired_region, cpuKind: row.desired_cpu_kind, cpus: row.desired_cpus, memoryMb: row.desired_memory_mb };
  return { ...wished, image: row.desired_image };
}

/**
 * All that is not exactly as wished, each as a sentence; empty = it is. Pure.
 * What runs is one machine with one volume, of that size and image, in that region; what rests has no more than these, but for a move that was stopped before the new machine was ever ready: the one that worked is kept, with its volume, until it is. Either app has one shared v4
 * and one v6 address.
 */
export function judge(row: Wished, standing: Standing): string[] {
  const { machines, volumes, addresses } = standing;
  const wrong: string[] = [];
  const want = due(row);
  const kept = row.desired_state === 'stopped' && row.good !== null && row.good.region !== (row.placed?.region ?? row.desired_region) ? 1 : 0;
  const shown = machines.map((one) => `${one.id} ${one.state} ${one.region} ${one.cpuKind}-${one.cpus}x ${one.memoryMb} MB ${one.image?.slice(-8)}`).join(', ') || 'nothing';
  if (machines.length > 1 + kept) wrong.push(`${machines.length} machines: ${shown}`);
  if (want === null) {
    if (machines.some(({ state }) => state === 'started')) wrong.push(`it is to rest, there is ${shown}`);
    if (volumes > 1 + kept) wrong.push(`${volumes} volumes`);
  } else {
    const [one] = machines;
    const right = one?.state === 'started' && one.id === row.fly_machine_id && one.region === want.region && one.image === want.image && one.cpuKind === want.cpuKind && one.cpus === want.cpus && one.memoryMb === want.memoryMb;
    if (!right) wrong.push(`${row.failed_generation === row.generation ? 'what worked before' : 'wished'} is ${want.cpuKind}-${want.cpus}x ${want.memoryMb} MB in ${want.region} with ${want.image.slice(-8)} as ${row.fly_machine_id}, there is ${shown}`);
    if (volumes !== 1) wrong.push(`${volumes} volumes`);
  }
  // an app that rests before it ever ran may not have come to its addresses
  const kinds = addresses.map((ip) => (ip.includes(':') ? 'v6' : 'v4')).toSorted();
  const all = kinds.join() === 'v4,v6';
  const some = new Set(kinds).size === kinds.length;
  if (want === null ? !some : !all) wrong.push(`the addresses ${addresses.join(', ') || 'none'}`);
  return wrong;
}
