import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { benchmarkFolder, benchmarksOf } from "../../../test/support/benchmark-examples.ts";

/** What stands for a resource of the original that this project replaces: a tagger, a lemmatizer, a tokenizer, a list of words. */
const ownResources = /\b(?:englishWords|englishNouns|captionOutcome)\b|Written for this\s/;

const folders = readdirSync(benchmarkFolder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test("scorers with resources of their own say what differs from the official ones", async () => {
  const found: string[] = [];
  for (const folder of folders) {
    const sources = readdirSync(join(benchmarkFolder, folder)).filter((name) =>
      /(?<!\.test)\.ts$/.test(name),
    );
    const isOwn = sources.some((name) =>
      ownResources.test(readFileSync(join(benchmarkFolder, folder, name), "utf8")),
    );
    if (!isOwn) continue;
    found.push(folder);
    const told = (await benchmarksOf(folder)).flatMap(({ differences = [] }) => differences);
    assert.ok(told.length > 0, `${folder} declares no differences`);
  }
  assert.deepEqual(found, ["amber", "captions", "chair", "nextqa-oe", "refcoco"]);
});

test("what differs is a phrase that follows a colon", async () => {
  for (const folder of folders)
    for (const { name, differences = [] } of await benchmarksOf(folder))
      for (const difference of differences) {
        assert.match(difference, /^[a-z].*[^.]$/, name);
        assert.ok(!difference.includes("\n"), name);
      }
});
