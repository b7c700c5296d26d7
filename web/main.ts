import { codeOf, sentenceOf } from '@trademind/core';
import { readEnv } from './env.ts';
import { startDashboard, type RunningDashboard } from './start.ts';

// The dashboard as a process of its own: one JSON line on stdout when it is ready (or why it is not); ends on SIGTERM, SIGINT, or with its parent.
let dashboard: RunningDashboard | undefined;
let ending = false;

function end(): void {
  if (ending) return;
  ending = true;
  Promise.resolve(dashboard?.close()).then(() => process.exit(0), () => process.exit(1));
}

process.on('SIGTERM', end);
process.on('SIGINT', end);
if (process.channel) process.on('disconnect', end);

try {
  dashboard = await startDashboard(readEnv(process.env));
  process.stdout.write(`${JSON.stringify({ ready: true, name: 'dashboard', url: dashboard.url, pid: process.pid })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ ready: false, name: 'dashboard', code: codeOf(error), message: sentenceOf(error) })}\n`);
  ending = true;
  process.exitCode = 1;
  if (process.channel) process.disconnect();
}
