import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import type { Metric, Outcome } from "../../benchmark.ts";
import captions from "./index.ts";

const coco = captions.find(({ name }) => name === "coco-caption")!;

/** Values of pycocoevalcap on six images. */
interface Fixture {
  readonly references: Readonly<Record<string, string[]>>;
  readonly predictions: Readonly<Record<string, string>>;
  readonly cider: number;
  readonly bleu: number[];
  readonly rougeL: number;
}
const fixturePath = new URL("../../../../test/fixtures/captions/captions.json", import.meta.url);
const fixture = JSON.parse(await readFile(fixturePath, "utf8")) as Fixture;

async function score(extra: readonly string[], answered?: ReadonlySet<string>): Promise<readonly Metric[]> {
  const data = temporaryFolder("llava-captions");
  const ids = [...Object.keys(fixture.references), ...extra];
  const images = ids.map((id) => ({ id, file_name: `${id}.jpg` }));
  const annotations = ids.flatMap((id) =>
    (fixture.references[id] ?? ["A lake."]).map((caption) => ({ image_id: id, caption })),
  );
  await writeFile(join(data, "captions_val2017.json"), JSON.stringify({ images, annotations }));
  const results = join(data, "results.json");
  const rows = Object.entries(fixture.predictions).map(([image_id, caption]) => ({ image_id, caption }));
  await writeFile(results, JSON.stringify(rows));
  const answers = new Map<string, string>();
  for await (const { id, text } of (await coco.readPredictions!(results))!) answers.set(id, text);
  const outcomes: Outcome[] = [];
  for await (const item of coco.load({ data, ...(answered && { answered }) })) {
    const answer = answers.get(item.id);
    if (answer !== undefined) outcomes.push(coco.outcome(item, answer));
  }
  // Scores are made of the outcomes' plain values, as they are read from a result's file.
  return coco.aggregate(JSON.parse(JSON.stringify(outcomes)) as Outcome[]);
}

function assertExpected(metrics: readonly Metric[]): void {
  const expected = [fixture.cider, ...fixture.bleu, fixture.rougeL];
  for (const [index, { name, value }] of metrics.entries())
    assert.ok(Math.abs(value - 100 * expected[index]!) < 1e-5, `${name}: ${value}`);
}

test("CIDEr, BLEU and ROUGE-L of the COCO evaluation", async () => assertExpected(await score([])));

test("images without an answer count in no frequency where answers are known", async () => {
  assertExpected(await score(["extra"], new Set(Object.keys(fixture.predictions))));
  const [cider] = await score(["extra"]);
  assert.ok(Math.abs(cider!.value - 100 * fixture.cider) > 0.01);
});

test("results are written as the server takes them", async () => {
  const bytes = await coco.submission!.write(
    [{ id: "139" }, { id: "one.jpg" }],
    new Map([["139", "A dog."]]),
  );
  assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), [
    { image_id: 139, caption: "A dog." },
    { image_id: "one.jpg", caption: "" },
  ]);
});
