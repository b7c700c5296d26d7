import { Command, InvalidArgumentError, Option } from 'commander';
import { runStandIn } from '../shared/run.ts';
import { startGemini } from './start.ts';

interface Flags { port: number; token: string; latency?: number; seed?: string; requestsPerMinute?: number; allowOrigin: string[] }

/** `local-cloud gemini …`: Google's generateContent, answered from the numbers of the prompt. */
export function geminiCommand(): Command {
  return new Command('gemini')
    .description('Gemini stand-in: generateContent with schemas, quotas, latency and errors as Google has them.')
    .requiredOption('--port <number>', 'port on loopback; 0 takes a free one', count)
    .addOption(new Option('--token <key>', 'the API key that calls must carry in x-goog-api-key').env('GEMINI_STAND_IN_TOKEN').makeOptionMandatory())
    .option('--latency <ms>', 'how long an answer takes (default: 300 to 1200 ms, by the prompt; 0 for none)', count)
    .option('--seed <text>', 'another seed gives other answers to the same prompts')
    .option('--requests-per-minute <count>', 'quota per model (default: 60)', count)
    .option('--allow-origin <origin>', 'a browser origin that may call; may be repeated', (origin: string, all: string[]) => [...all, origin], [])
    .addHelpText('after', `
Examples:
  gemini --port 4220 --token local-key
  GEMINI_STAND_IN_TOKEN=local-key gemini --port 4220 --latency 0
Then:
  curl -H 'x-goog-api-key: local-key' http://127.0.0.1:4220/v1beta/models
  curl -H 'x-goog-api-key: local-key' -H 'content-type: application/json' \\
    -d '{"contents":[{"parts":[{"text":"rsi: 24, close: 100, ema: 98. Enter?"}]}]}' \\
    http://127.0.0.1:4220/v1beta/models/gemini-2.5-flash:generateContent`)
    .action((flags: Flags) => runStandIn(() => startGemini({
      port: flags.port, token: flags.token, latencyMs: flags.latency, seed: flags.seed,
      requestsPerMinute: flags.requestsPerMinute, allowedOrigins: flags.allowOrigin,
    })));
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('Give a whole number.');
  return value;
}
