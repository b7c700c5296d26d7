// `npm run bench -- <area>[.<row>] [--only id] [--json]`: measures, prints, and exits 3 when a row falls short.
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { describeMachine } from './frame/machine.ts';
import { printRow } from './frame/print.ts';
import { runRow, type BenchRow, type RowOptions } from './frame/row.ts';

const byId = (rows: readonly BenchRow[]): Record<string, () => BenchRow> => Object.fromEntries(rows.map((row) => [row.id, () => row]));

/** Rows by id; each makes ready what it needs when it is asked for. */
const AREAS: Readonly<Record<string, () => Promise<Readonly<Record<string, (options?: RowOptions) => BenchRow>>>>> = {
  'control-plane': async () => (await import('./control-plane/rows.ts')).ROWS,
  engine: async () => (await import('./engine/rows.ts')).ROWS,
  fly: async () => byId((await import('./fly/rows.ts')).rows()),
  machine: async () => (await import('./machine/rows.ts')).ROWS,
  market: async () => byId((await import('./market/rows.ts')).rows()),
  skeleton: async () => byId((await import('./skeleton/rows.ts')).rows()),
};

const HELP = `npm run bench -- <area>[.<row>] [--only id] [--json]

Areas: ${Object.keys(AREAS).join(', ')}
  --only id   one row, e.g. skeleton.boot; naming the row itself does the same
  --hours N   machine.soak: so many hours of the market, each a minute (8 unless given)
  --json      one line a row: {"id","value","unit","must","ok","p99","peer","peerValue","ratio","peers","also",…}

Examples:
  npm run bench -- engine
  npm run bench -- engine.pass
  npm run bench -- skeleton --only skeleton.boot --json
Exit status: 0 every row reached its figures, 3 a row fell short, 2 usage, 1 a row could not be measured.
`;

function usage(problem: string): never {
  process.stderr.write(`${problem}\n\n${HELP}`);
  process.exit(2);
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' }, json: { type: 'boolean', default: false }, hours: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false },
    // For the children of a whole area: the machine has been described.
    bare: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const [named] = positionals;
if (named === undefined) usage('Name an area.');
if (options.hours !== undefined && !(Number(options.hours) > 0)) usage(`--hours ${options.hours}: give a number above 0.`);
const hours = options.hours === undefined ? undefined : Number(options.hours);
const [area = ''] = named.split('.');
const load = AREAS[area];
if (!load) usage(`There is no area "${area}".`);
const only = options.only ?? (named === area ? undefined : named);
const rows = Object.entries(await load()).filter(([id]) => only === undefined || id === only);
if (rows.length === 0) usage(`There is no row "${only}" in ${area}.`);

// What a row has started ends with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Every row of a whole area runs in a process of its own, so that none pays for what another left behind. */
const apart = (id: string): Promise<number> => new Promise((resolve, reject) => {
  const args = [import.meta.filename, area, '--only', id, '--bare', ...(options.json ? ['--json'] : []), ...(hours === undefined ? [] : ['--hours', String(hours)])];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  child.once('error', reject);
  child.once('exit', (code) => resolve(code ?? 1));
});

if (!options.json && !options.bare) process.stdout.write(`${describeMachine()}\n`);
const codes: number[] = [];
for (const [id, row] of rows) {
  if (rows.length > 1) {
    codes.push(await apart(id));
    continue;
  }
  const result = await runRow(row({ hours }), (text) => { if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text} …`); });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(options.json ? `${JSON.stringify({ ...result, machine: describeMachine() })}\n` : printRow(result));
  codes.push(result.ok ? 0 : 3);
}
// What could not be measured weighs more than what fell short.
const status = codes.find((code) => code !== 0 && code !== 3) ?? Math.max(...codes);
// A socket that a row left open must not keep it alive.
process.stdout.write('', () => process.exit(status));
