import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import writeExample from "./example.ts";
import chair from "./index.ts";
import { cocoCategories, objectsNamed } from "./objects.ts";

test("each of the 80 categories is named by itself and in the plural", () => {
  assert.equal(cocoCategories.size, 80);
  for (const category of cocoCategories) assert.deepEqual(objectsNamed(`Some ${category}!`), [category]);
});

test("objects by other names, in the plural, in two words, and what only sounds like one", () => {
  const cases: [string, string[]][] = [
    ["Two men and a lady ride motorbikes.", ["person", "person", "motorcycle"]],
    ["A teddy bear and a polar bear on a couch", ["teddy bear", "bear", "couch"]],
    ["a passenger jet over the train station", ["airplane"]],
    ["a baby elephant beside its mother", ["elephant", "person"]],
    ["A hot dog, dogs and puppies", ["hot dog", "dog", "dog"]],
    ["knives, glasses and wine glasses", ["knife", "wine glass"]],
    ["a black-and-white TV on the dining table", ["tv", "dining table"]],
    ["a couple of traffic lights", ["traffic light"]],
    ["the bear's face, two computer monitors and the men's room", ["bear", "tv"]],
    ["sky and grass", []],
    ["", []],
  ];
  for (const [caption, objects] of cases) assert.deepEqual(objectsNamed(caption), objects, caption);
});

test("mentions of what is not there, of all mentions and by caption", async () => {
  const data = temporaryFolder("llava-chair");
  await writeExample(data);
  const items: BenchmarkItem[] = [];
  for await (const item of chair.load({ data })) items.push(item);
  const outcomes = [
    // Dog, dog, frisbee and a person who is not there.
    chair.outcome(items[0]!, "A dog and another dog chase a frisbee that a man threw."),
    chair.outcome(items[1]!, "A woman outside."),
  ];
  assert.equal(outcomes[0]!.credit, 0.75);
  assert.equal(outcomes[0]!.parsed, "dog, dog, frisbee, person (not there)");
  assert.equal(outcomes[1]!.truth, "dog, person");
  const scores = Object.fromEntries(chair.aggregate(outcomes).map(({ name, value }) => [name, value]));
  // 1 of 5 mentions, 1 of 2 captions, 3 of 4 objects, 12 and 3 words.
  assert.deepEqual(scores, { "chair-i": 20, "chair-s": 50, recall: 75, words: 7.5 });
});
