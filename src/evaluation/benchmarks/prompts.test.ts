import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { benchmarkFolder, exampleNames, withExample } from "../../../test/support/benchmark-examples.ts";
import type { Message } from "../../protocol/index.ts";
import type { Benchmark } from "../benchmark.ts";
import { flattenPrompt } from "../prompting/index.ts";

/**
 * Prompts are part of a score. The example.ts of each folder writes a few made-up questions in the original format;
 * their prompts, and what a judge is asked of the first, must equal prompts.golden.txt. GOLDEN=write writes it anew.
 */
for (const name of exampleNames)
  test(`prompts of ${name}`, () =>
    withExample(name, async (data, benchmarks) => {
      const rendered = await render(benchmarks, data);
      const golden = join(benchmarkFolder, name, "prompts.golden.txt");
      if (process.env["GOLDEN"] === "write") await writeFile(golden, rendered);
      assert.equal(rendered, await readFile(golden, "utf8"));
    }));

const hasVideo = (messages: readonly Message[]): boolean =>
  messages.some(({ content }) => typeof content !== "string" && content.some(({ type }) => type === "video"));

async function render(benchmarks: readonly Benchmark[], data: string): Promise<string> {
  const lines: string[] = [];
  for (const benchmark of benchmarks)
    for (const split of benchmark.splits) {
      const ids = new Set<string>();
      for await (const item of benchmark.load({ data, split })) {
        assert.ok(!ids.has(item.id), `${benchmark.name} ${split}: the id ${item.id} stands twice`);
        ids.add(item.id);
        const show = (title: string, messages: readonly Message[]): void => {
          const { text, images } = flattenPrompt(messages);
          const shown = images.map(
            (image) => ` ${image.startsWith("data:") ? "(embedded)" : image.replace(data, ".")}`,
          );
          lines.push(`## ${title}${shown.join("")}`, text, "");
        };
        const prompt = benchmark.prompt(item);
        show(`${benchmark.name} ${split} ${item.id}`, prompt);
        if (prompt.length > 0) assert.equal(hasVideo(prompt), benchmark.asksAboutVideos ?? false);
        const { judge } = benchmark;
        if (judge === undefined || ids.size > 1 || split !== benchmark.splits[0]) continue;
        show(`to the judge of ${item.id}`, judge.prompt(item, "An answer.", new Map()));
        if (judge.official !== "same" && "prompt" in judge.official)
          show(
            `to the judge of ${item.id}, officially`,
            judge.official.prompt(item, "An answer.", new Map()),
          );
      }
      assert.ok(ids.size > 0, `${benchmark.name} ${split} has no example`);
    }
  return lines.join("\n");
}
