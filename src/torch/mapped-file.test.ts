import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { collectGarbage } from "../../test/support/garbage.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { LlavaError } from "../errors.ts";
import { MappedFile, releasePages, scope, type Tensor, zeros } from "./index.ts";

const folder = temporaryFolder("llava-mapped");

function fileOf(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

test("a tensor lies over the file's bytes, and writing to it never reaches the file", () => {
  const path = fileOf("values", floats(1, 2, 3, 4));
  const file = MappedFile.open(path);
  assert.equal(file.byteLength, 16);
  const part = file.tensor(4, [2], "float32");
  const same = file.tensor(0, [4], "float32");
  assert.deepEqual(part.toNumbers(), [2, 3]);
  part.fill_(9);
  assert.deepEqual(same.toNumbers(), [1, 9, 9, 4]); // the same memory
  assert.deepEqual(new Float32Array(file.bytes(4, 12).buffer), Float32Array.of(9, 9));
  assert.deepEqual(new Uint8Array(readFileSync(path)), floats(1, 2, 3, 4));
});

test("a tensor keeps its mapping alive, without the file object and without the file", () => {
  const path = fileOf("gone", floats(...Array.from({ length: 1 << 16 }, (_, i) => i)));
  const take = (): Tensor => MappedFile.open(path).tensor(0, [1 << 16], "float32");
  const tensor = take();
  rmSync(path);
  collectGarbage();
  assert.equal(tensor.sum().item(), Math.fround(((1 << 16) * ((1 << 16) - 1)) / 2));
  const view = scope(() => tensor.slice(0, 10, 12));
  tensor.dispose();
  collectGarbage();
  assert.deepEqual(view.toNumbers(), [10, 11]);
});

test("released pages leave memory and come back from the file", {
  skip: !existsSync("/proc/self/status"),
}, () => {
  const count = 1 << 22; // 16 MiB
  const path = fileOf("released", new Uint8Array(new Float32Array(count).fill(1).buffer));
  const resident = (): number =>
    Number(/RssFile:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) / 1024;
  const file = MappedFile.open(path);
  const [half, other] = [0, 2 * count].map((offset) => file.tensor(offset, [count / 2], "float32"));
  const sums = () => [half!, other!].map((tensor) => tensor.sum().item());
  assert.deepEqual(sums(), [count / 2, count / 2]);
  const before = resident();
  releasePages(half!);
  assert.ok(Math.abs(before - resident() - 8) < 1, `${before} MiB, then ${resident()}`);
  assert.deepEqual(sums(), [count / 2, count / 2]);
  const own = zeros([3]);
  releasePages(own); // lies in no file
  assert.deepEqual(own.toNumbers(), [0, 0, 0]);
});

test("ranges outside the file, misaligned offsets and impossible shapes are refused with the path", () => {
  const path = fileOf("short", floats(1, 2));
  const file = MappedFile.open(path);
  const refused = (body: () => unknown, pattern: RegExp) =>
    assert.throws(body, (error: Error) => error instanceof LlavaError && pattern.test(error.message));
  refused(() => file.tensor(4, [2], "float32"), /short: bytes 4 to 12 lie outside the file's 8/);
  refused(() => file.tensor(-4, [1], "float32"), /lie outside/);
  refused(() => file.tensor(2, [1], "float32"), /not aligned/);
  refused(() => file.tensor(0, [2 ** 32, 2 ** 32], "float32"), /no tensor can have this shape/);
  refused(() => file.tensor(0, [-1, -2], "float32"), /no tensor can have this shape/);
  refused(() => file.tensor(0.5, [1], "float32"), /whole number/);
  refused(() => file.bytes(4, 2), /lie outside/);
  refused(() => file.bytes(0, 9), /bytes 0 to 9 lie outside the file's 8/);
  assert.equal(file.tensor(8, [0], "float32").elements, 0);
});

test("a file cut short before it is opened shows its true length; an empty one holds nothing", () => {
  const path = fileOf("cut", floats(1, 2, 3, 4));
  truncateSync(path, 6);
  const file = MappedFile.open(path);
  assert.equal(file.byteLength, 6);
  assert.throws(() => file.tensor(0, [2], "float32"), /bytes 0 to 8 lie outside the file's 6/);
  const empty = MappedFile.open(fileOf("empty", new Uint8Array(0)));
  assert.deepEqual(
    [empty.byteLength, empty.bytes().length, empty.tensor(0, [0], "int64").elements],
    [0, 0, 0],
  );
});

test("what is no file is refused: a missing one, a folder, a pipe without a writer", () => {
  assert.throws(() => MappedFile.open(join(folder, "absent")), /absent: No such file/);
  assert.throws(() => MappedFile.open(folder), /not a file/);
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  assert.throws(() => MappedFile.open(pipe), /pipe: not a file/);
});

test("a file that gets shorter while it is in use ends the process with a message, not with a crash", () => {
  const path = fileOf("cut", new Uint8Array(1 << 20));
  const torch = new URL("./index.ts", import.meta.url).href;
  const script = `
    import { truncateSync } from "node:fs";
    import { MappedFile } from ${JSON.stringify(torch)};
    const tensor = MappedFile.open(${JSON.stringify(path)}).tensor(0, [1 << 18], "float32");
    truncateSync(${JSON.stringify(path)}, 4096);
    console.log(tensor.sum().item());`;
  const { status, signal, stderr, stdout } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", script],
    {
      encoding: "utf8",
    },
  );
  assert.deepEqual([status, signal, stdout], [1, null, ""]);
  assert.match(stderr, /^llava: .*cut: was cut short while it was in use\nGet the file again.*\n$/);
});
