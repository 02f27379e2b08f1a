import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { englishReader } from "../language/english-reader.ts";
import { ConceptFilter } from "./concept-filter.ts";
import { captionRow, chosenRecords, coverage, selectCaptions } from "./filter-captions.ts";
import { phrasesOf } from "./phrases.ts";
import { captionRecords } from "./records.ts";

function filled(captions: readonly (readonly string[])[]): ConceptFilter {
  const filter = new ConceptFilter();
  for (const phrases of captions) filter.add(phrases);
  return filter;
}

const select = (
  captions: readonly (readonly string[])[],
  minFrequency: number,
  maxPerPhrase: number,
  seed = 0,
) => filled(captions).select({ minFrequency, maxPerPhrase, seed });

describe("the concept filter", () => {
  test("drops what only rare phrases would bring in", () => {
    // dog 3, park 2, kite 1: with at least 3 captions only dog counts.
    const captions = [["dog", "park"], ["dog"], ["park", "kite"], ["dog"], []];
    const { chosen, count, frequencyBefore, frequencyAfter } = select(captions, 3, 100);
    assert.deepEqual([...chosen], [1, 1, 0, 1, 0]);
    assert.equal(count, 3);
    assert.deepEqual([...frequencyBefore], [3, 2, 1]);
    assert.deepEqual([...frequencyAfter], [3, 1, 0]);
    assert.deepEqual([...select(captions, 2, 100).chosen], [1, 1, 1, 1, 0]);
    assert.deepEqual([...select(captions, 1, 100).chosen], [1, 1, 1, 1, 0]);
  });

  test("takes all captions of a rare phrase, and a part of a frequent one's", () => {
    const captions = [
      ...Array.from({ length: 50 }, () => ["dog"]),
      ...Array.from({ length: 4 }, () => ["dog", "kite"]),
    ];
    const { chosen, count } = select(captions, 3, 5);
    assert.deepEqual([...chosen.subarray(50)], [1, 1, 1, 1]);
    // Five of the 54 with "dog", some of which "kite" may have brought in.
    assert.ok(count >= 5 && count <= 9, String(count));
  });

  test("draws by the seed", () => {
    const captions = Array.from({ length: 200 }, () => ["dog"]);
    const chosen = (seed: number) => select(captions, 3, 100, seed).chosen.join("");
    assert.equal(select(captions, 3, 100).count, 100);
    assert.equal(chosen(1), chosen(1));
    assert.notEqual(chosen(1), chosen(2));
  });
});

test("phrases come without determiners, each once", () => {
  assert.deepEqual(phrasesOf("A red kite flies over the beach near another red kite .", englishReader()), [
    "red kite",
    "beach",
  ]);
});

test("coverage counts phrases in at least so many captions", () => {
  const steps = new Map(coverage(Uint32Array.of(1, 1, 2, 8)).map((step) => [step.frequency, step.phrases]));
  assert.deepEqual([steps.get(1), steps.get(2), steps.get(4), steps.get(8)], [4, 2, 1, 1]);
});

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("files of captions", () => {
  const folder = temporaryFolder("filter");
  const read = (path: string) => collected(captionRecords(path));

  test("are read row by row, with braces and quotes inside", async () => {
    const path = join(folder, "rows.json");
    const odd = 'a "sign" with } and { and \\';
    const rows = ["x", odd].map((value, i) => ({
      id: i,
      image: `${i}.jpg`,
      conversations: [
        { from: "human", value: "<image>" },
        { from: "gpt", value },
      ],
    }));
    await writeFile(path, JSON.stringify(rows, null, 1));
    assert.deepEqual(await read(path), [
      { id: "0", image: "0.jpg", caption: "x" },
      { id: "1", image: "1.jpg", caption: odd },
    ]);
    await writeFile(path, JSON.stringify(rows).slice(0, -20));
    await assert.rejects(read(path), { code: "data", message: /rows\.json: ends within its list of rows/ });
    await writeFile(path, '[{"id": 1, "image": "a.jpg"}]');
    await assert.rejects(read(path), { message: /row 1: caption/ });
  });

  test("are filtered and read again", async () => {
    const path = join(folder, "captions.tsv");
    await writeFile(path, "a dog in a park\thttp://example.org/1\na dog\t\na cat\t\nthe dog\t\n");
    const selection = await selectCaptions(path, englishReader(), {
      minFrequency: 3,
      maxPerPhrase: 100,
      seed: 0,
    });
    const records = await collected(chosenRecords(path, selection));
    assert.deepEqual(
      records.map(({ id, caption }) => [id, caption]),
      [
        ["000000000", "a dog in a park"],
        ["000000001", "a dog"],
        ["000000003", "the dog"],
      ],
    );
  });

  test("become rows with the image before or after the instruction", () => {
    const values = Array.from(
      { length: 20 },
      (_, i) => captionRow({ id: String(i), image: "a.jpg", caption: " a dog " }, 0).conversations,
    );
    assert.ok(values.some(([human]) => human!.value.startsWith("<image>\n")));
    assert.ok(values.some(([human]) => human!.value.endsWith("\n<image>")));
    assert.ok(values.every(([, gpt]) => gpt!.value === "a dog"));
  });
});
