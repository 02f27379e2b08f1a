import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readWords } from "./command-words.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-words-"));
const here = process.cwd();
before(() => {
  for (const name of ["photo.jpg", "my photo.png", "paper.pdf"]) writeFileSync(join(folder, name), "");
  for (const name of ["llava-mine", "test"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "llava-mine/config.json"), "{}");
  process.chdir(folder);
});
after(() => {
  process.chdir(here);
  rmSync(folder, { recursive: true });
});

const sorted = (line: readonly string[], flags = {}) => {
  const { name, images, question } = readWords(line, flags);
  return [name, images, question];
};

test("a model, images and a question come in this order; each may be missing", () => {
  const cases: [words: string[], ...expected: ReturnType<typeof sorted>][] = [
    [["llava-smol-135m", "photo.jpg", "What is it?"], "llava-smol-135m", ["photo.jpg"], "What is it?"],
    [["llava-mine"], "llava-mine", [], undefined],
    [["org/model@main", "my photo.png"], "org/model@main", ["my photo.png"], undefined],
    [["photo.jpg", "What", "is", "it?"], undefined, ["photo.jpg"], "What is it?"],
    [["llava-mine", "photo.jpg", "What", "is it?"], "llava-mine", ["photo.jpg"], "What is it?"],
    [["What is it?", "photo.jpg"], undefined, ["photo.jpg"], "What is it?"],
    [["hi"], undefined, [], "hi"],
    [["Llamas", "eat", "what?"], undefined, [], "Llamas eat what?"],
    [["photo.jpg", "test", "this"], undefined, ["photo.jpg"], "test this"],
    [["https://example.org/any", "What is it?"], undefined, ["https://example.org/any"], "What is it?"],
    [["What is in photo.jpg?"], undefined, ["photo.jpg"], "What is in?"],
    [["Describe", "photo.jpg"], undefined, ["photo.jpg"], "Describe"],
    [["paper.pdf", "What is it?"], undefined, ["paper.pdf"], "What is it?"],
    [[], undefined, [], undefined],
  ];
  for (const [words, ...expected] of cases) assert.deepEqual(sorted(words), expected);
  assert.deepEqual(sorted(["photo.jpg"], { model: "m", prompt: "Is x.png <image>?" }), [
    ...["m", ["photo.jpg"], "Is x.png <image>?"],
  ]);
});

test("an address within a question stays text, and is told", () => {
  const { question, images, addresses } = readWords(["See https://example.com for docs"], {});
  assert.deepEqual(
    [question, images, addresses],
    ["See https://example.com for docs", [], ["https://example.com"]],
  );
});

test("a word that looks like a model or a file but is none is an error, never part of a question", () => {
  const cases: [words: string[], code: string, message: RegExp][] = [
    [["llava-1.5-7b", "hi"], "config", /no model or image "llava-1\.5-7b"/],
    [["llava-smol-135", "hi"], "config", /did you mean "llava-smol-135m"\?/],
    [["llava-min", "hi"], "config", /did you mean "llava-mine"/],
    [["mymodel", "What is this?"], "config", /no model or image "mymodel"/],
    [["mymodel", "photo.jpg", "What is this?"], "config", /"mymodel"/],
    [["./nofolder", "What is this?"], "image", /\.\/nofolder: no such file or folder/],
    [["./llava-mien", "What is this?"], "image", /did you mean "llava-mine"/],
    [["/no/such/folder", "What is this?"], "image", /\/no\/such\/folder: no such file or folder/],
    [["phto.jpg", "What is this?"], "image", /^phto\.jpg: no such file; did you mean "photo\.jpg"\?/],
    [["x.pngx", "What", "is", "this?"], "image", /^x\.pngx: no such file/],
    [["llava-mine", "nowhere.pdf", "What?"], "image", /^nowhere\.pdf: no such file/],
    [["llava-mine", "photo.jpg", "llava-1.5-7b", "What?"], "config", /llava-1\.5-7b/],
    [["photo.jpg", "llava-mine", "What?"], "usage", /llava-mine: a model comes first/],
    [["Is", "missing.jpg", "there?"], "image", /^missing\.jpg: no such file/],
    [["my photos.png", "What is it?"], "image", /photos\.png: no such file; did you mean "my photo\.png"/],
  ];
  for (const [words, code, message] of cases)
    assert.throws(() => readWords(words, {}), { name: "LlavaError", code, message }, words.join(" "));
});
