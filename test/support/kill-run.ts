import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Recipe } from "../../src/training/index.ts";

export interface Kills {
  /** Processes that were killed. */
  readonly kills: number;
  /** Kills that left a checkpoint half written. */
  readonly interruptedWrites: number;
}

/**
 * Trains in processes of their own. Each of `kills` of them is killed without warning at a random moment of one of its
 * first steps, or of what follows it; one more goes on to the end. `random` gives numbers in [0, 1).
 */
export async function killAgainAndAgain(recipe: Recipe, kills: number, random: () => number): Promise<Kills> {
  let interruptedWrites = 0;
  for (let done = 0; done < kills; done++) {
    await trainUntilKilled(recipe, { steps: 2 + Math.floor(2 * random()), fraction: random() });
    const checkpoints = join(recipe.output, "checkpoints");
    const names = existsSync(checkpoints) ? readdirSync(checkpoints) : [];
    if (names.some((name) => name.endsWith(".partial"))) interruptedWrites++;
  }
  const [code] = await once(train(recipe, "ignore"), "exit");
  if (code !== 0) throw new Error(`the last process ended with status ${code}`);
  return { kills, interruptedWrites };
}

async function trainUntilKilled(
  recipe: Recipe,
  { steps, fraction }: { steps: number; fraction: number },
): Promise<void> {
  const child = train(recipe, "pipe");
  const exited = once(child, "exit");
  let seen = -1; // The first line comes before the first step.
  let last = performance.now();
  for await (const chunk of child.stdout!) {
    seen += String(chunk).split("\n").length - 1;
    const now = performance.now();
    const interval = now - last;
    last = now;
    if (seen < steps) continue;
    await setTimeout(fraction * interval);
    child.kill("SIGKILL");
    break;
  }
  const [, signal] = await exited;
  if (signal !== "SIGKILL") throw new Error("the run ended before it was killed");
}

/** A line on its standard output for every step. */
function train(recipe: Recipe, output: "pipe" | "ignore") {
  const script = fileURLToPath(new URL("train-child.ts", import.meta.url));
  return spawn(process.execPath, [script, JSON.stringify(recipe)], { stdio: ["ignore", output, "inherit"] });
}
