import { median } from "../../bench/peer.ts";
import { ask, bodyOf, isAnswered } from "../../bench/serving/load.ts";
import { loadModel } from "../../src/index.ts";
import type { Bar } from "./bar.ts";

const TOKENS = 256;
const text = "Tell a long story.";

export const overhead: Bar = async (bench) => {
  using model = await loadModel(bench.model);
  await using own = await bench.start();
  await using behind = await bench.start("--replicas", "1");
  const rates = { generate: [] as number[], serve: [] as number[], "serve --replicas 1": [] as number[] };
  for (let round = 0; round < bench.count(9, 3); round++) {
    let first: number | undefined;
    for await (const part of model.chat(text, { maxTokens: TOKENS, ignoreEos: true, temperature: 0 })) {
      first ??= performance.now();
      if (part.type === "finish")
        rates.generate.push(((part.usage.completionTokens - 1) / (performance.now() - first)) * 1000);
    }
    for (const [name, server] of [
      ["serve", own],
      ["serve --replicas 1", behind],
    ] as const) {
      const outcome = await ask(server, await bodyOf(server, { text, tokens: TOKENS }));
      if (!isAnswered(outcome)) throw new Error(`status ${outcome.status}`);
      rates[name].push(((outcome.tokens - 1) / (outcome.whole - outcome.first)) * 1000);
    }
  }
  const alone = median(rates.generate);
  bench.tell(`without a server ${alone.toFixed(1)} tokens a second`);
  for (const name of ["serve", "serve --replicas 1"] as const) {
    const rate = median(rates[name]);
    bench.tell(
      `llava ${name}: ${rate.toFixed(1)} tokens a second, ${((1 - rate / alone) * 100).toFixed(1)} % fewer; the bar is 3 %`,
      rate >= 0.97 * alone,
    );
  }
};
