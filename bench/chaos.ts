// `npm run chaos -- <area> [--seed N] [--minutes M] [--json]`: harm by a seed, then what must still hold; exits 3 on any violation.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { seeded, type ChaosArea } from './frame/chaos.ts';
import { describeMachine } from './frame/machine.ts';

const AREAS: Readonly<Record<string, () => Promise<ChaosArea>>> = {
  'control-plane': async () => (await import('./control-plane/chaos.ts')).area,
  kills: async () => (await import('./machine/chaos.ts')).kills,
  machine: async () => (await import('./machine/chaos.ts')).area,
  market: async () => (await import('./market/chaos.ts')).area,
  properties: async () => (await import('./properties/chaos.ts')).area,
  skeleton: async () => (await import('./skeleton/chaos.ts')).area,
};

const HELP = `npm run chaos -- <area> [--seed N] [--minutes M] [--json]

Areas: ${Object.keys(AREAS).join(', ')}
The seed is printed; the same seed chooses the same harm at the same moments. Exit status: 0 all held, 3 a violation, 2 usage.
`;

function usage(problem: string): never {
  process.stderr.write(`${problem}\n\n${HELP}`);
  process.exit(2);
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, minutes: { type: 'string' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const [name] = positionals;
const load = name === undefined ? undefined : AREAS[name];
if (!load) usage(name === undefined ? 'Name an area.' : `There is no area "${name}".`);
const area = await load();
const seed = options.seed === undefined ? randomInt(2 ** 31) : Number(options.seed);
const minutes = options.minutes === undefined ? area.defaultMinutes : Number(options.minutes);
if (!Number.isSafeInteger(seed)) usage(`--seed takes a whole number, not "${options.seed}".`);
if (!(minutes > 0)) usage(`--minutes takes a positive number, not "${options.minutes}".`);

const say = (text: string) => { if (!options.json) process.stdout.write(`${text}\n`); };
say(`${describeMachine()}\nseed ${seed}, ${minutes} min: ${area.what}`);
const report = await area.run({ seed, minutes, random: seeded(seed), say });
const replay = `npm run chaos -- ${name} --seed ${seed} --minutes ${minutes}`;
if (options.json) {
  process.stdout.write(`${JSON.stringify({ area: name, seed, minutes, ok: report.violations.length === 0, ...report, replay, machine: describeMachine() })}\n`);
} else {
  say(`harm: ${Object.entries(report.harm).map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  if (report.recoverySeconds.length > 0) say(`recovery: longest ${Math.max(...report.recoverySeconds).toFixed(1)} s of ${report.recoverySeconds.length}`);
  for (const check of report.checked) say(`checked: ${check}`);
  for (const violation of report.violations) say(`VIOLATION ${violation}\n  replay: ${replay}`);
  if (report.violations.length === 0) say('all held');
}
process.exitCode = report.violations.length === 0 ? 0 : 3;
