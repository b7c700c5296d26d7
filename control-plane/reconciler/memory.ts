import type { MachineRow } from '../database/rows.ts';
import type { Memory } from './actions.ts';
import { drainOf } from './drain.ts';

const timeOf = (text: string | null): number | null => (text === null ? null : Date.parse(text));

/** What the plan must remember of a machine: all of it stands in its row. */
export function memoryOf(row: MachineRow): Memory {
  return {
    machineId: row.id,
    phase: row.phase,
    phaseSince: Date.parse(row.phase_since),
    flyMachineId: row.fly_machine_id,
    instanceId: row.fly_instance_id,
    everMade: row.fly_machine_id !== null || row.good !== null,
    secretVersion: row.secret_version,
    secretOldest: row.secret_oldest,
    configSentAt: timeOf(row.config_sent_at) ?? 0,
    unreachableSince: timeOf(row.unreachable_since),
    doubt: row.doubt === null ? null : { kind: row.doubt.kind, at: Date.parse(row.doubt.at) },
    attempts: row.attempts,
    wishedAt: Date.parse(row.wished_at),
    turn: row.contract_turn,
    drain: drainOf(row),
  };
}
