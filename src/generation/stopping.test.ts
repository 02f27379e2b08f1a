import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { StopStrings } from "./stopping.ts";

/** All that is shown of a text that comes in pieces. */
function shown(stops: readonly string[], pieces: readonly string[]): { deltas: string[]; stopped: boolean } {
  const filter = new StopStrings(stops);
  const deltas: string[] = [];
  for (const piece of pieces) {
    const { text, stopped } = filter.push(piece);
    deltas.push(text);
    if (stopped) return { deltas, stopped };
  }
  deltas.push(filter.flush());
  return { deltas, stopped: false };
}

describe("stop strings", () => {
  test("a stop string across pieces ends the text before it", () => {
    assert.deepEqual(shown(["###"], ["a #", "#", "# b"]), { deltas: ["a ", "", ""], stopped: true });
  });

  test("what only looked like a stop string is shown as soon as that is clear", () => {
    assert.deepEqual(shown(["</s>"], ["x <", "/", "p>"]), { deltas: ["x ", "", "</p>", ""], stopped: false });
  });

  test("a partial match is held back from its first possible start", () => {
    assert.deepEqual(shown(["aab"], ["aa", "ab!"]), { deltas: ["", "a"], stopped: true });
  });

  test("the earliest of several stop strings counts, whichever is listed first", () => {
    assert.deepEqual(shown(["END", "\n\n"], ["one\n\ntwo END"]), { deltas: ["one"], stopped: true });
  });

  test("what is held back at the end is part of the text", () => {
    assert.equal(shown(["\nUSER:"], ["done\nUS"]).deltas.join(""), "done\nUS");
  });

  test("empty stop strings are none", () => {
    assert.deepEqual(shown([""], ["text"]), { deltas: ["text", ""], stopped: false });
  });

  test("however a text is cut in pieces, what is shown is the text before the first stop string", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 24 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 12 }), stops, (pieces, stopStrings) => {
        const text = pieces.join("");
        // The text is only known up to the piece that completes a stop string; a longer one may start earlier but end later.
        let seen = "";
        let expected = text;
        for (const piece of pieces) {
          seen += piece;
          const found = stopStrings.map((stop) => seen.indexOf(stop)).filter((at) => at >= 0);
          if (found.length === 0) continue;
          expected = text.slice(0, Math.min(...found));
          break;
        }
        const result = shown(stopStrings, pieces);
        assert.equal(result.deltas.join(""), expected);
        assert.equal(
          result.stopped,
          stopStrings.some((stop) => text.includes(stop)),
        );
      }),
    );
  });
});
