import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { EventFile } from "./tensorboard.ts";

const root = temporaryFolder("llava-events");

/** Bit by bit, after RFC 3720. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function assertChecksum(stored: number, bytes: Uint8Array): void {
  const rotated = (stored - 0xa282ead8) >>> 0;
  assert.equal(((rotated >>> 17) | (rotated << 15)) >>> 0, crc32c(bytes));
}

/** The whole records of a file that may end anywhere. */
function records(file: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 12 <= file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    if (at + length + 16 > file.length) break;
    assertChecksum(file.readUInt32LE(at + 8), file.subarray(at, at + 8));
    const event = file.subarray(at + 12, at + 12 + length);
    assertChecksum(file.readUInt32LE(at + 12 + length), event);
    found.push(event);
    at += length + 16;
  }
  return found;
}

/** The fields of a message: numbers as they are, nested messages as bytes. */
function fields(bytes: Uint8Array): [number, number | Uint8Array][] {
  const reader = new BinaryReader(bytes);
  const found: [number, number | Uint8Array][] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.Varint) found.push([field, Number(reader.int64())]);
    else if (type === WireType.Bit64) found.push([field, reader.double()]);
    else if (type === WireType.Bit32) found.push([field, reader.float()]);
    else found.push([field, reader.bytes()]);
  }
  return found;
}

function decode(event: Uint8Array) {
  const { 1: wallTime, 2: step, 3: version, 5: summary, 7: session } = Object.fromEntries(fields(event));
  const scalars = fields((summary as Uint8Array | undefined) ?? new Uint8Array()).map(([, value]) => {
    const { 1: tag, 2: scalar } = Object.fromEntries(fields(value as Uint8Array));
    return [Buffer.from(tag as Uint8Array).toString(), scalar];
  });
  return {
    wallTime,
    step,
    version: version && Buffer.from(version as Uint8Array).toString(),
    scalars,
    session,
  };
}

describe("an event file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(root, "run-"));
  });
  const only = (): Buffer => {
    const names = readdirSync(folder);
    assert.equal(names.length, 1);
    assert.match(names[0]!, /^events\.out\.tfevents\.1700000000\./);
    return readFileSync(join(folder, names[0]!));
  };

  test("holds its version, the start of the session, and every entry by section", async () => {
    const file = await EventFile.create(folder, 4, () => 1_700_000_000_500);
    file.write({ step: 5, loss: 2.5, tokensPerSecond: 1000, peakMebibytes: 512 });
    file.write({ step: 5, heldOutLoss: Number.NaN });
    const events = records(only()).map(decode);
    assert.deepEqual(
      events.map(({ step }) => step),
      [0, 5, 5, 5],
    );
    assert.ok(events.every(({ wallTime }) => wallTime === 1_700_000_000.5));
    assert.equal(events[0]!.version, "brain.Event:2");
    assert.deepEqual(fields(events[1]!.session as Uint8Array), [[1, 1]]); // status START: steps from 5 on begin anew
    assert.deepEqual(events[2]!.scalars, [
      ["train/loss", 2.5],
      ["speed/tokensPerSecond", 1000],
      ["memory/peakMebibytes", 512],
    ]);
    assert.deepEqual(events[3]!.scalars, [["evaluation/heldOutLoss", Number.NaN]]);
  });

  test("is readable up to wherever it was cut", async () => {
    const file = await EventFile.create(folder, 0, () => 1_700_000_000_000);
    const ends = [1, 2, 3, 4].map((step) => {
      file.write({ step, loss: step });
      return only().length;
    });
    const whole = only();
    fc.assert(
      fc.property(fc.integer({ min: ends[0]!, max: whole.length }), (length) => {
        const losses = records(whole.subarray(0, length))
          .map(decode)
          .flatMap(({ scalars }) => scalars.map(([, value]) => value));
        assert.deepEqual(losses, [1, 2, 3, 4].slice(0, ends.filter((end) => end <= length).length));
      }),
    );
  });

  test("is followed by another when its run is resumed", async () => {
    const first = await EventFile.create(folder, 0, () => 1_700_000_000_000);
    first.write({ step: 1, loss: 1 });
    const second = await EventFile.create(folder, 1, () => 1_700_000_009_000);
    second.write({ step: 2, loss: 2 });
    const names = readdirSync(folder).sort();
    assert.equal(names.length, 2);
    const steps = names.map((name) => records(readFileSync(join(folder, name))).map(decode));
    assert.deepEqual(
      steps[1]!.map(({ step }) => step),
      [0, 2, 2],
    );
  });
});
