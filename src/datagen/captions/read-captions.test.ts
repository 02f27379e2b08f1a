import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { asSentence } from "../language/grammar.ts";
import { readCaptions } from "./read-captions.ts";

const folder = temporaryFolder("captions");

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const expected = [
  { image: "a.jpg", captions: ["A dog .", "Dog"] },
  { image: "b.jpg", captions: ["A cat ."] },
];

describe("caption files", () => {
  test("of Flickr8k, COCO and LLaVA read the same", async () => {
    const row = (image: string, value: string) => ({
      id: value,
      image,
      conversations: [
        { from: "human", value: "<image>" },
        { from: "gpt", value },
      ],
    });
    const rows = [row("a.jpg", "A dog ."), row("b.jpg", "A cat ."), row("a.jpg", "Dog")];
    const coco = {
      images: [
        { id: 7, file_name: "a.jpg" },
        { id: 8, file_name: "b.jpg" },
      ],
      annotations: [
        { image_id: 7, caption: "A dog ." },
        { image_id: 8, caption: "A cat ." },
        { image_id: 7, caption: "Dog" },
      ],
    };
    const paths = [
      await file("tokens.txt", "a.jpg#0\tA dog .\nb.jpg#0\tA cat .\na.jpg#1\tDog\n"),
      await file("coco.json", JSON.stringify(coco)),
      await file("rows.json", JSON.stringify(rows)),
      await file("rows.jsonl", rows.map((one) => JSON.stringify(one)).join("\n")),
    ];
    for (const path of paths) assert.deepEqual(await readCaptions(path), expected, path);
    assert.deepEqual(await readCaptions(paths[0]!, new Set(["b.jpg"])), [expected[1]]);
  });

  test("that cannot be used are named with the place", async () => {
    const tokens = await file("bad.txt", "a.jpg#0\tA dog .\na.jpg A dog\n");
    await assert.rejects(readCaptions(tokens), { code: "data", message: /bad\.txt:2: expected/ });
    const rows = await file("bad.json", '[{"image": "a.jpg", "conversations": []}]');
    await assert.rejects(readCaptions(rows), { code: "data", message: /bad\.json: row 1: conversations/ });
    const good = await file("good.txt", "a.jpg#0\tA dog .\n");
    await assert.rejects(readCaptions(good, new Set(["c.jpg"])), {
      message: /1 images of the list, such as c\.jpg/,
    });
    await assert.rejects(readCaptions(join(folder, "none.txt")), {
      code: "data",
      message: /none\.txt: cannot be read/,
    });
  });
});

test("captions become sentences", () => {
  assert.equal(asSentence("a dog  , running ."), "A dog, running.");
  assert.equal(asSentence("A man 's hat"), "A man's hat.");
  assert.equal(asSentence('It says " stop " .'), 'It says "stop".');
});
