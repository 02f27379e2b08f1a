import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { zipArchive } from "../../test/support/zip.ts";
import { extractZip, extractZipMember, unzippedBytes } from "./unzip.ts";

const folder = temporaryFolder("llava-zip");

const text = Buffer.from("the same words again and again. ".repeat(9000));
const noise = Buffer.from(Uint8Array.from({ length: 5000 }, (_, index) => (index * index * 31) >> 3));
const archive = zipArchive([
  { name: "package/readme.txt", content: text },
  { name: "package/weights.bin", content: noise, stored: true },
  { name: "package/empty", content: Buffer.alloc(0), stored: true },
]);

function save(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("extractZipMember", () => {
  const target = join(folder, "out");

  test("restores deflated and stored members", async () => {
    const path = save("good.zip", archive);
    const reported: number[] = [];
    await extractZipMember(path, "package/readme.txt", target, { onBytes: (count) => reported.push(count) });
    assert.deepEqual(readFileSync(target), text);
    assert.equal(reported.at(-1), text.length);
    await extractZipMember(path, "package/weights.bin", target);
    assert.deepEqual(readFileSync(target), noise);
  });

  test("restores an empty member", async () => {
    await extractZipMember(save("good.zip", archive), "package/empty", target);
    assert.equal(readFileSync(target).length, 0);
  });

  test("finds the directory before a comment at the end", async () => {
    const comment = Buffer.from("PK comment");
    const end = Buffer.from(archive);
    end.writeUInt16LE(comment.length, archive.length - 2);
    await extractZipMember(save("comment.zip", Buffer.concat([end, comment])), "package/weights.bin", target);
    assert.deepEqual(readFileSync(target), noise);
  });

  test("names the archive and the member that it lacks", async () => {
    const path = save("good.zip", archive);
    await assert.rejects(extractZipMember(path, "package/other", target), {
      code: "checkpoint",
      message: /good\.zip: it has no member "package\/other"/,
    });
  });

  test("refuses an archive that is cut short", async () => {
    const path = save("short.zip", archive.subarray(0, archive.length - 40));
    await assert.rejects(extractZipMember(path, "package/readme.txt", target), { code: "checkpoint" });
    await assert.rejects(extractZipMember(save("tiny.zip", Buffer.from("PK")), "a", target), {
      code: "checkpoint",
    });
  });

  test("refuses deflated bytes that are damaged", async () => {
    const damaged = Buffer.from(archive);
    damaged.fill(0xff, 60, 90);
    await assert.rejects(extractZipMember(save("damaged.zip", damaged), "package/readme.txt", target), {
      code: "checkpoint",
    });
  });
});

describe("extractZip", () => {
  test("restores all members under their paths, small and large", async () => {
    const large = Buffer.from("many words. ".repeat(300_000));
    const path = save(
      "all.zip",
      zipArchive([
        { name: "a/", content: Buffer.alloc(0), stored: true },
        { name: "a/large.txt", content: large },
        { name: "a/large.bin", content: large, stored: true },
        { name: "b/c/small", content: noise },
      ]),
    );
    const all = join(folder, "all");
    const reported: number[] = [];
    await extractZip(path, all, { onBytes: (count) => reported.push(count) });
    assert.deepEqual(readFileSync(join(all, "a/large.txt")), large);
    assert.deepEqual(readFileSync(join(all, "a/large.bin")), large);
    assert.deepEqual(readFileSync(join(all, "b/c/small")), noise);
    assert.equal(reported.at(-1), unzippedBytes(path));
  });

  test("writes nothing outside of its folder", async () => {
    for (const name of ["../out", "/tmp/out", "a/../../out"]) {
      const path = save("outside.zip", zipArchive([{ name, content: noise }]));
      await assert.rejects(extractZip(path, join(folder, "inside")), {
        code: "checkpoint",
        message: /outside/,
      });
    }
  });
});
