import { Command, CommanderError, Option } from 'commander';
import { addDataCommands } from './commands/data-commands.ts';
import { EXIT } from './exit-codes.ts';
import { tellFailure } from './output/failure.ts';
import type { Io } from './io.ts';
import { processIo } from './io.ts';

const EXIT_STATUS = `
Exit status:
  0 done   1 failed   2 wrong command line   3 not signed in, or no local cloud runs   4 not found   5 runs already   130 cancelled`;

/**
 * The command line. Commands are described here and loaded when they are called, so that `--help` and the small ones start at once.
 * `run` resolves with the exit status; it never throws.
 */
export function createProgram(io: Io = processIo()): { run(args: readonly string[]): Promise<number> } {
  let status: number = EXIT.ok;
  /** Runs an action with its options; what it throws becomes one line (or one JSON line) and an exit status. */
  const act = <O extends { json?: boolean }>(load: () => Promise<(options: O, io: Io, ...rest: string[]) => Promise<number>>) =>
    async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      const options = command.optsWithGlobals<O>();
      try {
        const action = await load();
        status = await action(options, io, ...(command.processedArgs as string[]));
      } catch (error) {
        status = tellFailure(error, options.json === true, io);
      }
    };

  const program = new Command('trademind')
    .description('Screens the whole crypto market for you, on a machine of your own or right here.')
    .configureOutput({ writeOut: io.stdout, writeErr: io.stderr, getOutHasColors: () => io.color.stdout, getErrHasColors: () => io.color.stderr })
    .exitOverride()
    .showHelpAfterError('→ `trademind --help` lists the commands; `trademind <command> --help` explains one.')
    .version('0.1.0', '-V, --version')
    .addHelpText('after', `
Examples:
  $ npm start                                     the whole platform on this computer, no account needed
  $ npx trademind status                          how your machine stands
  $ npx trademind monitor                         your machine, live in this terminal
  $ npx trademind traders add my-trader.yaml      look for something else
  $ npx trademind local --market simulated        screen right here, without any cloud
${EXIT_STATUS}`);

  /** A command that needs nothing but what it is given. */
  const alone = (name: string, description: string, examples: string, parent = program): Command =>
    parent.command(name).description(description)
      .option('--json', 'JSON lines on stdout, nothing else')
      .addHelpText('after', `\nExamples:\n${examples.split('\n').map((line) => `  $ ${line}`).join('\n')}\n${EXIT_STATUS}`);
  /** One that speaks with the local cloud. */
  const sub = (name: string, description: string, examples: string, parent = program): Command =>
    alone(name, description, examples, parent).option('--data <dir>', 'data folder of the local cloud (.trademind in the checkout)');
  const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

  sub('dev', 'starts the whole platform on this computer (npm start)', 'npm start\nnpm start -- --market ../shared/data/klines --speed 60 --until first-signal\nnpm start -- --data /tmp/tm --port-base 0 --json')
    .option('--market <market>', 'live, simulated, or a folder or file of candles (remembered; default: live if Binance answers, else simulated)')
    .option('--speed <n>', 'market time per wall time for simulated and recorded markets (60)')
    .option('--port-base <n>', 'first of eight ports; 0 takes free ones (4270)')
    .addOption(new Option('--until <event>', 'exit 0 after it, with a summary').choices(['first-signal']))
    .option('--reset', 'delete the data folder first')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./commands/dev.ts')).dev));

  sub('local', 'screens the market in this terminal, without any cloud', 'npx trademind local\nnpx trademind local --market ../shared/data/klines --speed 60\nnpx trademind local --market simulated --json\nnpx trademind local --record session.gz\nnpx trademind local --replay session.gz --json')
    .option('--market <market>', 'live, simulated, or a folder or file of candles (default: live if Binance answers, else simulated)')
    .option('--speed <n>', 'market time per wall time for simulated and recorded markets (60)')
    .option('--interval <interval>', 'candle interval of traders that name none', '5m')
    .option('--traders <file...>', 'trader documents (YAML or JSON); default: those that a first start stores, with --replay those of the session')
    .addOption(new Option('--record <file>', 'record the session, frame by frame, into a new file').conflicts('replay'))
    .addOption(new Option('--replay <file>', 'screen a recorded session again, from nothing: as fast as it goes, or with --speed').conflicts('market'))
    .action(act(async () => (await import('./commands/local.ts')).local));

  sub('open', 'prints a fresh link that signs you in to the page', 'npx trademind open')
    .action(act(async () => (await import('./commands/open.ts')).open));

  sub('status', 'how the local cloud and your machine stand', 'npx trademind status\nnpx trademind status --json')
    .action(act(async () => (await import('./commands/status.ts')).status));

  sub('deploy', 'gives you a machine', 'npx trademind deploy\nnpx trademind deploy --region sin --size shared-1x-512 --yes')
    .option('--region <region>', 'where it runs, e.g. sin')
    .option('--size <size>', 'kind, vCPUs and memory in MB, e.g. shared-1x-512')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./commands/deploy.ts')).deploy));

  sub('monitor', 'your machine, live', 'npx trademind monitor\nnpx trademind monitor --json | jq .symbol')
    .action(act(async () => (await import('./commands/monitor.ts')).monitor));

  sub('logs', 'what your machine says: its last lines', 'npx trademind logs\nnpx trademind logs --follow\nnpx trademind logs -n 500 --json | jq -r \'select(.level == "error").message\'')
    .option('-n, --lines <n>', 'how many lines, at most 500', '100')
    .option('-f, --follow', 'go on with what it says from now on')
    .action(act(async () => (await import('./commands/logs.ts')).logs));

  sub('signals', 'the newest signals', 'npx trademind signals\nnpx trademind signals --limit 100 --json')
    .option('--limit <n>', 'how many', '20')
    .action(act(async () => (await import('./commands/signals.ts')).signals));

  sub('explain', 'why a trader matches a symbol, or why not, or what it waits for', 'npx trademind explain "Bollinger rejection" BTCUSDT\nnpx trademind explain "VWAP reclaim" ethusdt --json')
    .argument('<trader>', 'its name or id')
    .argument('<symbol>', 'e.g. BTCUSDT')
    .action(act(async () => (await import('./commands/explain.ts')).explain));

  sub('caps', 'what your analyses may use up in a day', 'npx trademind caps\nnpx trademind caps --usd-per-day 0.50\nnpx trademind caps --tokens-per-day 2000000 --usd-per-day 2\nnpx trademind caps --default')
    .option('--tokens-per-day <n>', 'tokens in and out, thinking included')
    .option('--usd-per-day <amount>', 'US dollars')
    .addOption(new Option('--default', 'have the default again').conflicts(['tokensPerDay', 'usdPerDay']))
    .action(act(async () => (await import('./commands/caps.ts')).caps));

  sub('destroy', 'destroys your machine, its app and its volume', 'npx trademind destroy\nnpx trademind destroy --yes --json')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./commands/destroy.ts')).destroy));

  alone('evaluate', 'what an expression is worth on each candle of a file',
    "npx trademind evaluate 'adx(14).plusDi' --candles BTCUSDT-1d.csv\nnpx trademind evaluate 'rsi(n) < 30' --param n=14 --candles BTCUSDT-1m.csv.gz --json\nnpx trademind evaluate 'crossover(fast, slow)' --let 'fast=ema(9)' --let 'slow=ema(21)' --candles candles.csv")
    .argument('<expression>', 'in the language of traders: docs/language.md, `trademind language`')
    .requiredOption('--candles <file>', 'CSV, also .gz, with openTime (or date),open,high,low,close,volume and, if you have them, quoteVolume,trades,takerBuy')
    .option('--interval <interval>', 'interval of the candles (default: by their spacing)')
    .option('--param <name=value>', 'a number that the expression may name; may be repeated', collect)
    .option('--let <name=expression>', 'an expression that the expression may name; may be repeated', collect)
    .option('--last <n>', 'rows of the table', '10')
    .action(act(async () => (await import('./commands/evaluate.ts')).evaluate));

  alone('language', 'the language of traders: all of it, or one word', 'npx trademind language\nnpx trademind language macd\nnpx trademind language --json     # completion and hover data for editors')
    .argument('[name]', 'a function, a series or an operator')
    .action(act(async () => (await import('./commands/language.ts')).language));

  const traders = program.command('traders').description('what your machine looks for');
  sub('list', 'lists your traders', 'npx trademind traders list', traders)
    .action(act(async () => (await import('./commands/traders.ts')).listTraders));
  alone('check', 'checks a trader, without any cloud, and says what it needs', 'npx trademind traders check my-trader.yaml\ncat my-trader.json | npx trademind traders check - --json', traders)
    .argument('<file>', 'trader document (YAML or JSON), or - for stdin')
    .action(act(async () => (await import('./commands/traders.ts')).checkTraders));
  alone('schema', 'prints the JSON Schema of a trader', 'npx trademind traders schema > trader.schema.json', traders)
    .action(act(async () => (await import('./commands/traders.ts')).traderSchema));
  alone('templates', 'the traders that are offered, or one of them to keep and change', 'npx trademind traders templates\nnpx trademind traders templates "VWAP reclaim" > my-trader.yaml\nnpx trademind traders templates --json', traders)
    .argument('[name]', 'a template: prints it as YAML (as JSON with --json)')
    .action(act(async () => (await import('./commands/templates.ts')).listTemplates));
  sub('add', 'checks a trader and stores it', 'npx trademind traders add my-trader.yaml\nnpx trademind traders add --template donchian-breakout', traders)
    .argument('[file]', 'trader document (YAML or JSON), or - for stdin')
    .option('--template <name>', 'one of `npx trademind traders templates` instead of a file')
    .action(act(async () => (await import('./commands/traders.ts')).addTrader));
  sub('remove', 'removes a trader', 'npx trademind traders remove "My trader"', traders)
    .argument('<name>', 'its name or id')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./commands/traders.ts')).removeTrader));

  addDataCommands(program, sub, act);

  return {
    run: async (args) => {
      try {
        if (args.length === 0) {
          program.outputHelp();
          return EXIT.ok;
        }
        await program.parseAsync(args, { from: 'user' });
        return status;
      } catch (error) {
        if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
        return tellFailure(error, false, io);
      }
    },
  };
}
