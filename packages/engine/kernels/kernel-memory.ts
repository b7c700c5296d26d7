import { KERNELS } from './binary.ts';

interface Kernels {
  /** Works off rows of code, which end before `end`, over `count` candles of the series whose state begins at `s`; the first of them is its t-th. Places are bytes. */
  run(code: number, end: number, s: number, count: number, t: number): void;
  /** Bit i: whether one row of values is greater than another (or equal, or is 1) on the i-th candle; more than `count` may be set. */
  greaterBits(a: number, b: number, count: number): number;
  greaterOrEqualBits(a: number, b: number, count: number): number;
  holdsBits(a: number, count: number): number;
}

const PAGE = 65_536;
/** What WebAssembly can address; only what is used is ever real memory. */
const MOST_PAGES = 65_536;
/** Blocks begin where a line of the processor's cache does. */
const LINE = 64;

let compiled: WebAssembly.Module | undefined;

/** Memory in which the kernels work: what a program's code, values and states lie in. It goes when nobody refers to it any more. */
export class KernelMemory {
  readonly kernels: Kernels;
  readonly #memory: WebAssembly.Memory;
  #used = 0;
  /** Blocks whose owners are gone, by their length. */
  readonly #free = new Map<number, number[]>();
  readonly #owners = new FinalizationRegistry<{ at: number; bytes: number }>(({ at, bytes }) => {
    const free = this.#free.get(bytes);
    if (free === undefined) this.#free.set(bytes, [at]);
    else free.push(at);
  });

  private constructor() {
    compiled ??= new WebAssembly.Module(Uint8Array.from(atob(KERNELS), (letter) => letter.charCodeAt(0)));
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true });
    this.kernels = new WebAssembly.Instance(compiled, { env: { memory: this.#memory } }).exports as unknown as Kernels;
  }

  /** A new one; undefined where the computer has none to give: everything is computed without it then. */
  static create(): KernelMemory | undefined {
    try {
      return new KernelMemory();
    } catch {
      return undefined;
    }
  }

  /** Room for so many doubles, zero-filled; it is given to others when the array that is returned is gone. */
  doubles(length: number): Float64Array<SharedArrayBuffer> {
    const at = this.#allocate(length * 8);
    const array = new Float64Array(this.#memory.buffer as unknown as SharedArrayBuffer, at, length);
    this.#owners.register(array, { at: array.byteOffset, bytes: roundUp(length * 8) });
    return array.fill(0);
  }

  /** Room for so many whole numbers, for as long as this lives. */
  integers(length: number): Int32Array<SharedArrayBuffer> {
    const at = this.#allocate(length * 4);
    return new Int32Array(this.#memory.buffer as unknown as SharedArrayBuffer, at, length);
  }

  #allocate(wanted: number): number {
    const bytes = roundUp(wanted);
    const free = this.#free.get(bytes)?.pop();
    if (free !== undefined) return free;
    const at = this.#used;
    this.#used += bytes;
    const missing = Math.ceil((this.#used - this.#memory.buffer.byteLength) / PAGE);
    if (missing > 0) this.#memory.grow(Math.max(missing, Math.ceil(this.#memory.buffer.byteLength / PAGE / 2)));
    return at;
  }
}

const roundUp = (bytes: number): number => Math.ceil(bytes / LINE) * LINE;
