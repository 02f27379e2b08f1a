import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LlavaError } from "../../errors.ts";
import type { BenchmarkItem, Verdict } from "../benchmark.ts";
import { findBenchmark, listBenchmarks } from "../registry.ts";
import { differencesOf, withJudgePrompt } from "./official-prompt.ts";

describe("whose words a judge is asked in", () => {
  test("where they are this project's, the benchmark says so, and that or why the official ones can be had", async () => {
    const judged = (await listBenchmarks()).filter(({ judge }) => judge !== undefined);
    const own = judged.filter(({ judge }) => judge!.official !== "same");
    for (const name of ["mathvista", "mm-vet", "mmbench", "mmbench-cn", "video-chatgpt", "wilder"])
      assert.ok(
        own.some((benchmark) => benchmark.name === name),
        name,
      );
    assert.ok(own.some(({ name }) => /-judge$/.test(name)));
    for (const benchmark of judged) {
      const said = differencesOf(benchmark).filter((difference) => /own words/.test(difference));
      assert.equal(said.length, own.includes(benchmark) ? 1 : 0, benchmark.name);
      assert.deepEqual(differencesOf(benchmark, false), benchmark.differences ?? []);
      const { official } = benchmark.judge!;
      if (official === "same") continue;
      if ("withheld" in official) assert.match(official.withheld, /licen[cs]e/);
      else assert.match(official.licence, /Apache-2\.0, Copyright/);
    }
  });

  test("the official ones can be chosen where a licence allows", async () => {
    for (const benchmark of await listBenchmarks()) {
      const { judge } = benchmark;
      assert.equal(withJudgePrompt(benchmark, "own"), benchmark);
      if (judge === undefined || judge.official === "same")
        assert.equal(withJudgePrompt(benchmark, "official"), benchmark);
      else if ("withheld" in judge.official)
        assert.throws(
          () => withJudgePrompt(benchmark, "official"),
          (error) =>
            error instanceof LlavaError && error.message.includes(benchmark.name) && error.hint !== "",
        );
      else {
        const asked = withJudgePrompt(benchmark, "official");
        assert.equal(asked.judge!.prompt, judge.official.prompt);
        assert.deepEqual(differencesOf(asked), benchmark.differences ?? []);
      }
    }
  });

  test("MMBench's official judge says Z for none of the options", async () => {
    const { judge } = withJudgePrompt(await findBenchmark("mmbench"), "official");
    const item = {
      options: new Map([
        ["A", "one"],
        ["B", "two"],
      ]),
    } as unknown as BenchmarkItem;
    const parse = (reply: string): Verdict | undefined => judge!.parse(reply, item);
    assert.deepEqual(
      [parse("B"), parse("Z"), parse("A or B")],
      [{ choice: "B" }, { choice: "E" }, undefined],
    );
  });
});
