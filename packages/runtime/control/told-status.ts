import { cutText, type HealthReport, type MachineStatus } from '@trademind/core';

/** `machine_beat` takes at most 65,536 bytes of JSON as PostgreSQL writes it; below that with room for its own words. */
const MOST_BYTES = 60_000;
const TRADERS_TOLD = 100;
const HALTED_TOLD = 50;
const TEXT_LENGTH = 500;
const TRADER_TEXT_LENGTH = 300;

/**
 * The status as the database takes it, whatever is in it: much of it was written by others (names and errors of traders, words of the exchange),
 * and a beat that is refused makes the machine deaf. What is left out first: traders, the last ones first (those that cannot run), then the log of a crash, then the crash.
 */
export function toldStatus(status: MachineStatus): MachineStatus {
  const traders = status.traders.slice(0, TRADERS_TOLD).map((trader) => ({ ...trader, name: cutText(trader.name, TRADER_TEXT_LENGTH), ...(trader.error !== undefined && { error: cutText(trader.error, TRADER_TEXT_LENGTH) }) }));
  const all = short({ ...status, traders, market: { ...status.market, halted: status.market.halted.slice(0, HALTED_TOLD) } });
  const fewer = { ...all, traders: fitting(all) };
  const { crash, ...health } = fewer.health ?? {};
  const thinner = crash ? [{ ...fewer, health: { ...health, crash: { ...crash, log: [] } } as HealthReport }, { ...fewer, health: health as HealthReport }] : [];
  return [fewer, ...thinner].find((told) => jsonbBytes(told) <= MOST_BYTES) ?? leastStatus(status);
}

/** As many of its traders, from the first on, as leave the status small enough. */
function fitting(status: MachineStatus): MachineStatus['traders'] {
  let left = MOST_BYTES - jsonbBytes({ ...status, traders: [] });
  const beyond = status.traders.findIndex((trader) => { left -= jsonbBytes(trader) + 2; return left < 0; });
  return beyond === -1 ? status.traders : status.traders.slice(0, beyond);
}

/** What a beat must say: that the machine lives, and in which phase. Bounded by its shape. */
export function leastStatus(status: MachineStatus): MachineStatus {
  const { health: _health, scaling: _scaling, analysis: _analysis, ...rest } = status;
  return short({ ...rest, detail: cutText(status.detail, TRADER_TEXT_LENGTH), traders: [], problems: [], market: { ...status.market, halted: [] } });
}

/** Every text cut, and without what `jsonb` does not take: half characters and the character 0. */
function short(status: MachineStatus): MachineStatus {
  return JSON.parse(JSON.stringify(status, (_, value: unknown) => (typeof value === 'string' ? cutText(value.toWellFormed().replaceAll('\0', ''), TEXT_LENGTH) : value))) as MachineStatus;
}

/** At most so many bytes has the text of this value as `jsonb`: PostgreSQL puts a blank behind each comma and colon. */
function jsonbBytes(value: unknown): number {
  const text = JSON.stringify(value);
  return Buffer.byteLength(text) + (text.match(/[,:]/g)?.length ?? 0);
}
