/** One event of one stream, made into the bytes of a WebSocket frame once, however many listen. */
export class Frame {
  readonly stream: string;
  readonly payload: string;
  #raw: Buffer | undefined;
  #combined: Buffer | undefined;

  constructor(stream: string, payload: string) {
    this.stream = stream;
    this.payload = payload;
  }

  /** The text as a raw stream (`/ws`) or a combined one (`/stream`) carries it. */
  text(combined: boolean): string {
    return combined ? `{"stream":${JSON.stringify(this.stream)},"data":${this.payload}}` : this.payload;
  }

  /** The whole frame; to be shared, never changed. */
  bytes(combined: boolean): Buffer {
    if (combined) return this.#combined ??= textFrame(this.text(true));
    return this.#raw ??= textFrame(this.payload);
  }
}

/** FIN and the opcode of a text frame (RFC 6455, 5.2); a server's frames are not masked. */
const TEXT = 0x81;

/** An unfragmented text frame. `payload` is taken as it is: a fault may hand over bytes that are no UTF-8. */
export function textFrame(payload: string | Buffer): Buffer {
  const length = Buffer.byteLength(payload);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = TEXT;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  if (typeof payload === 'string') frame.write(payload, head, 'utf8');
  else payload.copy(frame, head);
  return frame;
}
