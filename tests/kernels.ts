// `npm run kernels`: compiles the engine's kernels.as and writes what came out to binary.ts beside it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileKernels, KERNELS } from './support/compile-kernels.ts';

writeFileSync(join(KERNELS, 'binary.ts'), `// What \`npm run kernels\` makes of kernels.as: WebAssembly, in base64.\nexport const BINARY = '${(await compileKernels()).toString('base64')}';\n`);
