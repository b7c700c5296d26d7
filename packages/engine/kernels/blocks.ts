/** Bytes of memory: so many from `at` on. */
export interface Block { readonly at: number; readonly bytes: number }

/** Blocks begin and end where a line of the processor's cache does. */
const LINE = 64;
const roundUp = (bytes: number): number => Math.max(LINE, Math.ceil(bytes / LINE) * LINE);

/** Which parts of a memory are in use: blocks are taken where the first gap has room for them, and what is given back joins the gaps beside it. */
export class Blocks {
  /** In order; never two that touch. */
  readonly #gaps: Block[] = [];
  #end = 0;
  #used = 0;

  /** A block of at least so many bytes. Beyond the end of the memory it is for the caller to make it longer. */
  take(wanted: number): Block {
    const bytes = roundUp(wanted);
    this.#used += bytes;
    const index = this.#gaps.findIndex((gap) => gap.bytes >= bytes);
    if (index >= 0) {
      const gap = this.#gaps[index]!;
      if (gap.bytes === bytes) this.#gaps.splice(index, 1);
      else this.#gaps[index] = { at: gap.at + bytes, bytes: gap.bytes - bytes };
      return { at: gap.at, bytes };
    }
    const at = this.#end;
    this.#end += bytes;
    return { at, bytes };
  }

  /** Gives a block back, by the bytes that were wanted or those that were given. */
  release({ at, bytes: wanted }: Block): void {
    const bytes = roundUp(wanted);
    this.#used -= bytes;
    let index = this.#gaps.findIndex((gap) => gap.at > at);
    if (index < 0) index = this.#gaps.length;
    const before = this.#gaps[index - 1];
    const after = this.#gaps[index];
    const joinsBefore = before !== undefined && before.at + before.bytes === at;
    const joinsAfter = after !== undefined && at + bytes === after.at;
    const gap = { at: joinsBefore ? before.at : at, bytes: bytes + (joinsBefore ? before.bytes : 0) + (joinsAfter ? after.bytes : 0) };
    const from = joinsBefore ? index - 1 : index;
    this.#gaps.splice(from, Number(joinsBefore) + Number(joinsAfter), gap);
    if (gap.at + gap.bytes !== this.#end) return;
    this.#gaps.splice(from, 1);
    this.#end = gap.at;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }
}
