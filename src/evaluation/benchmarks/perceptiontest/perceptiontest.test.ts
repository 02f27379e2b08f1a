import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import type { BenchmarkItem } from "../../benchmark.ts";
import writeExample from "./example.ts";
import perceptiontest from "./index.ts";

test("letters and options' texts are read, the letter alone with the original's bug; the server gets options", async () => {
  const data = temporaryFolder("llava-perceptiontest");
  await writeExample(data);
  for (const compat of [false, true]) {
    const items: BenchmarkItem[] = [];
    for await (const item of perceptiontest.load({ data, compat })) items.push(item);
    const credits = ["C", "C.", "static or shaking", "A", ""].map(
      (answer) => perceptiontest.outcome(items[0]!, answer).credit,
    );
    assert.deepEqual(credits, compat ? [1, 0, 0, 0, 0] : [1, 1, 1, 0, 0]);
    assert.equal(perceptiontest.outcome(items[0]!, "").truth, "C. static or shaking");
    const outcomes = [perceptiontest.outcome(items[0]!, "C"), perceptiontest.outcome(items[1]!, "C")];
    assert.deepEqual(
      perceptiontest.aggregate(outcomes).map(({ name, value }) => [name, value]),
      [
        ["accuracy", 50],
        ["accuracy/descriptive", 50],
        ["accuracy/physics", 100],
        ["accuracy/semantics", 0],
      ],
    );
    const bytes = await perceptiontest.submission!.write(items, new Map([["video_1580/1", "B"]]));
    assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), {
      video_1580: [
        { id: 0, answer_id: 0, answer: "I don't know" },
        { id: 1, answer_id: 1, answer: "moving" },
      ],
    });
  }
});
