// What the image holds, laid into a folder: `node machine-image/build/main.ts <new folder>`. Run by the Dockerfile; `npm run image` builds and boots.
import { sentenceOf } from '@trademind/core';
import { buildImage } from './image.ts';
import { printSizes } from './print.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('Name a new folder: node machine-image/build/main.ts <folder>\n');
  process.exit(2);
}
try {
  process.stdout.write(printSizes(await buildImage(folder)));
} catch (error) {
  process.stderr.write(`${sentenceOf(error)}\n`);
  process.exit(1);
}
