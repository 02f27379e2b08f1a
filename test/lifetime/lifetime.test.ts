// Memory and threads at their limits, each in a process of its own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

async function run(
  program: string,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): Promise<string> {
  const path = fileURLToPath(new URL(`programs/${program}.ts`, import.meta.url));
  const child = spawn(process.execPath, [...flags, path, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number | null, string | null]>,
  ]);
  assert.equal(code, 0, `${program}: ${signal ?? code}\n${errors}`);
  return output;
}

test("a synchronous loop of dropped 4 MiB tensors stays below 600 MB resident", async () => {
  const { peakMiB, live } = JSON.parse(await run("synchronous-loop"));
  assert.ok(peakMiB < 600, `peak ${peakMiB} MiB`);
  assert.ok(live < 50, `${live} alive`);
});

test("random scopes, keeps, disposals and collections leave every tensor its value", async () => {
  const outputs = await Promise.all(
    ["1", "2"].map((seed) => run("stress", [seed, "3", "10000"], ["--expose-gc"])),
  );
  for (const output of outputs) assert.ok(JSON.parse(output).checks > 10_000, output);
});

test("threads have tables of their own; ending, failing and being terminated harm nobody", async () => {
  for (let i = 0; i < 2; i++) assert.equal(await run("workers"), "done\n");
});

test("the process may exit while a thread is inside native code", async () => {
  for (let i = 0; i < 2; i++) await run("workers", ["leave"]);
});
