import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { llavaHere, type Outcome } from "./cli.ts";

export const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
export const goodModel = join(fixtures, "llava/llama");
export const photo = join(fixtures, "llava/images/wide.png");

/** The test file's own folder; all that it writes goes there. */
export const folder = mkdtempSync(join(tmpdir(), "llava-bad-"));
after(() => rmSync(folder, { recursive: true }));

export const inFolder = (name: string): string => join(folder, name);

export function file(name: string, content: string | Uint8Array): string {
  writeFileSync(inFolder(name), content);
  return inFolder(name);
}

/** Everything that lies under a folder. */
export const listing = (path: string): string[] => readdirSync(path, { recursive: true }).map(String).sort();

/** A short question to a model. */
export const ask = (model: string, ...rest: string[]): string[] => [
  ...["generate", model, "--prompt", "What?", "--max-tokens", "2"],
  ...rest,
];

/** That a failure is told in two or three lines, without a stack: what is wrong, and what to do. */
export function assertTold({ status, stderr }: Omit<Outcome, "stdout">, expected: number): void {
  assert.equal(status, expected, stderr);
  const lines = stderr.trimEnd().split("\n").length;
  assert.ok(lines === 2 || lines === 3, `expected a message and a hint, got:\n${stderr}`);
  assert.doesNotMatch(stderr, /^\s+at |LLAVA_DEBUG|not expected/m);
}

/** Runs a command that must fail, naming what `expected` says, and leave no file behind. */
export async function refused(
  args: readonly string[],
  status: number,
  ...expected: readonly RegExp[]
): Promise<void> {
  const before = listing(folder);
  const outcome = await llavaHere(args);
  assertTold(outcome, status);
  for (const pattern of expected) assert.match(outcome.stderr, pattern);
  assert.deepEqual(listing(folder), before);
}
