import { BINARY } from './binary.ts';
import { Blocks, type Block } from './blocks.ts';

interface Kernels {
  /** Works off rows of code, which end before `end`, over `count` candles of the series whose state begins at `s`; the first of them is its t-th. Places are bytes. */
  run(code: number, end: number, s: number, count: number, t: number): void;
  /** Works off checks (`CHECK`), which end before `end`, over a block of `count` candles: from `out` on a word for each, bit i for the i-th candle. */
  check(code: number, end: number, out: number, count: number): void;
}

const PAGE = 65_536;
/** What WebAssembly can address; only what was written to is real memory. */
const MOST_PAGES = 65_536;
const FIRST_PAGES = 16;

/**
 * The memory in which the kernels of this thread work: what code, values and states lie in. It is declared shared only because its arrays then outlive its growth; no other thread
 * sees it.
 */
export class KernelMemory {
  static #ofThread: KernelMemory | undefined;
  static #fault: string | undefined;
  readonly kernels: Kernels;
  readonly #memory: WebAssembly.Memory;
  readonly #blocks = new Blocks();
  readonly #owners = new FinalizationRegistry<readonly Block[]>((blocks) => {
    for (const block of blocks) this.#blocks.release(block);
  });

  private constructor() {
    this.#memory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum: MOST_PAGES, shared: true });
    const module = new WebAssembly.Module(Uint8Array.from(atob(BINARY), (letter) => letter.charCodeAt(0)));
    this.kernels = new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports as unknown as Kernels;
  }

  /** That of this thread; undefined where WebAssembly or the address space for it is missing: everything is computed without it then, and `fault` says why. */
  static ofThread(): KernelMemory | undefined {
    if (KernelMemory.#ofThread === undefined && KernelMemory.#fault === undefined) {
      try {
        KernelMemory.#ofThread = new KernelMemory();
      } catch (error) {
        KernelMemory.#fault = error instanceof Error ? error.message : String(error);
      }
    }
    return KernelMemory.#ofThread;
  }

  /** Why there are no kernels on this thread; undefined where there are. */
  static fault(): string | undefined {
    KernelMemory.ofThread();
    return KernelMemory.#fault;
  }

  /** Room for so many doubles, whatever was there before; it is the caller's until `release`. Throws a RangeError when there is no more. */
  doubles(length: number): Float64Array {
    const { at } = this.#take(length * 8);
    return new Float64Array(this.#memory.buffer, at, length);
  }

  integers(length: number): Int32Array {
    const { at } = this.#take(length * 4);
    return new Int32Array(this.#memory.buffer, at, length);
  }

  /** Gives back what `doubles` gave; nobody may use it any more. */
  release({ byteOffset, byteLength }: Float64Array): void {
    this.#blocks.release({ at: byteOffset, bytes: byteLength });
  }

  /** These arrays go when their owner is gone. */
  releaseWith(owner: object, arrays: readonly (Float64Array | Int32Array)[]): void {
    this.#owners.register(owner, arrays.map(({ byteOffset, byteLength }) => ({ at: byteOffset, bytes: byteLength })));
  }

  /** Bytes that are in use. */
  get used(): number {
    return this.#blocks.used;
  }

  #take(bytes: number): Block {
    const block = this.#blocks.take(bytes);
    const missing = Math.ceil((block.at + block.bytes - this.#memory.buffer.byteLength) / PAGE);
    // Growing costs the more the oftener it is done; pages that nobody has written to are no memory yet.
    if (missing > 0) this.#memory.grow(Math.max(missing, this.#memory.buffer.byteLength / PAGE));
    return block;
  }
}

/**
 * Why screening on this thread takes twice as long as it might: what the system said when the compiled kernels were loaded; undefined where they run. What is computed is the same either way.
 */
export const kernelFault = (): string | undefined => KernelMemory.fault();
