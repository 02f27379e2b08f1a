/**
 * Gradients of the tiny test model's language model in two processes with sharded weights, beside those of PyTorch's FSDP2.
 * node proofs/compare-fsdp.ts PYTHON, an interpreter that has torch, transformers and safetensors
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors } from "../src/checkpoint/index.ts";
import { loadPretrained } from "../src/pretrained/index.ts";
import { trainingProcessor } from "../src/processing/processor/index.ts";
import type { FirstStep } from "../test/support/first-step.ts";
import { inProcesses } from "../test/support/process-ranks.ts";
import { fixtures, rowsRecipe } from "../test/support/training-rows.ts";

const python = process.argv[2];
if (python === undefined) throw new Error("usage: node proofs/compare-fsdp.ts PYTHON");
/** Of the norm of all gradients. In 16 bits two libraries round differently on the way. */
const allowed = { float32: 1e-5, bfloat16: 3e-2 };

const folder = mkdtempSync(join(tmpdir(), "llava-fsdp-"));
try {
  const model = join(fixtures, "llava/llama");
  const words = "the red bird sits on a wall and looks at two dogs that run in the park".split(" ");
  const text = Array.from({ length: 6 }, (_, i) => ({
    id: String(i),
    conversations: [
      { from: "human" as const, value: `Describe ${words.slice(i, i + 4).join(" ")}.` },
      { from: "gpt" as const, value: `${words.slice(2 * i, 2 * i + 3 + i).join(" ")}.` },
    ],
  }));
  const rows = join(folder, "rows.json");
  writeFileSync(rows, JSON.stringify(text));
  const data = { rows, images: join(fixtures, "llava/images"), template: "vicuna_v1" };
  using pretrained = await loadPretrained({ kind: "folder", path: model });
  const { processor } = trainingProcessor(pretrained.processor, data);
  const encoded = text.map((row) => {
    const { inputIds, labels } = processor.encodeRow({ ...row, images: [] }, [], "refuse");
    return { inputIds: Array.from(inputIds), labels: Array.from(labels) };
  });
  const ids = join(folder, "ids.json");
  writeFileSync(ids, JSON.stringify(encoded));
  let failed = false;
  for (const dtype of ["float32", "bfloat16"] as const) {
    const fields = { data, dtype, train: ["languageModel" as const], sharding: "weights" as const };
    const recipe = rowsRecipe(join(folder, dtype), fields);
    const ranks = await inProcesses<FirstStep>(2, "step", recipe);
    const own = new Map<string, { from: number; values: Float32Array }[]>();
    for (const { gradients } of ranks)
      for (const [piece, values] of gradients) {
        const [, name, from] = /^(.*)\[(\d+):\d+\]$/.exec(piece)!;
        own.set(name!, [...(own.get(name!) ?? []), { from: Number(from), values }]);
      }
    const out = join(folder, `${dtype}.safetensors`);
    const script = join(import.meta.dirname, "compare_fsdp.py");
    execFileSync(python, [script, model, ids, dtype, out], { stdio: ["ignore", "inherit", "inherit"] });
    using theirs = openSafetensors(out);
    let [difference, norm, worst] = [0, 0, { name: "", part: 0 }];
    for (const [name, pieces] of own) {
      const peer = name.replace("model.language_model.lm_head", "lm_head");
      const expected = theirs.read(peer, "float32").toFloat32Array();
      const whole = new Float32Array(expected.length);
      for (const { from, values } of pieces) whole.set(values, from);
      let [off, size] = [0, 0];
      for (const [i, value] of expected.entries()) {
        off += (value - whole[i]!) ** 2;
        size += value ** 2;
      }
      difference += off;
      norm += size;
      const part = Math.sqrt(off / size);
      if (part > worst.part) worst = { name, part };
    }
    const apart = Math.sqrt(difference / norm);
    failed ||= !(apart <= allowed[dtype]);
    console.log(
      `${dtype}: ${own.size} gradients, together ${apart.toExponential(2)} apart (at most ${allowed[dtype]}); ` +
        `worst ${worst.name}: ${worst.part.toExponential(2)}`,
    );
  }
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}
