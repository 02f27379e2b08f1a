/**
 * One step of the serving engine's language model, as rows of several sequences that each have cached positions before them:
 *
 *   node bench/serving-step.ts --tokenizer FOLDER [--dtype bfloat16] [--rows 1,8,16,64] [--past 150] [--steps 40] [--repeats 5]
 *     [--no-panels] [--json]
 *
 * The model is a random Llama of 138 million weights beside its embedding, that of bench/serving.ts; FOLDER holds a Llama 2's
 * tokenizer. The time of a step is told whole and in parts: the layers, the scores, and choosing the likeliest token. GFLOP/s
 * count products with weights alone.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { layInPanels, PAGE, PagedStep } from "../src/nn/index.ts";
import { loadCheckpoint } from "../src/pretrained/index.ts";
import {
  aten,
  type DType,
  inference,
  instructionSet,
  longTensor,
  numThreads,
  rowsApart,
  scope,
} from "../src/torch/index.ts";
import { median } from "./peer.ts";
import { writeServedCheckpoint } from "./serving/checkpoint.ts";

const { values: flags } = parseArgs({
  options: {
    tokenizer: { type: "string", default: "" },
    dtype: { type: "string", default: "bfloat16" },
    rows: { type: "string", default: "1,8,16,64" },
    past: { type: "string", default: "150" },
    steps: { type: "string", default: "40" },
    repeats: { type: "string", default: "5" },
    panels: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const [past, steps, repeats] = [flags.past, flags.steps, flags.repeats].map(Number) as [
  number,
  number,
  number,
];
const folder = mkdtempSync(join(tmpdir(), "llava-bench-"));
try {
  writeServedCheckpoint(folder, flags.tokenizer);
  using loaded = await loadCheckpoint(folder, { dtype: flags.dtype as DType });
  const { languageModel } = loaded.model;
  const dtype = languageModel.computeDtype;
  if (flags.panels) layInPanels(languageModel, { dtype, isTied: false });
  const { numLayers, hiddenSize, intermediateSize, vocabSize } = languageModel.config;
  const weights =
    numLayers * (4 * hiddenSize ** 2 + 3 * hiddenSize * intermediateSize) + vocabSize * hiddenSize;
  const results = [];
  for (const rows of flags.rows.split(",").map(Number)) {
    using store = languageModel.newPages();
    const pages = Array.from({ length: rows }, () =>
      Array.from({ length: Math.ceil((past + 1) / PAGE) }, () => store.take()),
    );
    scope(() => store.slabs.forEach((slab) => void slab.zero_()));
    const step = (): readonly [layers: number, scores: number, choice: number] =>
      inference(() =>
        scope(() =>
          rowsApart(() => {
            const start = performance.now();
            const pieces = pages.map((held) => ({ pages: held, start: past, tokens: 1 }));
            const cache = new PagedStep(store, pieces);
            const ids = longTensor(
              pages.map((_, row) => row + 3),
              [1, rows],
            );
            const hidden = languageModel.forward(languageModel.embed(ids), { cache }).flatten(0, 1);
            const computed = performance.now();
            const logits = languageModel.logits(hidden);
            const scored = performance.now();
            aten.likeliest(logits).toNumbers();
            return [computed - start, scored - computed, performance.now() - scored];
          }),
        ),
      );
    const rounds = Array.from({ length: repeats + 1 }, () => {
      const parts = Array.from({ length: steps }, step);
      return [0, 1, 2].map((part) => median(parts.map((each) => each[part]!)));
    }).slice(1); // the first warms up
    const parts = [0, 1, 2].map((part) => median(rounds.map((each) => each[part]!)));
    const [layers, scores, choice] = parts as [number, number, number];
    const milliseconds = layers + scores + choice;
    const gigaflops = (2 * weights * rows) / milliseconds / 1e6;
    results.push({ rows, milliseconds, layers, scores, choice, gigaflops });
    if (!flags.json)
      console.log(
        `${rows} rows: ${milliseconds.toFixed(1)} ms (layers ${layers.toFixed(1)}, scores ${scores.toFixed(1)}, choice ${choice.toFixed(1)}), ${gigaflops.toFixed(0)} GFLOP/s`,
      );
  }
  const machine = { instructions: instructionSet(), threads: numThreads(), dtype: flags.dtype, past };
  console.log(
    flags.json
      ? JSON.stringify({ ...machine, results })
      : `${machine.instructions}, ${machine.threads} threads, ${machine.dtype}, ${past} positions before`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
