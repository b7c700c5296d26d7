/** More names than the exchange has symbols and streams: whatever fills it up is none of its own. */
const MOST = 16_384;

/**
 * The strings of names that come again and again as bytes: one string each, found without making it anew. Bytes are plain ASCII.
 */
export class ByteNames {
  readonly #names = new Map<number, string>();

  /** The text of these bytes. */
  of(bytes: Buffer, from: number, to: number): string {
    // FNV-1a, 32 bits. Source: Fowler, Noll, Vo.
    let hash = 0x811c9dc5;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    const known = this.#names.get(hash);
    if (known !== undefined && is(known, bytes, from, to)) return known;
    const name = bytes.toString('latin1', from, to);
    if (this.#names.size >= MOST) this.#names.clear();
    // Of two names with the same hash the newest is kept.
    this.#names.set(hash, name);
    return name;
  }
}

function is(name: string, bytes: Buffer, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let at = 0; at < name.length; at++) if (bytes[from + at] !== name.charCodeAt(at)) return false;
  return true;
}
