import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { runStandIn } from '../shared/run.ts';
import { readImages } from './images.ts';
import { startFly } from './start.ts';

interface Flags {
  port: number; edgePort: number; token?: string; data: string; runtime: 'process' | 'simulated'; images?: string; latency: number; seed: number;
  rateLimits: boolean; allowExec?: boolean; cpuQuota?: boolean; compileCache?: string; allowOrigin?: string[];
}

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most)) throw new InvalidArgumentError(`Give a number from ${least} to ${most}.`);
    return value;
  };
}

/** `local-cloud fly`: the stand-in as a process of its own. */
export function flyCommand(): Command {
  return new Command('fly')
    .description('Stands in for Fly: the Machines API, machines as processes or simulated, and an edge in front of them.')
    .requiredOption('--port <n>', 'port of the Machines API (0 = a free one)', number(0, 65_535))
    .requiredOption('--edge-port <n>', 'port where http://127.0.0.1:<port>/<app>/… reaches the app\'s machine (0 = a free one)', number(0, 65_535))
    .addOption(new Option('--token <t>', 'what callers must send; better given as FLY_STAND_IN_TOKEN; random when absent, said in the ready line').env('FLY_STAND_IN_TOKEN'))
    .requiredOption('--data <dir>', 'folder of everything that is kept')
    .addOption(new Option('--runtime <kind>', 'what a machine is').choices(['process', 'simulated']).default('process'))
    .option('--images <file>', 'JSON: {"registry.local/name@sha256:…": {"command": ["node", "main.ts"], "cwd": "…"}}; nothing else can be run')
    .option('--latency <factor>', 'simulated machines: 1 = as long as Fly takes, 0 = at once', number(0, 100), 1)
    .option('--seed <n>', 'simulated machines: seed of their durations', number(0, 4_294_967_295), 1)
    .option('--no-rate-limits', 'without Fly\'s rate limits')
    .option('--allow-exec', 'callers may run commands in machines; without it nothing runs but registered images')
    .option('--cpu-quota', 'machines are held to the CPU time of their size where the system has control groups (the ready line says whether)')
    .option('--compile-cache <dir>', 'NODE_COMPILE_CACHE of the machines\' processes')
    .option('--allow-origin <origin...>', 'origins of pages that may call the API')
    .addHelpText('after', `
The state survives kill -9: a new stand-in over the same folder takes over the processes that still run. SIGTERM is the host going
down: machines are drained, and started again at the next start. A path that begins with a mount (/data…) in a machine's environment is
made to name the volume's folder, since a process has no mounts of its own.

Faults, the journal and the audit are under /_stand-in (the README of local-cloud/fly lists them).

Examples:
  local-cloud fly --port 4280 --edge-port 4281 --data .trademind/fly --images images.json
  FLY_STAND_IN_TOKEN=secret local-cloud fly --port 0 --edge-port 0 --data /tmp/fly --runtime simulated --images images.json --latency 0
  curl -H "Authorization: Bearer secret" http://127.0.0.1:4280/v1/apps
  curl -H "Authorization: Bearer secret" -H 'content-type: application/json' http://127.0.0.1:4280/_stand-in/faults -d '{"kind":"wedge","state":"stopping","forMs":60000}'`)
    .action(async (flags: Flags) => {
      await runStandIn(async () => startFly({
        port: flags.port, edgePort: flags.edgePort, token: flags.token, dataDir: resolve(flags.data), runtime: flags.runtime,
        images: flags.images === undefined ? {} : readImages(flags.images),
        latency: flags.latency, seed: flags.seed, rateLimits: flags.rateLimits, allowedOrigins: flags.allowOrigin, allowExec: flags.allowExec, cpuQuota: flags.cpuQuota,
        ...(flags.compileCache === undefined ? {} : { extraEnv: { NODE_COMPILE_CACHE: resolve(flags.compileCache) } }),
      }));
    });
}
