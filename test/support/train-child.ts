// Trains what the argument says, resuming if there is something to resume, and prints a line for every step.
import { type Recipe, runRecipe } from "../../src/training/index.ts";

await runRecipe(JSON.parse(process.argv[2]!) as Recipe, {
  resume: true,
  report: () => {},
  progress: () => ({ update: () => void process.stdout.write("step\n"), increment() {}, stop() {} }),
});
