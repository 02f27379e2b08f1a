import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { isImageArgument, parseChatLine } from "./chat-line.ts";

const folder = mkdtempSync(join(tmpdir(), "llava chat-"));
after(() => rmSync(folder, { recursive: true }));
const photo = join(folder, "my photo.JPG");
const notes = join(folder, "notes.txt");
for (const path of [photo, notes]) writeFileSync(path, "");

test("a path in a line is an image however a terminal pastes it, and leaves the text", () => {
  for (const pasted of [
    `'${photo}'`,
    `"${photo}"`,
    photo.replaceAll(" ", "\\ "),
    pathToFileURL(photo).href,
  ]) {
    assert.deepEqual(parseChatLine(`What is in ${pasted} here?`), {
      text: "What is in here?",
      images: [photo],
    });
  }
});

test("web addresses are images, in their order", () => {
  const line = "https://example.org/a.png http://example.org/b compare";
  assert.deepEqual(parseChatLine(line), {
    text: "compare",
    images: ["https://example.org/a.png", "http://example.org/b"],
  });
});

test("a file that is no image, a missing one and quotes in a sentence stay text", () => {
  for (const line of [
    `Read ${notes.replaceAll(" ", "\\ ")}`,
    "Is  missing.jpg  there?",
    `He said "cat" and 'dog'`,
  ]) {
    assert.deepEqual(parseChatLine(line), { text: line, images: [] });
  }
});

test("commands begin with a slash; a pasted absolute path is none", () => {
  assert.deepEqual(parseChatLine(" /image  a b.png "), { command: "image", argument: "a b.png" });
  assert.deepEqual(parseChatLine("/reset"), { command: "reset", argument: "" });
  assert.deepEqual(parseChatLine("/tmp/nowhere.png what?"), { text: "/tmp/nowhere.png what?", images: [] });
});

test("a word of the command line is an image if it is a file or named like one", () => {
  const words = [notes, photo, "missing.jpg", "https://example.org/x"];
  assert.deepEqual(words.map(isImageArgument), [true, true, true, true]);
  assert.deepEqual(["What is in photo.jpg", "organisation/name", "hello"].map(isImageArgument), [
    false,
    false,
    false,
  ]);
});
