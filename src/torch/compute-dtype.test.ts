// What a device computes in: npm test -- src/torch/compute-dtype.test.ts
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fastDType, instructionSet } from "./index.ts";

const limits = ["ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"];
const source = new URL("./index.ts", import.meta.url).href;

/** What another process chooses under limits on the instructions. */
function chosenUnder(env: Readonly<Record<string, string>>): { dtype: string; reason: string } {
  const unlimited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !limits.includes(name)),
  );
  const program = `console.log(JSON.stringify((await import(${JSON.stringify(source)})).fastDType()))`;
  const options = { env: { ...unlimited, ...env }, encoding: "utf8" } as const;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", program], options));
}

describe("the type that is computed in", () => {
  test("is float32 where the processor may not use instructions for bfloat16, whoever says so", () => {
    for (const env of [
      { ATEN_CPU_CAPABILITY: "avx2" },
      { ATEN_CPU_CAPABILITY: "default" },
      { ONEDNN_MAX_CPU_ISA: "AVX2" },
      { DNNL_MAX_CPU_ISA: "avx512_core_vnni" },
    ] as Record<string, string>[]) {
      const { dtype, reason } = chosenUnder(env);
      assert.equal(dtype, "float32", JSON.stringify(env));
      assert.match(reason, /has no instructions for bfloat16/);
    }
  });

  test("follows the processor's flags without such limits", { skip: !existsSync("/proc/cpuinfo") }, () => {
    const flags = readFileSync("/proc/cpuinfo", "utf8");
    const has = /\bavx512f\b/.test(flags) && /\b(avx512_bf16|amx_bf16)\b/.test(flags);
    assert.equal(chosenUnder({}).dtype, has ? "bfloat16" : "float32");
    assert.equal(chosenUnder({ ONEDNN_MAX_CPU_ISA: "ALL" }).dtype, has ? "bfloat16" : "float32");
  });

  test("is bfloat16 on a GPU; the reason names what the processor has", () => {
    assert.equal(fastDType("cuda:1").dtype, "bfloat16");
    assert.ok(fastDType().reason.includes(`(${instructionSet()})`));
  });
});
