import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { PasteReader } from "./paste-reader.ts";

/** What readline would see of chunks of keys, and that with the pasted texts in their places. */
async function read(
  ...chunks: readonly (string | Uint8Array)[]
): Promise<{ seen: string; expanded: string }> {
  const source = new PassThrough();
  const reader = new PasteReader(source);
  let seen = "";
  reader.on("data", (chunk: Buffer) => {
    seen += chunk;
  });
  const ended = new Promise((resolve) => reader.once("end", resolve));
  for (const chunk of chunks) source.write(chunk);
  source.end();
  await ended;
  return { seen, expanded: reader.expand(seen) };
}
const paste = (text: string): string => `\u001b[200~${text}\u001b[201~`;

test("a pasted text of several lines has a short name in the line, and is whole when it is expanded", async () => {
  const { seen, expanded } = await read("see: ", paste("a\r\nb\rc\n"), " ok\r");
  assert.equal(seen, "see: [paste 1: 3 lines] ok\r");
  assert.equal(expanded, "see: a\nb\nc ok\r");
  const two = await read(paste("a\nb"), paste("c\nd"));
  assert.equal(two.expanded, "a\nbc\nd");
});

test("a pasted line is typed in, without what could move the cursor", async () => {
  assert.equal((await read(paste("/a b\\ c.png "))).seen, "/a b\\ c.png ");
  assert.equal((await read(paste("a\u001b[2Jb\tc"))).seen, "a[2Jb c");
  assert.equal((await read(paste(""))).seen, "");
  const long = "x".repeat(5000);
  assert.deepEqual(await read(paste(long)), { seen: "[paste 1: 5000 characters]", expanded: long });
});

test("keys pass as they are; several lines at once are a paste, but for commands", async () => {
  for (const keys of [
    "a\r",
    "\u0003",
    "\u001b[A",
    "\u001b[2~",
    "é",
    "/reset\rWhat?\r",
    '"""\ra\rb\r"""\r',
    "a\\\rb\r",
    "a\r\n",
  ])
    assert.equal((await read(keys)).seen, keys);
  assert.deepEqual(await read("a\rb\rc\r"), { seen: "[paste 1: 3 lines]\r", expanded: "a\nb\nc\r" });
  assert.deepEqual(await read("a\nb"), { seen: "[paste 1: 2 lines]", expanded: "a\nb" });
});

test("a name that nobody pasted is text", async () => {
  const { expanded } = await read("[paste 1: 2 lines] [paste 7: 1 lines]");
  assert.equal(expanded, "[paste 1: 2 lines] [paste 7: 1 lines]");
});

test("wherever the chunks are cut, the same is read", async () => {
  const text = fc
    .array(fc.constantFrom("a", "é", "\n", "\r", "😀", " "), { maxLength: 8 })
    .map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(60), { maxLength: 4 }), async (pasted, cuts) => {
      const bytes = Buffer.from(`x${paste(pasted)}y`);
      const ends = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      // One letter or two of a mark are keys of their own, so that marks are not cut there.
      const isSound = ends.every((cut) =>
        ["\u001b", "\u001b["].every((key) => !bytes.subarray(0, cut).toString("latin1").endsWith(key)),
      );
      fc.pre(isSound);
      const chunks = ends.slice(1).map((end, index) => bytes.subarray(ends[index], end));
      const expected = pasted.replace(/\r\n?/g, "\n").replace(/\n$/, "");
      assert.equal((await read(...chunks)).expanded, `x${expected}y`);
    }),
    { numRuns: 200 },
  );
});
