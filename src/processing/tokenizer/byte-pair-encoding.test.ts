import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergeSymbols } from "./byte-pair-encoding.ts";

/** The textbook loop: join the pair of best rank, leftmost first. */
function mergeSlowly(word: string, rankOf: (left: string, right: string) => number | undefined): string[] {
  const symbols = Array.from(word);
  for (;;) {
    let best: { rank: number; at: number } | undefined;
    for (let at = 0; at + 1 < symbols.length; at++) {
      const rank = rankOf(symbols[at]!, symbols[at + 1]!);
      if (rank !== undefined && (best === undefined || rank < best.rank)) best = { rank, at };
    }
    if (best === undefined) return symbols;
    symbols.splice(best.at, 2, symbols[best.at]! + symbols[best.at + 1]!);
  }
}

test("the queue merges as the textbook loop does, whatever the ranks", () => {
  const piece = fc.stringMatching(/^[ab]{1,3}$/);
  const merges = fc.uniqueArray(fc.tuple(piece, piece), {
    maxLength: 30,
    selector: (pair) => pair.join("+"),
  });
  fc.assert(
    fc.property(merges, fc.stringMatching(/^[ab]{0,40}$/), (pairs, word) => {
      const ranks = new Map(pairs.map((pair, rank) => [pair.join("+"), rank]));
      const rankOf = (left: string, right: string) => ranks.get(`${left}+${right}`);
      assert.deepEqual(mergeSymbols(word, rankOf), mergeSlowly(word, rankOf));
    }),
  );
});

test("a word without merges falls into code points, not surrogates", () => {
  assert.deepEqual(
    mergeSymbols("a👍b", () => undefined),
    ["a", "👍", "b"],
  );
});
