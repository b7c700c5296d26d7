import { createProgram } from './program.ts';

// Whoever read our output has gone (`| head`): what is still said is said to nobody.
for (const stream of [process.stdout, process.stderr]) stream.on('error', (error: NodeJS.ErrnoException) => { if (error.code !== 'EPIPE') throw error; });

process.exitCode = await createProgram().run(process.argv.slice(2));
