import { pairGroup, type RowError, rowLoaderHere } from "../../../data/index.ts";
import type { LlavaError } from "../../../errors.ts";
import type { PretrainedLlava } from "../../../pretrained/index.ts";
import { trainingProcessor } from "../../../processing/processor/index.ts";
import { Collator } from "../../batches/collator.ts";
import { usableRows } from "../../batches/usable-rows.ts";
import { frozenInputs, frozenTower, LiveFeatures } from "../../features/live-features.ts";
import { usualPreference } from "../../recipe/objective-schema.ts";
import type { Surroundings } from "../../stage/load.ts";
import { RowLogits } from "../row-logits.ts";
import { PreferenceObjective } from "./objective.ts";
import { pairBatch } from "./pair-batch.ts";

export interface ScoredPair {
  readonly id: string;
  /** Where the row was read. */
  readonly origin: string;
  /** log p of the chosen answer and of the rejected one, summed over their tokens, and how many those are. */
  readonly logProbabilities: readonly [chosen: number, rejected: number];
  readonly lengths: readonly [chosen: number, rejected: number];
}

export interface ScorePairsOptions {
  /** Rows that are pairs of answers (see `readDatasets`). */
  readonly rows: string;
  /** Folder that names of images are relative to. */
  readonly images: string;
  /** Longest side of a pair, in tokens. */
  readonly maxTokens: number;
  /** Told of every row that cannot be used and is left out; may throw instead. */
  readonly onBadRow: (error: LlavaError) => void;
}

/** How likely a model finds both answers of each pair, each pair by itself, as training computes it. */
export async function scorePairs(
  { model, processor: own }: Pick<PretrainedLlava, "model" | "processor">,
  { rows: name, images, maxTokens, onBadRow }: ScorePairsOptions,
  around: Surroundings,
): Promise<ScoredPair[]> {
  const { processor } = trainingProcessor(own, {});
  const tower = frozenTower(model.visionTower);
  const inputs = frozenInputs(new LiveFeatures({ tower, batchSize: 16 }), tower);
  const logits = new RowLogits(model, inputs.encode);
  const objective = new PreferenceObjective(logits, usualPreference);
  using loader = rowLoaderHere(processor);
  const collator = new Collator({
    loader,
    folder: images,
    rules: { maxTokens, truncates: false, turnMarks: "refuse" },
    images: inputs,
    device: model.languageModel.device,
    packedRows: 1,
    onBadRow: (_, error: RowError) => onBadRow(error),
  });
  const policy = { images, seed: 0, arePairs: true, onBadRow: "skip" } as const;
  const rows = await usableRows(name, policy, around, onBadRow);
  const bar = around.progress({ label: "pairs", total: rows.length, unit: "pairs" });
  const scored: ScoredPair[] = [];
  try {
    for (let row = 0; row < rows.length; row++) {
      around.signal?.throwIfAborted();
      const batch = await collator.batch([pairGroup(rows.at(row))]);
      bar.increment();
      if (!batch) continue;
      using _ = batch;
      const pair = pairBatch(batch, 1);
      const [chosen, rejected] = objective.logProbabilities(pair) as [number, number];
      scored.push({
        id: batch.samples[0]!,
        origin: batch.origins[0]!,
        logProbabilities: [chosen, rejected],
        lengths: [pair.lengths[0]!, pair.lengths[1]!],
      });
    }
  } finally {
    bar.stop();
  }
  return scored;
}
