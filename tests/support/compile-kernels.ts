import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';

/** Where the kernels' source lies, and what is made of it. */
export const KERNELS = join(import.meta.dirname, '../../packages/engine/kernels');
const SOURCE = join(KERNELS, 'kernels.as');
/** No runtime, no memory of its own, and nothing but WebAssembly 1.0 with vectors and shared memory. */
const OPTIONS = ['-O3', '--converge', '--noAssert', '--runtime', 'stub', '--enable', 'simd', '--enable', 'threads', '--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'];

/** Compiles kernels.as; the module's bytes, the same for the same source. Throws an Error with the compiler's words. */
export async function compileKernels(): Promise<Buffer> {
  let bytes: Uint8Array | undefined;
  const stderr = asc.createMemoryStream();
  const { error } = await asc.main(['kernels.ts', '--outFile', 'kernels.wasm', ...OPTIONS], {
    readFile: (name) => (name === 'kernels.ts' ? readFileSync(SOURCE, 'utf8') : null),
    writeFile: (_name, contents) => { if (typeof contents !== 'string') bytes = contents; },
    listFiles: () => [], stderr,
  });
  if (error !== null || bytes === undefined) throw new Error(`kernels.as does not compile: ${stderr.toString()}`, { cause: error });
  return Buffer.from(bytes);
}
