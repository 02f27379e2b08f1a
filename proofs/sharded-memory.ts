/**
 * Memory of each of several processes that train a random model, above the process itself, on Linux: while the model is loaded,
 * while it trains, and of the first while it writes the result. Bounds: while loading, a part of the float32 weights and two
 * layers, and a vision tower that is whole; while training, a tenth beside what `llava plan` says; while writing, two units of
 * weights. "all" is a model whose tower is most of it, and learns too. node proofs/sharded-memory.ts [--only "4 × states"] [--parts]
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readJsonObject } from "../src/files/index.ts";
import { createLlava, parseLlavaConfig } from "../src/models/index.ts";
import { planMemory, recipeSizes } from "../src/training/index.ts";
import { inProcesses } from "../test/support/process-ranks.ts";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import type { RunMemory } from "../test/support/rank-measures.ts";
import { fixtures, rowsRecipe } from "../test/support/training-rows.ts";

const { values } = parseArgs({
  options: { only: { type: "string", default: "" }, parts: { type: "boolean" } },
});
/** Captions, all alike. */
const CAPTION = "a red square on a blue ground beside a small green circle";
const ROWS = { text: 43, supervised: 54, images: 1 };
const MEBI = 2 ** 20;
/** Of what else happens in a process meanwhile. */
const ASIDE = 16;

// Freed memory is given back, so that what is resident is what is used.
process.env["MALLOC_MMAP_THRESHOLD_"] = "65536";
process.env["MALLOC_TRIM_THRESHOLD_"] = "131072";
const folder = mkdtempSync(join(tmpdir(), "llava-memory-"));

const width = { hidden_size: 576, intermediate_size: 1536, vocab_size: 8192 };
const heads = { num_attention_heads: 9, num_key_value_heads: 3 };
const models = {
  full: {
    parts: ["projector", "languageModel"],
    shapes: { text: { ...width, ...heads, num_hidden_layers: 20 } },
  },
  all: {
    parts: ["visionTower", "projector", "languageModel"],
    shapes: {
      text: { ...width, ...heads, num_hidden_layers: 2 },
      vision: { ...width, num_attention_heads: 9, num_hidden_layers: 20 },
    },
  },
} as const;

/** A file of the rows of a step. */
function writeRows(): string {
  const path = join(folder, "rows.json");
  const conversations = [
    { from: "human", value: "<image>" },
    { from: "gpt", value: CAPTION },
  ];
  const [image] = readdirSync(join(fixtures, "llava/images")).sort();
  writeFileSync(
    path,
    JSON.stringify(Array.from({ length: 4 }, (_, i) => ({ id: `${i}`, image, conversations }))),
  );
  return path;
}

/** A model's folder, and what its parts have of weights. */
function written(name: keyof typeof models) {
  const { parts, shapes } = models[name];
  const model = writeRandomCheckpoint(join(folder, name), 1, { ...shapes, dtype: "bfloat16" });
  const config = join(model, "config.json");
  const llava = createLlava(parseLlavaConfig(readJsonObject(config), config));
  const { languageModel, visionTower } = llava;
  const elements = (...modules: { parameters(): { elements: number }[] }[]): number =>
    modules.flatMap((module) => module.parameters()).reduce((sum, { elements }) => sum + elements, 0);
  return {
    ...{ model, parts },
    learning: elements(...parts.map((part) => llava[part])),
    layer: elements(languageModel.layers[0]!),
    outside: elements(languageModel) - elements(...languageModel.layers),
    // While it is loaded.
    whole: elements(visionTower),
  };
}

const mib = (value: number, of: number): string => `${value.toFixed(0)} of ${of.toFixed(0)} MiB`.padStart(16);
try {
  let failed = false;
  const rows = writeRows();
  console.log("ranks × sharding, type, model: loading of bound, training of planned, writing of bound");
  for (const name of ["full", "all"] as const) {
    const sizes = written(name);
    for (const dtype of ["float32", "bfloat16"] as const)
      for (const sharding of ["states", "weights"] as const)
        for (const ranks of [1, 2, 4]) {
          const title = `${ranks} × ${sharding}, ${dtype}, ${name}`;
          if (!title.includes(values.only)) continue;
          const recipe = rowsRecipe(join(folder, title), {
            ...{ model: sizes.model, batchSize: 4, train: [...sizes.parts], sharding, dtype },
            data: { rows, images: join(fixtures, "llava/images"), template: "plain" },
            ...{ maxSteps: 2, checkpoint: { every: 100 }, activationCheckpointing: true },
          });
          const all = await inProcesses<RunMemory>(ranks, "memory", recipe);
          const worst = (of: keyof RunMemory): number => Math.max(...all.map((rank) => rank[of]));
          const plan = planMemory(await recipeSizes(recipe), recipe, { devices: ranks, rows: ROWS });
          const apart = ["process", "allocator"]; // neither is measured here
          const planned = plan.parts.reduce(
            (sum, { name, bytes }) => sum + (apart.includes(name) ? 0 : bytes / MEBI),
            0,
          );
          const { learning, layer, outside, whole } = sizes;
          const loading = (4 * (learning / ranks + 2 * layer + whole)) / MEBI + ASIDE;
          const writing = (2 * 4 * Math.max(layer, outside)) / MEBI + ASIDE;
          const off = worst("training") / planned - 1;
          const isOff = Math.abs(off) > 0.1 || worst("loading") > loading || all[0]!.writing > writing;
          failed ||= isOff;
          console.log(
            `${title.padEnd(28)} ${mib(worst("loading"), loading)} ${mib(worst("training"), planned)} ` +
              `${`${(100 * off).toFixed(1)} %`.padStart(7)} ${mib(all[0]!.writing, writing)}${isOff ? "  OFF" : ""}`,
          );
          if (values.parts)
            for (const { name, bytes } of plan.parts)
              console.log(`    ${name}: ${(bytes / MEBI).toFixed(0)} MiB`);
        }
  }
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}
