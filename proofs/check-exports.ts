/**
 * Trains the tiny test model whole and by adapters, and has transformers and PEFT load what that leaves: their logits beside
 * this project's. node proofs/check-exports.ts PYTHON, an interpreter that has torch, transformers and peft
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors, writeSafetensors } from "../src/checkpoint/index.ts";
import { loadPretrained } from "../src/pretrained/index.ts";
import { silentProgress } from "../src/setup/index.ts";
import { inference } from "../src/torch/index.ts";
import { runRecipe } from "../src/training/index.ts";
import { fixtures, rowsRecipe, stages } from "../test/support/training-rows.ts";

const python = process.argv[2];
if (python === undefined) throw new Error("usage: node proofs/check-exports.ts PYTHON");
const base = join(fixtures, "llava/llama");
const folder = mkdtempSync(join(tmpdir(), "llava-exports-"));
try {
  using inputs = openSafetensors(join(base, "reference.safetensors"));
  const logits = new Map();
  for (const stage of ["full", "lora"]) {
    const recipe = rowsRecipe(join(folder, stage), { ...stages[stage], maxSteps: 5 });
    const { result } = await runRecipe(recipe, { progress: silentProgress, report: () => {} });
    using loaded = await loadPretrained({ kind: "folder", path: result! });
    const [ids, pixels] = [inputs.read("input_ids").to("int64"), inputs.read("pixel_values")];
    logits.set(
      stage,
      inference(() => loaded.model.forward(ids, pixels)),
    );
  }
  const expected = join(folder, "logits.safetensors");
  writeSafetensors(expected, logits);
  const script = join(import.meta.dirname, "check_exports.py");
  const folders = [base, join(folder, "full", "model"), join(folder, "lora", "adapter")];
  execFileSync(python, [script, expected, ...folders], { stdio: ["ignore", "inherit", "ignore"] });
} finally {
  rmSync(folder, { recursive: true });
}
