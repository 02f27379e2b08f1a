/**
 * Trains the tiny test model whole and by adapters, plain and decomposed (DoRA), by one process and by four that each have a
 * part of the weights, and has transformers and PEFT load what that leaves: their logits beside this project's, and the four's
 * weights beside the one's, of which none may lie further apart than bfloat16 tells.
 * node proofs/check-exports.ts PYTHON, an interpreter that has torch, transformers and peft
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSafetensors, writeSafetensors } from "../src/checkpoint/index.ts";
import { alone } from "../src/distributed/index.ts";
import { loadPretrained } from "../src/pretrained/index.ts";
import { inference, type Tensor } from "../src/torch/index.ts";
import type { Recipe } from "../src/training/index.ts";
import { inProcesses } from "../test/support/process-ranks.ts";
import { type Ran, run } from "../test/support/rank-tasks.ts";
import { resultValues } from "../test/support/results.ts";
import { fixtures, rowsRecipe, stages } from "../test/support/training-rows.ts";

/** Steps between neighbouring numbers of bfloat16, for numbers of float32's precision. */
const ULP = 2 ** 16;

const python = process.argv[2];
if (python === undefined) throw new Error("usage: node proofs/check-exports.ts PYTHON");
const base = join(fixtures, "llava/llama");
const folder = mkdtempSync(join(tmpdir(), "llava-exports-"));
try {
  using inputs = openSafetensors(join(base, "reference.safetensors"));
  const decomposed = {
    ...stages["lora"],
    lora: { rank: 3, alpha: 5, rankStabilized: true, decomposed: true },
  };
  // Ranks draw dropout of their own.
  const lora = { ...stages["lora"], lora: { rank: 2, alpha: 4 } };
  const kinds = Object.entries({ full: stages["full"], all: stages["all"], lora, decomposed });
  const recipes = (ranks: number, sharding: Recipe["sharding"]): Recipe[] =>
    kinds.map(([kind, fields]) =>
      rowsRecipe(join(folder, `${kind}-${ranks}-${sharding}`), { ...fields, maxSteps: 5, sharding }),
    );
  const results = new Map<string, string>();
  const plain: string[] = [];
  for (const [i, recipe] of recipes(1, "none").entries()) {
    plain.push((await run(alone, { recipe })).result!);
    results.set(kinds[i]![0], plain[i]!);
  }
  let failed = false;
  for (const sharding of ["states", "weights"] as const) {
    const given = recipes(4, sharding).map((recipe) => ({ recipe }));
    const [first] = await inProcesses<Ran[]>(4, "runs", given);
    for (const [i, { result }] of first!.entries()) {
      const name = `${kinds[i]![0]}, ${sharding} of four`;
      results.set(name, result!);
      const apart = stepsApart(resultValues(result!), resultValues(plain[i]!));
      console.log(`${name}: weights at most ${apart.steps.toFixed(3)} bfloat16 steps apart (${apart.name})`);
      failed ||= !(apart.steps <= 1);
    }
  }
  const logits = new Map<string, Tensor>();
  for (const [name, path] of results) {
    using loaded = await loadPretrained({ kind: "folder", path });
    const [ids, pixels] = [inputs.read("input_ids").to("int64"), inputs.read("pixel_values")];
    logits.set(
      name,
      inference(() => loaded.model.forward(ids, pixels)),
    );
  }
  const expected = join(folder, "logits.safetensors");
  writeSafetensors(expected, logits);
  const script = join(import.meta.dirname, "check_exports.py");
  const folders = [...results].map((entry) => entry.join("="));
  execFileSync(python, [script, expected, base, ...folders], { stdio: ["ignore", "inherit", "ignore"] });
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}

/** The furthest that two values of one weight lie apart, in steps of bfloat16. */
function stepsApart(
  values: ReadonlyMap<string, number[]>,
  others: ReadonlyMap<string, number[]>,
): { name: string; steps: number } {
  let worst = { name: "", steps: 0 };
  if (values.size !== others.size) throw new Error(`${values.size} tensors, not ${others.size}`);
  for (const [name, own] of values) {
    // Its true gradient is 0: AdamW makes steps of the noise.
    if (name.endsWith("k_proj.bias")) continue;
    const other = others.get(name)!;
    for (const [i, value] of own.entries()) {
      const steps = Math.abs(place(value) - place(other[i]!)) / ULP;
      if (!(steps <= worst.steps)) worst = { name, steps };
    }
  }
  return worst;
}

/** Where a number of float32 stands among all of them, in their order. */
function place(value: number): number {
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, value);
  const magnitude = bits.getUint32(0) & 0x7fffffff;
  return value < 0 ? -magnitude : magnitude;
}
