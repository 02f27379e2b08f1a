import { appendFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { createCRC32 } from "hash-wasm";
import { makeFolder, writing } from "../../files/index.ts";
import type { LogEntry, LogSink } from "./log.ts";

/** Bit-reversed, as the hash takes it. */
const CRC_32C = 0x82f63b78;
/** Added to rotated sums, so that a sum over data with sums inside does not degenerate. */
const MASK = 0xa282ead8;

/** The section of TensorBoard that a field of the log is drawn in; "train" where none is named. */
const sections: Readonly<Record<string, string>> = {
  heldOutLoss: "evaluation",
  mismatchedLoss: "evaluation",
  tokensPerSecond: "speed",
  seconds: "speed",
  mebibytes: "memory",
  peakMebibytes: "memory",
};

/**
 * The run's log as a TensorBoard event file: TFRecords of `Event` messages (tensorflow/core/util/event.proto). Every
 * record is written at once, and a reader stops before one that was cut short.
 */
export class EventFile implements LogSink {
  readonly #path: string;
  readonly #checksum: (bytes: Uint8Array) => number;
  readonly #now: () => number;

  private constructor(path: string, checksum: (bytes: Uint8Array) => number, now: () => number) {
    this.#path = path;
    this.#checksum = checksum;
    this.#now = now;
  }

  /**
   * Begins another file in the folder. TensorBoard drops what earlier files of the folder have from `step` + 1 on: steps of
   * a run that went on after the checkpoint it is resumed from. `now`: milliseconds since 1970.
   */
  static async create(folder: string, step: number, now: () => number = Date.now): Promise<EventFile> {
    const hasher = await createCRC32(CRC_32C);
    const checksum = (bytes: Uint8Array): number =>
      Buffer.from(hasher.init().update(bytes).digest("binary")).readUInt32BE();
    makeFolder(folder);
    // Readers take a folder's files in the order of their names.
    const started = now();
    const name = `events.out.tfevents.${Math.floor(started / 1000)}.${hostname()}.${process.pid}.${started % 1000}`;
    const file = new EventFile(join(folder, name), checksum, now);
    file.#append(0, (event) => event.tag(3, WireType.LengthDelimited).string("brain.Event:2"));
    file.#append(step + 1, (event) =>
      event.tag(7, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(1).join(),
    ); // session_log { status: START }
    return file;
  }

  write({ step, ...values }: LogEntry): void {
    this.#append(step, (event) => {
      event.tag(5, WireType.LengthDelimited).fork(); // summary
      for (const [name, value] of Object.entries(values))
        event
          .tag(1, WireType.LengthDelimited)
          .fork()
          .tag(1, WireType.LengthDelimited)
          .string(`${sections[name] ?? "train"}/${name}`)
          .tag(2, WireType.Bit32)
          .float(value)
          .join();
      event.join();
    });
  }

  #append(step: number, fill: (event: BinaryWriter) => void): void {
    const event = new BinaryWriter();
    event.tag(1, WireType.Bit64).double(this.#now() / 1000);
    event.tag(2, WireType.Varint).int64(step);
    fill(event);
    const bytes = event.finish();
    const record = Buffer.alloc(bytes.length + 16); // length, its sum, event, its sum
    record.writeBigUInt64LE(BigInt(bytes.length));
    record.writeUInt32LE(this.#masked(record.subarray(0, 8)), 8);
    record.set(bytes, 12);
    record.writeUInt32LE(this.#masked(bytes), 12 + bytes.length);
    writing(this.#path, () => appendFileSync(this.#path, record));
  }

  #masked(bytes: Uint8Array): number {
    const sum = this.#checksum(bytes);
    return (((sum >>> 15) | (sum << 17)) + MASK) >>> 0;
  }
}
