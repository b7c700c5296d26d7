// `npm run kernels`: compiles kernels.as and writes what came out to binary.ts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileKernels } from './compile.ts';

writeFileSync(join(import.meta.dirname, 'binary.ts'), `// What \`npm run kernels\` makes of kernels.as: WebAssembly, in base64.\nexport const BINARY = '${(await compileKernels()).toString('base64')}';\n`);
