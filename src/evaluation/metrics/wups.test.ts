import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LlavaError } from "../../errors.ts";
import { installedWordNet, WordNet } from "./wordnet.ts";
import { WuPalmer } from "./wu-palmer.ts";
import { wups } from "./wups.ts";

describe("WordNet", () => {
  const wordNet = installedWordNet();

  test("finds the first sense of words and of their base forms, nouns first", () => {
    const name = (word: string) => {
      const synset = wordNet.first(word);
      return synset && `${wordNet.name(synset)}.${synset.part}`;
    };
    for (const [word, found] of [
      ["dog", "dog.n"],
      ["dogs", "dog.n"],
      ["walked", "walk.v"],
      ["quickly", "quickly.r"],
      ["taller", "tall.a"],
      ["'hood", "'hood.n"],
      ["ice cream", "ice_cream.n"],
      ["zymurgy", "zymology.n"],
      ["xyzzy", undefined],
      ["", undefined],
    ] as const)
      assert.equal(name(word), found, word);
  });

  test("knows what a sense is a kind of", () => {
    const above = wordNet.hypernyms(wordNet.first("dog")!).map((synset) => wordNet.name(synset));
    assert.deepEqual(above, ["canine", "domestic_animal"]);
    assert.deepEqual(wordNet.hypernyms(wordNet.first("happy")!), []);
  });

  test("names the file that a folder lacks", () => {
    assert.throws(
      () => new WordNet("/nowhere"),
      (error) => error instanceof LlavaError && /nowhere.index\.noun: cannot be read/.test(error.message),
    );
  });
});

describe("Wu and Palmer's similarity", () => {
  const wordNet = installedWordNet();
  const wuPalmer = new WuPalmer(wordNet);
  const similarity = (first: string, second: string): number =>
    wuPalmer.similarity(wordNet.first(first)!, wordNet.first(second)!);

  // Values of NLTK 3.8.1 for the first senses of WordNet 3.0.
  for (const [first, second, value] of [
    ["dog", "cat", 0.857143],
    ["walk", "walk", 1],
    ["three", "two", 0.875],
    ["glasses", "dog", 0.421053],
    ["kitchen", "outdoors", 0.375],
    ["place", "driver", 0.363636],
    ["happy", "sad", 0.5],
    ["happy", "run", 0.142857],
    ["dog", "run", 0.1],
    ["run", "dog", 0.1],
    ["table", "quickly", 0.222222],
  ] as const)
    test(`of ${first} and ${second}`, () =>
      assert.equal(Number(similarity(first, second).toFixed(6)), value));

  test("is above 0 and at most 1", () => {
    const words = ["dog", "entity", "run", "walk", "happy", "quickly", "room", "water", "red", "idea", "be"];
    const word = fc.constantFrom(...words);
    fc.assert(
      fc.property(word, word, (first, second) => {
        const value = similarity(first, second);
        assert.ok(value > 0 && value <= 1);
      }),
    );
  });
});

describe("WUPS", () => {
  const table: Readonly<Record<string, number>> = { "red crimson": 0.95, "car bus": 0.8, "big dog": 0.1 };
  const similarity = (first: string, second: string): number =>
    table[`${first} ${second}`] ?? table[`${second} ${first}`] ?? 0;
  const close = (value: number, wanted: number) => assert.ok(Math.abs(value - wanted) < 1e-12, String(value));

  test("multiplies nearest similarities and takes the smaller direction", () => {
    close(wups(["red", "car"], ["crimson", "bus"], similarity, 0), 0.95 * 0.8);
    close(wups(["red", "car"], ["car"], similarity, 0), 1);
    close(wups(["big", "car"], ["dog", "car"], similarity, 0), 0.1);
  });

  test("takes a tenth of what is below the threshold", () => {
    close(wups(["red", "car"], ["crimson", "bus"], similarity, 0.9), 0.95 * 0.08);
    close(wups(["car"], ["car"], similarity, 0.9), 1);
  });

  test("is nothing where no word is like any", () => {
    assert.equal(wups([], ["car"], similarity, 0), 0);
    assert.equal(wups(["tree"], ["car"], similarity, 0), 0);
  });
});
