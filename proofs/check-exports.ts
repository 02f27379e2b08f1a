/**
 * Trains the tiny test model whole and by adapters, plain and decomposed (DoRA), and has transformers and PEFT load what that leaves: their logits beside
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
  const decomposed = {
    ...stages["lora"],
    lora: { rank: 3, alpha: 5, rankStabilized: true, decomposed: true },
  };
  const folders: string[] = [];
  for (const [stage, fields] of Object.entries({ full: stages["full"], lora: stages["lora"], decomposed })) {
    const recipe = rowsRecipe(join(folder, stage), { ...fields, maxSteps: 5 });
    const { result } = await runRecipe(recipe, { progress: silentProgress, report: () => {} });
    folders.push(`${stage}=${result}`);
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
  execFileSync(python, [script, expected, base, ...folders], { stdio: ["ignore", "inherit", "ignore"] });
} finally {
  rmSync(folder, { recursive: true });
}
