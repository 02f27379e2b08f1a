import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { mulberry32 } from "../../random/index.ts";
import { englishReader } from "../language/english-reader.ts";
import { classesThere, grounding } from "./grounding.ts";
import { pythonNumber, type SceneItem, sceneText } from "./item.ts";
import { balancingTurns, saysNo, saysYes } from "./negatives.ts";
import { readItems } from "./read-items.ts";
import { textQuality } from "./report.ts";
import { nearDuplicates, selfBleu } from "./similarity.ts";

const folder = temporaryFolder("llava-items");
const read = englishReader();

const write = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

const item = (captions: readonly string[], ...categories: readonly string[]): SceneItem => ({
  id: "1",
  image: "1.jpg",
  captions,
  boxes: categories.map((category) => ({ category, corners: [0, 0, 1, 1] })),
});

test("fractions are printed as Python does", () => {
  // Python 3: [repr(round(v, 3)) for v in …]
  for (const [value, text] of [
    [0, "0.0"],
    [1, "1.0"],
    [0.24, "0.24"],
    [0.2404, "0.24"],
    [0.0625, "0.062"],
    [0.1875, "0.188"],
    [0.3125, "0.312"],
    [0.9375, "0.938"],
    [0.0005, "0.001"],
    [0.9996, "1.0"],
    [2 / 3, "0.667"],
    [1e-9, "0.0"],
  ] as const)
    assert.equal(pythonNumber(value), text);
});

describe("items", () => {
  test("are read from COCO's files as they ship: captions mended, crowds left out and counted", async () => {
    const images = [
      { id: 9, file_name: "a.jpg", width: 200, height: 100 },
      { id: 7, file_name: "b.jpg", width: 100, height: 100 },
    ];
    const captions = write("captions.json", {
      images,
      annotations: [
        { image_id: 9, caption: " A dog\nruns. " },
        { image_id: 7, caption: "A cat." },
        { image_id: 9, caption: "It is a dog." },
      ],
    });
    const boxes = write("instances.json", {
      images,
      categories: [{ id: 18, name: "dog" }],
      annotations: [
        { image_id: 9, category_id: 18, bbox: [20, 10, 100, 25], iscrowd: 0 },
        { image_id: 9, category_id: 18, bbox: [0, 0, 200, 100], iscrowd: 1 },
      ],
    });
    const found = await readItems({ captions: [captions], boxes: [boxes] });
    assert.deepEqual([found.crowds, found.mended], [1, 1]);
    assert.deepEqual(
      found.items.map(({ id, boxes }) => [id, boxes.length]),
      [
        ["a", 1],
        ["b", 0],
      ],
    );
    assert.equal(sceneText(found.items[0]!, true), "A dog runs.\nIt is a dog.\n\ndog: [0.1, 0.1, 0.6, 0.35]");
    assert.equal(sceneText(found.items[0]!, false), "A dog runs.\nIt is a dog.");
    assert.equal(sceneText(found.items[1]!, true), "A cat.");
  });

  test("are read from Flickr's token file", async () => {
    const path = write("flickr.token.txt", "1.jpg#0\tA dog .\n1.jpg#1\tOne dog .\n2.jpg#0\tA cat .\n");
    const { items } = await readItems({ captions: [path] });
    assert.deepEqual(
      items.map(({ id, captions }) => [id, captions.length]),
      [
        ["1", 2],
        ["2", 1],
      ],
    );
  });

  test("of one's own that are no items are refused with file and line", async () => {
    const good = '{"image":"a.jpg","captions":["A dog."]}';
    for (const [line, message] of [
      ['{"image":"b.jpg"}', /own.jsonl:2: .*captions/],
      ['{"image":"b.jpg","boxes":[{"category":"dog","box":[1,2,30,40]}]}', /own.jsonl:2: boxes in pixels/],
      ["{", /own.jsonl:2: not valid JSON/],
      [good, /a.jpg: comes twice/],
    ] as const)
      await assert.rejects(readItems({ captions: [write("own.jsonl", `${good}\n${line}\n`)] }), { message });
  });
});

describe("grounding", () => {
  const there = item(["A man rides a horse on the beach."], "person", "horse");
  const unsupported = (answer: string): readonly string[] => grounding([answer], there, read).unsupported;

  test("finds what neither boxes nor captions have", () => {
    assert.deepEqual(unsupported("A man rides a horse. Two dogs follow them."), ["dog"]);
    assert.deepEqual(unsupported("A rider on his pony passes."), []);
    assert.deepEqual(unsupported("A hot dog lies there."), ["hot dog"]);
  });

  test("leaves out what is denied, only thought of, or said with a word of several meanings", () => {
    assert.deepEqual(unsupported("There is no dog. The sky is orange. One might bring an umbrella."), []);
  });
});

describe("questions about presence", () => {
  const conversations = Array.from({ length: 20 }, () => ({
    item: item(["A dog on a bench."], "dog", "bench"),
    turns: [{ question: "Is there a dog?", answer: "Yes, a dog." }],
  }));

  test("balance yes and no with things that are not there, the same for the same seed", () => {
    const added = balancingTurns(conversations, read, 3);
    assert.deepEqual(balancingTurns(conversations, read, 3), added);
    const answers = [...added.values()].flat();
    assert.equal(answers.filter(({ answer }) => saysNo(answer)).length, 20);
    const named = classesThere(conversations[0]!.item, read);
    for (const { answer } of answers)
      assert.ok(!named.has(/there is no (.*) in the image/.exec(answer)![1]!), answer);
  });

  test("are about things that are there where no is more frequent", () => {
    const denied = conversations.map((one) => ({ ...one, turns: [{ question: "A cat?", answer: "No." }] }));
    const answers = [...balancingTurns(denied, read, 3).values()].flat();
    assert.ok(
      answers.length > 0 && answers.every(({ answer }) => saysYes(answer) && /dog|bench/.test(answer)),
    );
  });

  test("are not asked where no boxes are known", () => {
    const unboxed = conversations.map((one) => ({ ...one, item: item(["A dog."]) }));
    assert.equal(balancingTurns(unboxed, read, 3).size, 0);
  });
});

describe("a report", () => {
  test("counts beginnings, yes and no, repetitions and habits", () => {
    const found = textQuality([
      { question: "<image>\nWhat is this?", answer: "Yes, it is possibly a dog." },
      { question: "What is this?", answer: "No. Additionally, there is a cat in the image." },
      { question: "How many dogs?", answer: "Two dogs." },
      { question: "How old?", answer: "Four." },
    ]);
    assert.deepEqual(found.questionStarts, [
      ["what is", 2],
      ["how many", 1],
      ["how old", 1],
    ]);
    assert.equal(found.questionEntropy, 1.5);
    assert.deepEqual(found.yesNo, { yes: 1, no: 1, shareOfQuestions: 0.5 });
    assert.deepEqual([found.duplicates.questions, found.duplicates.ofQuestions], [1, 4]);
    assert.deepEqual(found.habits, { hedges: 0.25, inTheImage: 0.25, additionally: 0.25 });
  });

  test("finds texts that are nearly the same, and tells how much texts are alike", () => {
    const long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split(
      " ",
    );
    const other = [...long.slice(0, -1), "else"];
    assert.equal(nearDuplicates([long, other, long.toReversed()]), 1);
    assert.equal(selfBleu([long, long]), 1);
    const random = mulberry32(1);
    const noise = Array.from({ length: 5 }, () => Array.from({ length: 20 }, () => String(random())));
    assert.ok(selfBleu(noise)! < 0.01);
    assert.equal(selfBleu([long]), null);
  });
});
