import * as clack from '@clack/prompts';
import type { Io } from '../io.ts';

/** Asks yes or no; no is the default. Ctrl-C counts as no. */
export async function confirm(message: string, io: Io): Promise<boolean> {
  const answer = await clack.confirm({ message, initialValue: false, input: io.streams.stdin, output: io.streams.stdout });
  return answer === true;
}
