/**
 * A preference that can be told in a word: the default model learns to say "yes" and not "no" to whatever it is asked, by
 * recipes/llava-smol-135m/preferences.ts, from drawn pictures:
 *
 *   node proofs/learn-preference.ts [--steps 24] [--rate 2e-4] [--json]
 *
 * Of pairs that it does not learn from, about other pictures and other things, at least 95 % must be told apart by a margin above
 * 0; how likely the chosen answers are is in the log, step by step.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import preferences from "../recipes/llava-smol-135m/preferences.ts";
import { shortAnswerPrompt } from "../src/protocol/index.ts";
import { thingNames, trained } from "./photo-study.ts";

const { values: options } = parseArgs({
  options: {
    steps: { type: "string", default: "24" },
    rate: { type: "string", default: "2e-4" },
    json: { type: "boolean", default: false },
  },
});
const [LEARNT, HELD] = [48, 24];
const folder = mkdtempSync(join(tmpdir(), "llava-preference-"));

/** A pair about a picture of one colour; learnt pairs and others share neither pictures nor things. */
async function pairOf(index: number): Promise<object> {
  const image = `${index}.jpg`;
  const background = { r: (37 * index) % 256, g: (91 * index) % 256, b: (17 * index) % 256 };
  await sharp({ create: { width: 64, height: 64, channels: 3, background } })
    .jpeg()
    .toFile(join(folder, image));
  const half = Math.floor(thingNames.length / 2);
  const thing = index < LEARNT ? thingNames[index % half] : thingNames[half + (index % half)];
  const prompt = `<image>\nIs there a ${thing} in the image?${shortAnswerPrompt}`;
  return { id: String(index), image, prompt, chosen: "Yes", rejected: "No" };
}

try {
  const rows = await Promise.all(Array.from({ length: LEARNT + HELD }, (_, index) => pairOf(index)));
  const held = join(folder, "held.json");
  writeFileSync(held, JSON.stringify(rows.slice(LEARNT)));
  const started = performance.now();
  const seen = { rows: rows.slice(0, LEARNT), images: folder, cache: join(folder, "features") };
  await trained(join(folder, "learnt"), seen, {
    ...preferences,
    data: {},
    optimizer: { learningRate: Number(options.rate) },
    maxSteps: Number(options.steps),
    evaluation: { rows: held, images: folder, count: HELD, every: Number(options.steps) },
  });
  const seconds = (performance.now() - started) / 1000;
  const log = readFileSync(join(folder, "learnt", "run", "log.jsonl"), "utf8")
    .trim()
    .split("\n");
  const entries = log.map((line) => JSON.parse(line) as Record<string, number>);
  const last = entries.findLast((entry) => "heldOut/rewards/accuracies" in entry)!;
  const accuracy = last["heldOut/rewards/accuracies"]!;
  const margin = last["heldOut/rewards/margins"]!;
  const chosen = entries.flatMap((entry) => entry["logps/chosen"] ?? []);
  const found = { seconds, accuracy, margin, chosen };
  if (options.json) console.log(JSON.stringify(found));
  else
    console.log(
      `held out: ${(100 * accuracy).toFixed(1)} % told apart, margin ${margin.toFixed(3)}; log p of chosen answers ${chosen[0]!.toFixed(2)} → ${chosen.at(-1)!.toFixed(2)}; ${seconds.toFixed(0)} s`,
    );
  if (!(accuracy >= 0.95 && margin > 0 && chosen.length === Number(options.steps)))
    throw new Error("the preference was not learnt");
} finally {
  rmSync(folder, { recursive: true });
}
