// How libtorch's threads wait: npm test -- src/torch/waiting.test.ts
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const source = new URL("./index.ts", import.meta.url).href;

/** What the OpenMP library says that it was told when the addon loads it. */
function told(env: Readonly<Record<string, string>>): string {
  const { GOMP_SPINCOUNT: _, OMP_WAIT_POLICY: __, ...rest } = process.env;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", `(await import(${JSON.stringify(source)})).version()`],
    { env: { ...rest, ...env, OMP_DISPLAY_ENV: "verbose" }, encoding: "utf8" },
  );
  return /GOMP_SPINCOUNT = '(\d+)'/.exec(stdout + stderr)?.[1] ?? "nothing";
}

test("waiting threads soon sleep, unless the user says otherwise", {
  skip: process.platform !== "linux",
}, () => {
  assert.equal(told({}), "3000");
  assert.equal(told({ GOMP_SPINCOUNT: "77" }), "77");
  assert.equal(told({ OMP_WAIT_POLICY: "passive" }), "0");
});
