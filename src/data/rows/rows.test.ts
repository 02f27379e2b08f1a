// Files of rows, mixtures of them, and what is wrong with rows: npm test -- src/data/rows/rows.test.ts
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import type { LlavaError } from "../../errors.ts";
import type { LlavaRow } from "../../protocol/index.ts";
import { openRows } from "./open-rows.ts";
import { readRows } from "./row-file.ts";
import { filterTable, imagesOfTable } from "./row-table.ts";
import { chooseRows, parseStrategy } from "./sampling-strategy.ts";

const folder = temporaryFolder("llava-rows");

const write = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};
const row = (id: string, image: string, caption: string) => ({
  id,
  image,
  conversations: [
    { from: "human" as const, value: "<image>\nWhat is this?" },
    { from: "gpt" as const, value: caption },
  ],
});
const numbered = (name: string, count: number) =>
  write(
    name,
    Array.from({ length: count }, (_, i) => ({ ...row(`${name} ${i}`, "", "x"), image: undefined })).map(
      ({ conversations, ...rest }) => ({
        ...rest,
        conversations: conversations.map(({ from, value }) => ({
          from,
          value: value.replace("<image>\n", ""),
        })),
      }),
    ),
  );
const lines = (values: readonly unknown[]): string =>
  values.map((each) => `${JSON.stringify(each)}\n`).join("");

/** All rows of a name, and the messages about the others. */
async function opened(name: string, images = folder): Promise<{ rows: LlavaRow[]; problems: string[] }> {
  const problems: string[] = [];
  const onBadRow = (error: LlavaError) => void problems.push(error.message.replaceAll(`${folder}/`, ""));
  const table = await openRows(name, { images, seed: 1, onBadRow });
  return { rows: Array.from({ length: table.length }, (_, i) => table.at(i)), problems };
}

describe("rows", () => {
  test("are the same from a JSON array and from JSON lines, with number ids as text", async () => {
    const rows = [row("a", "a.jpg", "A cat."), { ...row("7", "b.jpg", "A dog."), id: 7 }];
    const array = await readRows(write("rows.json", rows));
    const fromLines = await readRows(write("rows.jsonl", lines(rows)));
    const withoutOrigin = ({ origin: _, ...rest }: LlavaRow) => rest;
    assert.deepEqual(array.map(withoutOrigin), fromLines.map(withoutOrigin));
    const { image: name, ...fields } = row("7", "b.jpg", "A dog.");
    assert.deepEqual(withoutOrigin(array[1]!), { ...fields, images: [{ name }] });
    assert.match(array[1]!.origin!, /rows\.json: row 2$/);
    assert.match(fromLines[1]!.origin!, /rows\.jsonl:2$/);
  });

  test("that cannot be used are named by file, number and id", async () => {
    const path = write("bad.json", [row("a", "a.jpg", "x"), { id: "odd", conversations: [] }]);
    await assert.rejects(readRows(path), /bad\.json: row 2 \(id odd\): conversations: has no turns/);
    await assert.rejects(
      readRows(write("cut.jsonl", '{"id": 1}\n{"id"')),
      /cut\.jsonl:1 \(id 1\): conversations/,
    );
    await assert.rejects(readRows(write("cut2.jsonl", `${JSON.stringify(row("a", "a", "x"))}\n{"id"`)), {
      message: /cut2\.jsonl:2: not valid JSON/,
    });
    await assert.rejects(readRows(join(folder, "none.json")), /none\.json: cannot be read/);
  });

  test("with turns, placeholders or images that are not as they should be are left out, each named", async () => {
    write("a.jpg", "not looked at here");
    const [question, answer] = row("", "a.jpg", "A cat.").conversations;
    const rows = [
      row("good", "a.jpg", "A cat."),
      { ...row("imageless", "a.jpg", "A cat."), image: undefined },
      row("gone", "b.jpg", "A cat."),
      { ...row("twice", "a.jpg", ""), conversations: [{ from: "human", value: "<image>\n<image>" }, answer] },
      { ...row("roles", "a.jpg", ""), conversations: [question, question, answer] },
      { ...row("tool", "a.jpg", ""), conversations: [{ from: "tool", value: "x" }, question, answer] },
      { ...row("rule", "a.jpg", ""), conversations: [question, answer, { from: "system", value: "x" }] },
      { ...row("alone", "a.jpg", ""), conversations: [question] },
      { ...row("late", "a.jpg", ""), conversations: [answer, question, answer] },
      { ...row("film", "a.jpg", ""), video: "a.mp4" },
      { id: "none" },
    ];
    const { rows: usable, problems } = await opened(write("problems.jsonl", lines(rows)));
    assert.deepEqual(
      usable.map(({ id }) => id),
      ["good", "late"],
    );
    assert.deepEqual(problems, [
      "problems.jsonl:2 (id imageless): 1 <image> in its text, but 0 images",
      "problems.jsonl:3 (id gone): b.jpg does not exist",
      "problems.jsonl:4 (id twice): 2 <image> in its text, but 1 image",
      'problems.jsonl:5 (id roles): turn 2 is from "human", expected "gpt"',
      'problems.jsonl:6 (id tool): conversations.0.from: is "tool", expected "human" or "gpt", "user" or "assistant", or "system" first',
      "problems.jsonl:7 (id rule): conversations.2: a system message comes first",
      "problems.jsonl:8 (id alone): it has no question with an answer",
      "problems.jsonl:10 (id film): which of its <image> is a video cannot be told",
      "problems.jsonl:11 (id none): conversations: is needed, a list of turns",
    ]);
  });

  test("of a packed file or one in UTF-16 are read by number too", async () => {
    write("a.jpg", "");
    const rows = ["1", "2", "3"].map((id) => row(id, "a.jpg", `Köln ${id}`));
    const list = JSON.stringify(rows);
    const names = ["rows.json.gz", "rows.json.zst", "rows16.json"];
    const contents = [gzipSync(list), zstdCompressSync(list), Buffer.from(`\ufeff${list}`, "utf16le")];
    for (const [index, name] of names.entries()) {
      writeFileSync(join(folder, name), contents[index]!);
      const { rows: read, problems } = await opened(join(folder, name));
      assert.deepEqual(
        read.map(({ id, conversations }) => [id, conversations[1]!.value]),
        rows.map(({ id, conversations }) => [id, conversations[1]!.value]),
      );
      assert.deepEqual(problems, []);
    }
  });

  test("that are no objects, and text behind the list, are counted like all others", async () => {
    const list = `[${JSON.stringify(row("1", "a.jpg", "x"))}, [1], "text", null, {"id": NaN}]\nrest`;
    const { rows, problems } = await opened(write("others.json", list));
    assert.deepEqual(
      [rows.length, problems],
      [
        1,
        [
          "others.json: row 2: is a list, expected an object",
          "others.json: row 3: is text, expected an object",
          "others.json: row 4: is null, expected an object",
          "others.json: row 5 (id NaN): conversations: is needed, a list of turns",
          'others.json: row 6: text follows the list of rows: "rest"',
        ],
      ],
    );
  });

  test("that are none at all are an error", async () => {
    for (const content of ["[]", "", "\n\n"])
      await assert.rejects(opened(write("empty.json", content)), {
        code: "data",
        message: /empty\.json: holds no rows/,
      });
  });

  test("of a table know their images, and can be filtered", async () => {
    write("b.jpg", "");
    const path = write("table.json", [
      row("1", "a.jpg", "x"),
      row("2", "b.jpg", "x y"),
      row("3", "a.jpg", "x"),
    ]);
    const table = await openRows(path, { images: folder, seed: 0, onBadRow: assert.fail });
    assert.deepEqual(imagesOfTable(table), [{ name: "a.jpg" }, { name: "b.jpg" }]);
    assert.deepEqual([table.lengthOf(0), table.lengthOf(1)], [4 + 1 + 128, 4 + 2 + 128]);
    const filtered = filterTable(table, (index) => table.imagesOf(index)[0]?.name === "a.jpg");
    assert.deepEqual([filtered.length, filtered.at(1).id], [2, "3"]);
  });
});

describe("a mixture", () => {
  test("takes of its datasets what their strategies say, with image folders and response formats of their own", async () => {
    mkdirSync(join(folder, "coco"), { recursive: true });
    writeFileSync(join(folder, "coco", "c.jpg"), "");
    numbered("text.json", 10);
    write("coco.jsonl", lines([row("coco", "c.jpg", "Dog")]));
    const path = write(
      "mixture.yaml",
      `datasets:
  - json_path: text.json
    sampling_strategy: first:2
  - json_path: text.json
    sampling_strategy: "end:15%"
  - json_path: text.json
    sampling_strategy: "30%"
  - json_path: ${join(folder, "coco.jsonl")}
    images: coco
    response_format: short
`,
    );
    const { rows } = await opened(path, "/nowhere");
    assert.deepEqual(
      rows.filter((_, i) => i < 4).map(({ id }) => id),
      ["text.json 0", "text.json 1", "text.json 8", "text.json 9"],
    );
    assert.equal(rows.length, 2 + 2 + 3 + 1);
    assert.equal(rows.at(-1)!.images[0]!.name, join(folder, "coco", "c.jpg"));
    assert.equal(
      rows.at(-1)!.conversations[0]!.value,
      "<image>\nWhat is this?\nAnswer the question using a single word or phrase.",
    );
    assert.deepEqual((await opened(path, "/nowhere")).rows, rows, "the seed decides");
  });

  test("may be files named in braces", async () => {
    numbered("part-1.json", 1);
    numbered("part-2.json", 2);
    const { rows } = await opened(join(folder, "part-{1,2}.json"));
    assert.deepEqual(
      rows.map(({ id }) => id),
      ["part-1.json 0", "part-2.json 0", "part-2.json 1"],
    );
    await assert.rejects(opened(join(folder, "part-{1..3}.json")), /part-3\.json does not exist/);
  });

  test("that is wrong is refused with its name", async () => {
    const refused = (text: string, message: RegExp) =>
      assert.rejects(opened(write("wrong.yaml", text)), { code: "config", message });
    await refused("datasets: []", /wrong\.yaml: datasets/);
    await refused("datasets: [{json_path: text.json, sampling: all}]", /Unrecognized key: "sampling"/);
    await refused("datasets: {", /wrong\.yaml: not valid YAML/);
    await refused(
      "datasets: [{json_path: text.json, sampling_strategy: 'last:3'}]",
      /wrong\.yaml: dataset 1: there is no sampling strategy "last:3"/,
    );
  });

  test("rounds percentages up, and takes all of too few", () => {
    const take = (strategy: string, count: number) => [...chooseRows(parseStrategy(strategy, ""), count, 5)];
    assert.deepEqual(take("first:10%", 11), [0, 1]);
    assert.deepEqual(take("end:2", 5), [3, 4]);
    assert.deepEqual(take("first:9", 3), [0, 1, 2]);
    assert.deepEqual(take("all", 3), [0, 1, 2]);
    for (const wrong of ["", "3", "first", "first:", "random:1.5", "120%", "first:-1", "all:3"])
      assert.throws(() => parseStrategy(wrong, "m.yaml"), /there is no sampling strategy/);
    fc.assert(
      fc.property(fc.nat(60), fc.nat(100), (count, percent) => {
        const drawn = take(`random:${percent}%`, count);
        assert.equal(drawn.length, Math.ceil((percent * count) / 100));
        assert.deepEqual(
          drawn,
          [...new Set(drawn)].sort((a, b) => a - b),
        );
        assert.deepEqual(take(`${percent}%`, count), drawn);
      }),
    );
  });
});
