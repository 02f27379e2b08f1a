/** What studies on captioned photos share: photos with what their captions name, runs from recipes, answers and intervals. */
import { createReadStream, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { wilsonInterval } from "../src/evaluation/index.ts";
import { LocalModel, type Prompt } from "../src/generation/index.ts";
import { loadPretrained } from "../src/pretrained/index.ts";
import { mulberry32 } from "../src/random/index.ts";
import { defaultModel, resolveModel, silentProgress } from "../src/setup/index.ts";
import { type RecipeFields, resolveRecipe, runRecipe } from "../src/training/index.ts";

/** Things that captions of photos often name, each by all its words. */
const things: Readonly<Record<string, RegExp>> = {
  dog: /\b(?:dogs?|pupp(?:y|ies))\b/,
  man: /\b(?:m[ae]n|guys?)\b/,
  woman: /\b(?:wom[ae]n|lad(?:y|ies))\b/,
  boy: /\bboys?\b/,
  girl: /\bgirls?\b/,
  ball: /\b(?:foot|soccer |basket|tennis |base)?balls?\b/,
  bike: /\b(?:bikes?|bicycles?|bicyclists?|cyclists?)\b/,
  car: /\bcars?\b/,
  horse: /\bhorses?\b/,
  water: /\b(?:water|river|lake|ocean|sea|pool|waves?)\b/,
  snow: /\b(?:snow|snowy|snowboard\w*|ski\w*)\b/,
  grass: /\b(?:grass|grassy|lawn)\b/,
  rock: /\b(?:rocks?|rocky|cliffs?)\b/,
};
export const thingNames = Object.keys(things);

export const thingsIn = (text: string): string[] =>
  thingNames.filter((name) => things[name]!.test(text.toLowerCase()));

export interface Photo {
  readonly image: string;
  readonly captions: readonly string[];
  /** What any of its captions names. */
  readonly shows: readonly string[];
}

/** The first photos of a list of names that are there, with their captions ("name#n<tab>caption", as Flickr8k.token.txt has them). */
export async function readPhotos(
  { photos, captions }: { readonly photos: string; readonly captions: string },
  seed: number,
): Promise<Photo[]> {
  const byImage = new Map<string, string[]>();
  for await (const line of createInterface({ input: createReadStream(captions) })) {
    const [, image, caption] = /^(.+?)#\d+\t(.+)$/.exec(line) ?? [];
    if (image === undefined) continue;
    const known = byImage.get(image);
    if (known) known.push(caption!);
    else byImage.set(image, [caption!]);
  }
  const found = [...byImage].map(([image, said]) => ({
    image: resolve(photos, image),
    captions: said,
    shows: thingsIn(said.join(" ")),
  }));
  return shuffled(
    found.filter(({ image }) => existsSync(image)),
    seed,
  );
}

export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = mulberry32(seed);
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** Trains the default model by adapters, and returns the folder of what came of it. */
export async function trained(
  output: string,
  {
    rows,
    images,
    cache,
  }: { readonly rows: readonly object[]; readonly images: string; readonly cache: string },
  { data, ...fields }: Partial<RecipeFields>,
): Promise<string> {
  mkdirSync(output, { recursive: true });
  const path = join(output, "rows.jsonl");
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const recipe = resolveRecipe({
    model: defaultModel,
    projector: "loaded",
    train: [],
    lora: { rank: 8, alpha: 16 },
    data: { rows: path, images, ...data },
    features: { cache },
    optimizer: { learningRate: 3e-4 },
    batchSize: 12,
    packedRows: 4,
    epochs: 100,
    seed: 1,
    output: join(output, "run"),
    ...fields,
  });
  const { result } = await runRecipe(recipe, { progress: silentProgress, report: () => {} });
  return result!;
}

/** Of the default model, or of what was trained of it. */
export async function withModel<T>(
  trainedFolder: string | undefined,
  use: (model: LocalModel) => Promise<T>,
): Promise<T> {
  const resolved =
    trainedFolder === undefined
      ? await resolveModel(defaultModel)
      : ({ kind: "folder", path: trainedFolder } as const);
  using model = new LocalModel(await loadPretrained(resolved, { resolve: (name) => resolveModel(name) }), {
    id: trainedFolder ?? defaultModel,
  });
  return await use(model);
}

/** Greedy answers, in the order of the prompts. */
export async function answersOf(
  model: LocalModel,
  prompts: readonly Prompt[],
  { maxTokens, frames }: { readonly maxTokens: number; readonly frames?: number },
): Promise<string[]> {
  const answers: string[] = [];
  for (let start = 0; start < prompts.length; start += 16)
    for await (const answered of model.answerBatch(
      prompts.slice(start, start + 16).map((prompt) => ({ prompt })),
      {
        ...{ maxTokens, temperature: 0 },
        ...(frames !== undefined && { frames }),
      },
    )) {
      if ("error" in answered) throw answered.error;
      if (answered.part.type === "finish") answers[start + answered.row] = answered.part.output.text.trim();
    }
  return answers;
}

/** "62.5 [45.3, 77.1]": hundredths, with the 95 % interval (Wilson's). */
export function shareOf(right: number, count: number): string {
  const [low, high] = wilsonInterval(right / count, count);
  const hundredths = (value: number): string => (100 * value).toFixed(1);
  return `${hundredths(right / count)} [${hundredths(low)}, ${hundredths(high)}]`;
}
