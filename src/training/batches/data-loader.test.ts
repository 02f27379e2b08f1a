// Batches by any number of threads, from rows and from shards: npm test -- src/training/batches/data-loader.test.ts
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { drawSquares, squaresRecipe } from "../../../test/support/coloured-squares.ts";
import { writeTar } from "../../../test/support/tar.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { silentProgress } from "../../setup/index.ts";
import { Tensor } from "../../torch/index.ts";
import type { RecipeFields } from "../recipe/recipe.ts";
import { prepareStage, type Stage } from "../stage/stage.ts";
import type { RowBatch } from "./row-batch.ts";

type FileRow = { id: string; image: string; conversations: unknown[] };
const folder = temporaryFolder("llava-source");
const quiet = { progress: silentProgress, report: () => {} };
let shard: string;

before(async () => {
  const path = await drawSquares(folder, "train", 4);
  const rows = JSON.parse(readFileSync(path, "utf8")) as FileRow[];
  const members = rows.flatMap(({ id, image, conversations }): [string, string | Buffer][] => [
    [`${id.replace(".png", "")}.json`, JSON.stringify({ id, conversations })],
    [`${id.replace(".png", "")}.png`, readFileSync(join(folder, image))],
  ]);
  shard = await writeTar(join(folder, "rows.tar"), Object.fromEntries(members));
});

const data = { images: folder, template: "plain", answerEnd: "</s>", flips: true };
const stage = (fields: Partial<RecipeFields["data"]>, more: Partial<RecipeFields> = {}): Promise<Stage> =>
  prepareStage(
    squaresRecipe(folder, {
      // Pixels, since a tower's features depend on how many images it takes at once.
      ...{
        train: ["visionTower", "projector"],
        features: { cache: "" },
        projector: "loaded",
        accumulation: 2,
        ...more,
      },
      data: { rows: join(folder, "train.json"), ...data, ...fields },
    }),
    quiet,
  );

/** Everything in the batches of some steps, as text. */
async function contents(source: Stage["source"], steps: number): Promise<string[]> {
  const all: string[] = [];
  for (let step = 0; step < steps; step++)
    for (const batch of await source.next()) {
      all.push(described(batch));
      batch[Symbol.dispose]();
    }
  return all;
}

/** Tensors by the hash of their bytes. */
const described = (batch: RowBatch): string =>
  JSON.stringify(batch, (_, value: unknown) =>
    value instanceof Tensor ? createHash("sha256").update(value.toBytes()).digest("hex") : value,
  );

describe("batches", () => {
  test("are the same bit for bit with 0, 1 and 2 threads, from rows and from shards", async () => {
    for (const [rows, threads] of [[join(folder, "train.json"), [1, 2]] as const, [shard, [2]] as const]) {
      using alone = await stage({ rows });
      const expected = await contents(alone.source, 5);
      assert.ok(new Set(expected).size === 10);
      for (const workers of threads) {
        using threaded = await stage({ rows, workers });
        assert.deepEqual(await contents(threaded.source, 5), expected, `${rows} with ${workers}`);
      }
    }
  });

  test("go on from a state as if nothing had happened, whatever was loaded ahead", async () => {
    for (const rows of [join(folder, "train.json"), shard]) {
      using whole = await stage({ rows, workers: 1 });
      await contents(whole.source, 3);
      const state = JSON.parse(JSON.stringify(whole.source.state));
      const expected = await contents(whole.source, 3);
      using resumed = await stage({ rows, workers: rows === shard ? 0 : 2 });
      await contents(resumed.source, 1);
      resumed.source.state = state;
      assert.deepEqual(await contents(resumed.source, 3), expected, rows);
    }
  });
});

describe("rows that are too long", () => {
  const turns = [0, 1, 2].flatMap((turn) => [
    { from: "human" as const, value: `${turn === 0 ? "<image>\n" : ""}what colour` },
    { from: "gpt" as const, value: "red and green and blue" },
  ]);
  /** Tokens that are fed of the only row, all but its last, by the longest that is allowed; the row is left out where it is undefined. */
  async function tokens(maxTokens: number, onLongRow: "truncate" | "skip"): Promise<number | undefined> {
    const rows = join(folder, "long.json");
    writeFileSync(rows, JSON.stringify([{ id: "long", image: "train-red-0.png", conversations: turns }]));
    const long = { rows, template: "v1", answerEnd: "</s>", maxTokens, onLongRow, onBadRow: "skip" as const };
    using one = await stage(long, { batchSize: 1, accumulation: 1 });
    try {
      const [batch] = await one.source.next();
      batch![Symbol.dispose]();
      return batch!.tokens;
    } catch (error) {
      assert.match((error as Error).message, /no row of a whole step can be used, long/);
      return undefined;
    }
  }

  test("lose whole turns off their end, and never a part of an image", async () => {
    const whole = (await tokens(2048, "truncate"))!;
    const lengths = new Set<number | undefined>();
    for (let most = whole + 1; most > 0; most -= 15) lengths.add(await tokens(most, "truncate"));
    const [three, two, one, none, ...others] = [...lengths];
    assert.deepEqual([three, none, others], [whole, undefined, []]);
    assert.ok(three! > two! && two! > one!);
    assert.equal(three! - two!, two! - one!, "what is gone is a turn");
    assert.equal(await tokens(whole, "skip"), undefined);
  });
});

describe("shards", () => {
  test("train as they stream by, and refuse what takes rows that are known beforehand", async () => {
    using streaming = await stage({ rows: shard, images: "" });
    assert.equal(streaming.source.stepsPerEpoch, 2);
    const ids = (await Promise.all([1, 2].map(() => streaming.source.next()))).flat().flatMap((batch) => {
      batch[Symbol.dispose]();
      return batch.samples;
    });
    assert.equal(new Set(ids).size, 16);
    await assert.rejects(
      stage({ rows: shard, rowsPerImage: 2 }),
      /data\.rowsPerImage needs rows that are known/,
    );
    await assert.rejects(stage({ rows: shard, grouping: "modality" }), /data\.grouping needs rows/);
  });
});
