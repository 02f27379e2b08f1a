import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { flickrRows } from "./flickr8k.ts";

describe("Flickr8k's text files", () => {
  const captions = [
    "b.jpg#0\ta dog , brown and white , runs .",
    "b.jpg#1\tThe dog 's ball is red",
    'a.jpg#0\tA sign says " stop " !',
    "c.jpg#0\tNot in the split .",
  ].join("\n");

  test("become rows of a split, in its order, with captions as sentences", () => {
    const rows = flickrRows(captions, "b.jpg\na.jpg\n", "captions.txt");
    assert.deepEqual(
      rows.map(({ id, image, conversations }) => [id, image, conversations[1]!.value]),
      [
        ["b#0", "b.jpg", "A dog, brown and white, runs."],
        ["b#1", "b.jpg", "The dog's ball is red."],
        ["a#0", "a.jpg", 'A sign says " stop "!'],
      ],
    );
  });

  test("with a line of another form are refused with its number", () => {
    assert.throws(() => flickrRows(`${captions}\nbroken`, "", "captions.txt"), /captions\.txt:5: expected/);
  });
});
