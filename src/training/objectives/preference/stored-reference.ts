import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { kindOfRow, type LlavaRow, pairGroup, sidesOf } from "../../../data/index.ts";
import { alone, meet, sumNumbers } from "../../../distributed/index.ts";
import { LlavaError } from "../../../errors.ts";
import { fileSha256Sync, makeFolder, writing } from "../../../files/index.ts";
import type { PretrainedLlava } from "../../../pretrained/index.ts";
import type { Tensor } from "../../../torch/index.ts";
import type { StageData } from "../../batches/open-data.ts";
import type { Recipe } from "../../recipe/recipe.ts";
import type { ShardedWeights } from "../../sharding/sharded-weights.ts";
import type { Surroundings } from "../../stage/load.ts";
import type { PreferenceObjective } from "./objective.ts";
import { pairBatch } from "./pair-batch.ts";
import type { KnownReference } from "./pair-source.ts";

/** A line of the file: a pair's key, its id for people, and log ρ of both answers. */
interface StoredPair {
  readonly key: string;
  readonly id: string;
  readonly chosen: number;
  readonly rejected: number;
}

interface StoringOptions {
  readonly path: string;
  readonly recipe: Recipe;
  readonly pretrained: PretrainedLlava;
  /** Where each rank has a part of the weights. */
  readonly sharded: ShardedWeights | undefined;
  readonly data: Pick<StageData, "rows" | "collator" | "processor" | "rules">;
  readonly objective: PreferenceObjective;
  readonly around: Surroundings;
}

/** Pairs that are computed between two writes, on each rank. */
const chunk = 16;

/**
 * Log probabilities of the model as it is for every pair, each computed by itself, from a file where it is known. A pair is
 * known by all that they depend on: weights, ids and labels, the images' bytes, how images are seen, and the type that is
 * computed in. What is computed is added to the file as it comes.
 */
export async function storedReference(options: StoringOptions): Promise<KnownReference> {
  const { path, data, around } = options;
  const { rows } = data;
  if (!rows)
    throw new LlavaError("config", "a precomputed reference needs rows that are known beforehand", {
      hint: 'Give rows as .json or .jsonl files, or set objective.reference to "adaptersOff" or "copy".',
    });
  const { communicator = alone } = around;
  const stored = new Map(readStored(path).map((pair) => [pair.key, pair]));
  communicator.barrier(); // all have read before one writes
  const keyOf = keys(options);
  const keyed = Array.from({ length: rows.length }, (_, index) => {
    const row = rows.at(index);
    return { index, origin: row.origin ?? row.id, key: keyOf(row) };
  });
  const missing = keyed.filter(({ key }) => !stored.has(key));
  around.report(
    `reference: ${keyed.length - missing.length} of ${keyed.length} pairs are in ${path}, ${missing.length} to compute`,
  );
  const bar = around.progress({ label: "reference", total: missing.length, unit: "pairs" });
  try {
    for (let start = 0; start < missing.length; start += chunk * communicator.size) {
      if (around.signal?.aborted) throw new LlavaError("aborted", "stopped while computing the reference");
      const part = missing.slice(start, start + chunk * communicator.size);
      const own: number[] = [];
      for (const [at, { index }] of part.entries()) {
        const isOwn = at % communicator.size === communicator.rank;
        own.push(...((isOwn && (await computed(options, rows.at(index)))) || [0, 0, 0]));
        bar.increment();
      }
      const last = part.length % communicator.size;
      if (last > 0 && communicator.rank >= last) await computed(options, undefined);
      const sums = sumNumbers(communicator, own);
      const found = part.flatMap(({ key, index }, at): StoredPair[] => {
        const [isThere, chosen, rejected] = sums.slice(3 * at, 3 * at + 3) as [number, number, number];
        return isThere ? [{ key, id: rows.at(index).id, chosen, rejected }] : [];
      });
      for (const pair of found) stored.set(pair.key, pair);
      if (communicator.rank === 0) append(path, found);
    }
  } finally {
    bar.stop();
  }
  return new Map(
    keyed.flatMap(({ key, origin }) => {
      const pair = stored.get(key);
      return pair ? [[origin, [pair.chosen, pair.rejected]] as const] : [];
    }),
  );
}

/**
 * 1, log ρ(chosen), log ρ(rejected); undefined without a pair, or for one that cannot be used, which the collator tells of. Ranks
 * that share weights go through them together.
 */
async function computed(
  { data, objective }: StoringOptions,
  row: LlavaRow | undefined,
): Promise<number[] | undefined> {
  const batch = row && (await data.collator.batch([pairGroup(row)]));
  using used = batch ? pairBatch(batch, 1) : objective.idle();
  const found = objective.logProbabilities(used);
  return batch && [1, ...found];
}

/** What a pair is known by. */
function keys(options: StoringOptions): (row: LlavaRow) => string {
  const { recipe, data } = options;
  const { processor, rules } = data;
  const { imageConfig, videoConfig, grid, imageTokenId } = processor;
  const { objective, dtype, device } = recipe;
  const tailWeight = objective?.type === "preference" ? objective.tailWeight : 1;
  const kind = device.replace(/:.*/, "");
  const model = modelHash(options);
  const common = JSON.stringify([model, imageConfig, grid, imageTokenId, dtype, kind, rules, tailWeight]);
  const media = new Map<string, string>();
  const mediaHash = (name: string, bytes?: Uint8Array): string => {
    if (bytes) return createHash("sha256").update(bytes).digest("hex");
    const path = resolve(recipe.data.images, name);
    if (!media.has(path)) media.set(path, pathHash(path));
    return media.get(path)!;
  };
  return (row) => {
    // Places of images alone: how many tokens they take follows from their bytes and from how they are seen.
    const whole = row.images.map(() => ({ tiles: "whole", size: undefined }) as const);
    const sides = sidesOf(row).map((side) => {
      const { inputIds, labels } = processor.encodeRow(side, whole, rules.turnMarks);
      return [inputIds, labels];
    });
    const images = row.images.map(({ name, bytes }) => mediaHash(name, bytes));
    const seen = kindOfRow(row.images) === "video" ? [videoConfig] : [];
    return createHash("sha256")
      .update(common)
      .update(JSON.stringify([sides, images, ...seen]))
      .digest("hex");
  };
}

function modelHash({ pretrained, recipe, sharded, around }: StoringOptions): string {
  if (!sharded) return hashOf(pretrained, recipe);
  const found = sharded.collect((valuesOf) => hashOf(pretrained, recipe, valuesOf));
  return meet(around.communicator ?? alone, found)[0]!;
}

/** Of all weights; new adapters have no effect yet, whatever was drawn for them. */
function hashOf(
  { model }: PretrainedLlava,
  { lora }: Recipe,
  valuesOf = (weight: Tensor): Tensor => weight,
): string {
  const hash = createHash("sha256");
  const areNew = lora && lora.start === undefined;
  for (const [name, weight] of model.namedParameters())
    if (!(areNew && /\blora_(?:A|B|magnitude_vector)\b/.test(name)))
      hash.update(name).update(weight.dtype).update(valuesOf(weight).toBytes());
  return hash.digest("hex");
}

const pathHash = (path: string): string =>
  statSync(path).isDirectory()
    ? createHash("sha256")
        .update(
          readdirSync(path)
            .sort()
            .map((name) => `${name} ${pathHash(join(path, name))}`)
            .join("\n"),
        )
        .digest("hex")
    : fileSha256Sync(path);

/** A line that was cut short is left out. */
function readStored(path: string): StoredPair[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as StoredPair];
      } catch {
        return [];
      }
    });
}

function append(path: string, pairs: readonly StoredPair[]): void {
  if (pairs.length === 0) return;
  makeFolder(dirname(path));
  const isTorn = existsSync(path) && !readFileSync(path, "utf8").endsWith("\n");
  const lines = pairs.map((pair) => `${JSON.stringify(pair)}\n`).join("");
  writing(path, () => appendFileSync(path, isTorn ? `\n${lines}` : lines));
}
