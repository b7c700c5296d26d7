// `npm run bench -- <area> [--only id] [--json]`: measures, prints, and exits 3 when a row falls short.
import { parseArgs } from 'node:util';
import { describeMachine } from './frame/machine.ts';
import { runRow, type BenchResult, type BenchRow } from './frame/row.ts';

const AREAS: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  machine: async () => (await import('./machine/rows.ts')).rows(),
  skeleton: async () => (await import('./skeleton/rows.ts')).rows(),
};

const HELP = `npm run bench -- <area> [--only id] [--json]

Areas: ${Object.keys(AREAS).join(', ')}
  --only id   one row, e.g. skeleton.boot
  --json      one line a row: {"id","value","unit","must","ok","peer","peerValue","ratio",…}
Exit status: 0 every row reached its figure, 3 a row fell short, 2 usage.
`;

function usage(problem: string): never {
  process.stderr.write(`${problem}\n\n${HELP}`);
  process.exit(2);
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const [area] = positionals;
const load = area === undefined ? undefined : AREAS[area];
if (!load) usage(area === undefined ? 'Name an area.' : `There is no area "${area}".`);

const rows = (await load()).filter((row) => options.only === undefined || row.id === options.only);
if (rows.length === 0) usage(`There is no row "${options.only}" in ${area}.`);

const figure = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));
const line = (result: BenchResult) =>
  `${result.ok ? 'ok  ' : 'SHORT'} ${result.id}  ${figure(result.value)} ${result.unit} (min ${figure(result.min)}, max ${figure(result.max)}, ${result.runs} runs)` +
  `  must ${result.atLeast ? '≥' : '≤'} ${result.must}` +
  (result.peer === null ? '' : `  ${result.peer} ${figure(result.peerValue!)} ${result.unit}, ratio ${figure(result.ratio!)}`) + `\n      ${result.what}\n`;

if (!options.json) process.stdout.write(`${describeMachine()}\n`);
let short = false;
for (const row of rows) {
  const result = await runRow(row, (text) => { if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text} …`); });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  short ||= !result.ok;
  process.stdout.write(options.json ? `${JSON.stringify({ ...result, machine: describeMachine() })}\n` : line(result));
}
process.exitCode = short ? 3 : 0;
