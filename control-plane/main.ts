import { codeOf, sentenceOf } from '@trademind/core';
import { startControlPlane } from './control-plane.ts';
import { processEnvironment, readSettings } from './env.ts';
import { createLog } from './log.ts';

/** The environment is not one that this program can run with (sysexits' EX_CONFIG). */
const EXIT_CONFIG = 78;
/** A close that takes longer than this is not waited for. */
const CLOSE_MS = 10_000;

const read = readSettings(processEnvironment());
if (!read.ok) {
  process.stderr.write(`The control plane cannot start; correct its environment:\n${read.problems.map((problem) => `  ${problem}\n`).join('')}`);
  process.exit(EXIT_CONFIG);
}
const { settings } = read;
const log = createLog(settings);

try {
  const controlPlane = await startControlPlane(settings, log);
  process.stdout.write(`${JSON.stringify({ ready: true, name: 'control-plane', url: controlPlane.url, pid: process.pid, metrics: controlPlane.metricsUrl })}\n`);
  let ending = false;
  const end = (why: string) => {
    if (ending) return;
    ending = true;
    log.info({ why }, 'ending');
    setTimeout(() => process.exit(1), CLOSE_MS).unref();
    controlPlane.close().then(() => process.exit(0), (error: unknown) => { log.error({ err: error }, 'did not end cleanly'); process.exit(1); });
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  // whoever started this process is gone
  if (process.channel) process.on('disconnect', () => end('the parent went away'));
} catch (error) {
  process.stdout.write(`${JSON.stringify({ ready: false, name: 'control-plane', code: codeOf(error), message: sentenceOf(error) })}\n`);
  process.exitCode = 1;
}
