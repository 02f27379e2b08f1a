import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { LlavaError } from "../../../errors.ts";
import { parseChatLine } from "./line.ts";

const folder = mkdtempSync(join(tmpdir(), "llava chat-"));
const photo = join(folder, "my photo.JPG");
const notes = join(folder, "notes.txt");
const here = process.cwd();
before(() => {
  for (const path of [photo, notes, join(folder, "photo.bmp"), join(folder, "scan")]) writeFileSync(path, "");
  mkdirSync(join(folder, "pictures"));
  process.chdir(folder);
});
after(() => {
  process.chdir(here);
  rmSync(folder, { recursive: true });
});

const asked = (line: string) => {
  const parsed = parseChatLine(line);
  assert.ok("text" in parsed, `${line} is the command ${"command" in parsed && parsed.command}`);
  return { text: parsed.text, images: parsed.images };
};
const quotings = (path: string): string[] => [
  `'${path}'`,
  `"${path}"`,
  `“${path}”`,
  path,
  path.replaceAll(" ", "\\ "),
  pathToFileURL(path).href,
];

test("a path in a line is an image however a terminal pastes it, and leaves the text", () => {
  for (const pasted of quotings(photo)) {
    assert.deepEqual(asked(`What is in ${pasted} here?`), { text: "What is in here?", images: [photo] });
    assert.deepEqual(asked(`${pasted} what\n  is it?`), { text: "what\n  is it?", images: [photo] });
    assert.deepEqual(asked(pasted), { text: "", images: [photo] });
  }
  assert.deepEqual(asked(`What is in (${photo})?`).images, [photo]);
  assert.deepEqual(asked(`What's in "${photo}"?`), { text: "What's in?", images: [photo] });
});

test("names with spaces are found without quotes, the longest one that is a file", () => {
  assert.deepEqual(asked("my photo.JPG what is it?"), { text: "what is it?", images: ["my photo.JPG"] });
  assert.deepEqual(asked("what is in my photo.JPG?"), { text: "what is in?", images: ["my photo.JPG"] });
  assert.deepEqual(asked("./my photo.JPG").images, ["./my photo.JPG"]);
  assert.deepEqual(asked("'tis my photo.JPG and 'twas").images, ["my photo.JPG"]);
});

test("a file that is there is shown, whatever it holds: the one who opens it tells", () => {
  assert.deepEqual(asked("photo.bmp what is it?"), { text: "what is it?", images: ["photo.bmp"] });
  assert.deepEqual(asked(`Read ${notes.replaceAll(" ", "\\ ")}`), { text: "Read", images: [notes] });
  assert.deepEqual(asked("./scan what is it?").images, ["./scan"]);
});

test("a word that can only mean an image is an error where there is none, naming the nearest files", () => {
  const wrong: [line: string, message: RegExp][] = [
    ["nosuch.jpg what is this?", /^nosuch\.jpg: no such file$/],
    ["~/nosuch-x.jpg what is this?", /nosuch-x\.jpg: no such file/],
    ["Is  missing.jpg  there?", /^missing\.jpg: no such file$/],
    ["What is in missing.png?", /^missing\.png: no such file$/],
    ["my phoot.JPG what?", /^phoot\.JPG: no such file; did you mean "my photo\.JPG"\?$/],
    ['"my other.jpg" what?', /^my other\.jpg: no such file/],
    ["my\\ other.jpg what?", /^my other\.jpg: no such file/],
    ["file:///nowhere/x.png what?", /^\/nowhere\/x\.png: no such file/],
    ["file://host/x.png what?", /^file:\/\/host\/x\.png: no such file/],
    ["/tmp/nowhere.png what?", /^\/tmp\/nowhere\.png: no such file/],
    ["./nowhere what?", /^\.\/nowhere: no such file/],
    ["photo.pngx what?", /^photo\.pngx: no such file/],
    ["photo.bpm.jgp what?", /no such file/],
    ["./pictures what?", /^\.\/pictures: is a directory, expected an image file/],
  ];
  for (const [line, message] of wrong) assert.throws(() => parseChatLine(line), { code: "image", message });
});

test("addresses that end like an image are one; others stay text and are told", () => {
  assert.deepEqual(asked("https://example.org/a.png http://example.org/b.JPEG?s=2 compare"), {
    text: "compare",
    images: ["https://example.org/a.png", "http://example.org/b.JPEG?s=2"],
  });
  const line = "See https://example.com for docs, (http://example.org/x.html).";
  assert.deepEqual(parseChatLine(line), {
    text: line,
    images: [],
    addresses: ["https://example.com", "http://example.org/x.html"],
  });
  assert.deepEqual(asked("data:image/png;base64,AAAA what?").images, ["data:image/png;base64,AAAA"]);
});

test("sentences stay as they are", () => {
  for (const line of [
    `He said "cat" and 'dog'`,
    "and/or, 3.5 vs. e.g. U.S.A. at /24; is a.b c? ~ 1/2 ... (yes)",
    "several\n\n  lines\tof text",
    "Is the scan in pictures good?",
  ])
    assert.deepEqual(asked(line), { text: line, images: [] });
});

test("commands begin with a slash; a pasted absolute path is none", () => {
  assert.deepEqual(parseChatLine(" /image  a b.png "), { command: "image", argument: "a b.png" });
  assert.deepEqual(parseChatLine("/RESET"), { command: "reset", argument: "" });
  assert.deepEqual(parseChatLine("/system two\nlines"), { command: "system", argument: "two\nlines" });
  assert.deepEqual(parseChatLine("/nosuch2 x"), { command: "nosuch2", argument: "x" });
});

test("a path that is typed is an image or an error, never text; nothing else is lost, and nothing breaks", () => {
  const letters = fc.constantFrom(..."abcXYZ012-_ ()'é&".split(""));
  const name = fc
    .array(letters, { minLength: 1, maxLength: 12 })
    .map((chars) => chars.join("").trim())
    .filter((text) => /^\w/.test(text) && !text.includes("  ") && !text.endsWith("."));
  const suffix = fc.constantFrom(".jpg", ".PNG", ".webp", ".bmp", ".heic");
  const sentence = fc.constantFrom("What is it?", "compare", "Is this a cat, or 2 dogs", "a\nb");
  fc.assert(
    fc.property(
      name,
      suffix,
      fc.boolean(),
      fc.nat(3),
      sentence,
      fc.boolean(),
      (stem, end, exists, how, said, first) => {
        const path = join(folder, "pictures", `${stem}${end}`);
        if (exists) writeFileSync(path, "");
        const escaped = path.replace(/[^\w./-]/g, "\\$&");
        const typed = [escaped, `"${path}"`, path, pathToFileURL(path).href][how]!;
        const line = first ? `${typed} ${said}` : `${said} ${typed}`;
        try {
          const parsed = asked(line);
          assert.ok(exists, `${line} became text`);
          assert.deepEqual(parsed, { text: said, images: [path] });
        } catch (error) {
          if (exists || !(error instanceof LlavaError)) throw error;
          assert.match(error.message, /no such file/);
        } finally {
          rmSync(path, { force: true });
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("any line is read, or refused in words", () => {
  const pieces = fc.constantFrom(
    "/",
    "~/",
    '"',
    "'",
    "\\",
    " ",
    "\n",
    ".jpg",
    "a",
    "https://",
    "data:image/",
    "file:",
    "\0",
    "(",
    "`",
  );
  const line = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(pieces).map((parts) => parts.join("")),
  );
  const read = (text: string): void => {
    try {
      parseChatLine(text);
    } catch (error) {
      assert.ok(error instanceof LlavaError, String(error));
      assert.ok(error.message.length < 500);
    }
  };
  fc.assert(fc.property(line, read), { numRuns: 1000 });
  for (const long of [
    "a".repeat(1e5),
    "!".repeat(1e5),
    '"'.repeat(2e4),
    "a/".repeat(1e5),
    `${"x".repeat(1e4)}.jpg`,
  ]) {
    read(long);
    read(`/${long}`);
    read(`what ${long} is`);
  }
});
