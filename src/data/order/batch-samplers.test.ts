// Rows of steps and ranks, from tables and from shards: npm test -- src/data/order
import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { SchemaElement } from "hyparquet";
import { parquetWriteFile } from "hyparquet-writer";
import { writeTar } from "../../../test/support/tar.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import type { LlavaError } from "../../errors.ts";
import type { LlavaRow } from "../../protocol/index.ts";
import { countRows } from "../rows/count-rows.ts";
import type { Dataset } from "../rows/mixture.ts";
import { rowTable } from "../rows/row-table.ts";
import { ShardBatchSampler } from "../shards/shard-batch-sampler.ts";
import { partOf } from "./batch-sampler.ts";
import { evenDraw } from "./even-draw.ts";
import { groupedOrder } from "./grouped-order.ts";
import { TableBatchSampler, type TableBatchSamplerOptions } from "./table-batch-sampler.ts";

const folder = temporaryFolder("llava-dealers");

const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);

describe("a grouped order", () => {
  const items = fc.array(fc.record({ kind: fc.constantFrom("a", "b"), length: fc.nat(1000) }), {
    maxLength: 80,
  });
  const shape = fc.record({
    ranks: fc.integer({ min: 1, max: 4 }),
    stepSize: fc.integer({ min: 1, max: 9 }),
  });

  test("holds every item once, whole steps of one kind, even shares for the ranks", () => {
    fc.assert(
      fc.property(items, shape, fc.nat(100), fc.nat(5), (all, { ranks, stepSize }, seed, epoch) => {
        const [kindOf, lengthOf] = [(i: number) => all[i]!.kind, (i: number) => all[i]!.length];
        const order = groupedOrder(all.length, { seed, epoch, stepSize, kindOf, lengthOf });
        assert.deepEqual(sorted(order), [...all.keys()]);
        const byKind = Map.groupBy(all.keys(), kindOf);
        const whole = [...byKind.values()].reduce((sum, of) => sum + Math.floor(of.length / stepSize), 0);
        for (let step = 0; step < whole; step++) {
          const held = Array.from(order.subarray(step * stepSize, (step + 1) * stepSize));
          assert.equal(new Set(held.map(kindOf)).size, 1);
          const parts = Array.from({ length: ranks }, (_, rank) => partOf(held, { rank, ranks }, lengthOf));
          assert.deepEqual(sorted(parts.flat()), sorted(held));
          if (stepSize % ranks > 0) continue;
          const sums = parts.map((part) => part.reduce((sum, item) => sum + lengthOf(item), 0));
          assert.ok(Math.max(...sums) - Math.min(...sums) <= Math.max(...held.map(lengthOf)));
        }
      }),
    );
  });
});

describe("an even draw", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 });
  const setsOf = (lengths: readonly number[]): number[][] =>
    lengths.map((length, set) => Array.from({ length }, (_, i) => 1000 * set + i));

  test("takes the same number of every set, and over the epochs every item of one equally often", () => {
    fc.assert(
      fc.property(sizes, fc.nat(100), fc.integer({ min: 1, max: 6 }), (lengths, seed, epochs) => {
        const sets = setsOf(lengths);
        const count = lengths.reduce((sum, length) => sum + length, 0);
        const seen = new Map<number, number>();
        for (let epoch = 0; epoch < epochs; epoch++) {
          const drawn = evenDraw(sets, { seed, epoch });
          assert.equal(drawn.length, count);
          const shares = sets.map((_, set) => drawn.filter((item) => Math.floor(item / 1000) === set).length);
          assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
          for (const item of drawn) seen.set(item, (seen.get(item) ?? 0) + 1);
        }
        for (const set of sets) {
          const times = set.map((item) => seen.get(item) ?? 0);
          assert.ok(Math.max(...times) - Math.min(...times) <= 1);
        }
      }),
    );
  });

  test("is what a sampler draws where datasets are mixed evenly, grouped or not", async () => {
    const table = { ...rowTable(rows), datasetOf: (row: number) => (row < 5 ? 0 : 1) };
    for (const grouping of ["none", "modality"] as const) {
      const options = {
        rows: table,
        rowsPerImage: 1,
        batchSize: rows.length,
        flips: false,
        seed: 3,
        grouping,
      };
      const sampler = new TableBatchSampler({ ...options, mixing: "datasets" });
      const drawn = (await sampler.next()).flatMap((group) => group.rows.map(({ id }) => Number(id)));
      assert.equal(drawn.filter((id) => id < 5).length, 18, grouping);
    }
  });
});

const rows = Array.from(
  { length: 37 },
  (_, i): LlavaRow => ({
    id: String(i),
    images: i % 3 > 0 ? [{ name: `${i % 7}.jpg` }] : [],
    conversations: [
      { from: "human", value: `${i % 3 > 0 ? "<image>\n" : ""}word ${"word ".repeat(i % 11)}` },
      { from: "gpt", value: "yes" },
    ],
  }),
);

describe("a table's batch sampler", () => {
  const sampler = (more: Partial<TableBatchSamplerOptions> = {}) =>
    new TableBatchSampler({
      rows: rowTable(rows),
      rowsPerImage: 1,
      batchSize: 6,
      flips: true,
      seed: 3,
      ...more,
    });
  const idsOf = async (from: TableBatchSampler, steps: number): Promise<string[][]> => {
    const drawn: string[][] = [];
    for (let i = 0; i < steps; i++)
      drawn.push(
        (await from.next()).flatMap(({ rows: group, mirrored }) =>
          group.map(({ id }) => `${id} ${mirrored}`),
        ),
      );
    return drawn;
  };

  test("gives ranks the parts of the same steps, whatever the grouping", async () => {
    for (const grouping of ["none", "length", "modality"] as const) {
      const whole = await idsOf(sampler({ grouping, ranks: 1 }), 12);
      const parts = await Promise.all(
        [0, 1, 2].map((rank) => idsOf(sampler({ grouping, rank, ranks: 3 }), 12)),
      );
      for (const step of whole.keys()) {
        const joined = parts.flatMap((part) => part[step]!);
        assert.deepEqual(joined.toSorted(), whole[step]!.toSorted());
      }
      const epoch = parts.flatMap((part) => part.slice(0, 6).flat());
      assert.equal(new Set(epoch.map((id) => id.split(" ")[0])).size, 36);
    }
  });

  test("draws the same rows in a step for any number of ranks and any size of it", async () => {
    const shape = fc.record({
      grouping: fc.constantFrom("none", "length", "modality"),
      mixing: fc.constantFrom("rows", "datasets"),
      rowsPerImage: fc.integer({ min: 1, max: 3 }),
      batchSize: fc.integer({ min: 1, max: 17 }),
      ranks: fc.integer({ min: 1, max: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ ranks, ...fields }) => {
        const whole = await idsOf(sampler(fields), 5);
        const parts = await Promise.all(
          Array.from({ length: ranks }, (_, rank) => idsOf(sampler({ ...fields, rank, ranks }), 5)),
        );
        for (const [step, ids] of whole.entries())
          assert.deepEqual(parts.flatMap((part) => part[step]!).toSorted(), ids.toSorted());
      }),
      { numRuns: 40 },
    );
  });

  test("goes on from any step as if nothing had happened", async () => {
    for (const grouping of ["none", "modality"] as const) {
      const first = sampler({ grouping, rowsPerImage: 2 });
      await idsOf(first, 5);
      const second = sampler({ grouping, rowsPerImage: 2 });
      second.state = JSON.parse(JSON.stringify(first.state));
      assert.deepEqual(await idsOf(second, 20), await idsOf(first, 20));
    }
  });

  test("keeps text and images apart", async () => {
    const from = sampler({ grouping: "modality" });
    for (let step = 0; step < 5; step++) {
      const kinds = (await from.next()).map(({ rows: [row] }) => row!.images.length === 0);
      assert.equal(new Set(kinds).size, 1);
    }
  });
});

/** As Hugging Face's datasets write id, image and conversations. */
const text = { type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" } as const;
const huggingFaceSchema: SchemaElement[] = [
  { name: "root", num_children: 3 },
  { name: "id", ...text },
  { name: "image", num_children: 2, repetition_type: "OPTIONAL" },
  { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
  { name: "path", ...text },
  { name: "conversations", num_children: 1, converted_type: "LIST", repetition_type: "OPTIONAL" },
  { name: "list", num_children: 1, repetition_type: "REPEATED" },
  { name: "element", num_children: 2, repetition_type: "OPTIONAL" },
  { name: "from", ...text },
  { name: "value", ...text },
];

describe("a batch sampler of shards", () => {
  const name = (path: string): Dataset => ({
    path: join(folder, path),
    strategy: { take: "all", amount: 100, isPercent: true },
  });
  const ids = (shard: number, count: number) => Array.from({ length: count }, (_, i) => `${shard}-${i}`);
  const image = Buffer.from("no image, which nothing here decodes");
  const datasets = [name("0.tar"), name("1.tar"), name("2.parquet")];
  const made = Promise.all([
    ...[0, 1].map((shard) =>
      writeTar(
        join(folder, `${shard}.tar`),
        Object.fromEntries(
          ids(shard, 9).flatMap((id) => [
            [`${id}.jpg`, image],
            [`${id}.json`, JSON.stringify({ id, caption: `caption ${id}` })],
          ]),
        ),
      ),
    ),
    Promise.resolve(
      parquetWriteFile({
        filename: join(folder, "2.parquet"),
        schema: huggingFaceSchema,
        columnData: [
          { name: "id", data: ids(2, 8) },
          { name: "image", data: ids(2, 8).map((path) => ({ bytes: new Uint8Array(image), path })) },
          {
            name: "conversations",
            data: ids(2, 8).map((id) => [
              { from: "human", value: "<image>\nWhat?" },
              { from: "gpt", value: `answer ${id}` },
            ]),
          },
        ],
        rowGroupSize: 3,
      }),
    ),
  ]);
  const sampler = (more: Partial<ConstructorParameters<typeof ShardBatchSampler>[0]> = {}) =>
    new ShardBatchSampler({
      ...{
        datasets,
        rowCount: 26,
        batchSize: 4,
        shuffleBuffer: 7,
        flips: true,
        seed: 1,
        onBadRow: assert.fail,
      },
      ...more,
    });
  async function drawn(from: ShardBatchSampler, steps: number): Promise<string[]> {
    const all: string[] = [];
    for (let i = 0; i < steps; i++)
      for (const { rows: group, mirrored } of await from.next()) all.push(`${group[0]!.id} ${mirrored}`);
    return all;
  }

  test("reads rows with their images from both kinds, each once an epoch, mixed", async () => {
    await made;
    assert.equal(await countRows(datasets, { onDamage: assert.fail }), 26);
    const from = sampler({ batchSize: 1 });
    const groups = [];
    for (let i = 0; i < 26; i++) groups.push(...(await from.next()));
    const all = groups.map(({ rows: [row] }) => row!);
    assert.deepEqual(
      all.map(({ id }) => id).toSorted(),
      [...ids(0, 9), ...ids(1, 9), ...ids(2, 8)].toSorted(),
    );
    for (const row of all) {
      assert.deepEqual(
        row.images.map(({ bytes }) => Buffer.from(bytes!)),
        [image],
      );
      assert.match(row.conversations[1]!.value, new RegExp(`(caption|answer) ${row.id}`));
    }
    assert.notDeepEqual(
      all.map(({ id }) => id),
      all.map(({ id }) => id).toSorted(),
    );
  });

  test("goes on from any step, and gives ranks the parts of the same steps", async () => {
    await made;
    const whole = await drawn(sampler(), 20);
    for (const before of [0, 3, 6, 7, 13]) {
      const first = sampler();
      await drawn(first, before);
      const second = sampler();
      second.state = JSON.parse(JSON.stringify(first.state));
      assert.deepEqual(await drawn(second, 20 - before), whole.slice(4 * before));
    }
    const parts = await Promise.all([0, 1].map((rank) => drawn(sampler({ rank, ranks: 2 }), 20)));
    assert.deepEqual(
      whole.map((_, i) => parts[i % 2]![Math.floor(i / 2)]),
      whole,
    );
    assert.throws(() => {
      sampler({ seed: 2 }).state = sampler().state;
    }, /drew with seed 1; here it is 2/);
  });

  test("names shards that are cut short and rows that are none, and goes on without them if told so", async () => {
    await made;
    const bad = await writeTar(join(folder, "bad.tar"), {
      "good.jpg": image,
      "good.txt": "a caption",
      "textless.jpg": image,
      "broken.json": "{",
      "imageless.txt": "a caption",
      "half.txt": "lost with its image",
      "half.jpg": image,
    });
    truncateSync(bad, 7 * 1024 - 512);
    const problems: string[] = [];
    const onBadRow = (error: LlavaError) => void problems.push(error.message.replaceAll(`${folder}/`, ""));
    const bads = [name("bad.tar")];
    const from = sampler({ datasets: bads, batchSize: 1, onBadRow });
    assert.deepEqual((await from.next())[0]!.rows[0]!.id, "good");
    assert.match(problems.join("\n"), /^bad\.tar\/textless: has neither conversations nor a caption$/m);
    assert.match(problems.join("\n"), /^bad\.tar\/broken\.json: not valid JSON/m);
    assert.match(
      problems.join("\n"),
      /^bad\.tar\/imageless \(id imageless\): 1 <image> in its text, but 0 images$/m,
    );
    assert.match(problems.join("\n"), /^bad\.tar: damaged or cut short after 6 files, the last half\.txt/m);
    const strict = sampler({
      datasets: bads,
      onBadRow: (error) => {
        throw error;
      },
    });
    await assert.rejects(strict.next(), { code: "data", message: /textless: has neither/ });
    await assert.rejects(
      countRows([name("none.tar")], {
        onDamage: (error) => {
          throw error;
        },
      }),
      /none\.tar/,
    );
  });
});
