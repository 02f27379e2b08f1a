import { type Recipe, trainableParts } from "../recipe/recipe.ts";
import { type Placement, placement } from "../stage/placement.ts";
import { learningRateOf } from "../stage/trainable.ts";
import { adapterWeights, type ModelSizes } from "./sizes.ts";

/** Weights that learn together, or are frozen. */
export interface OutlinedGroup {
  /** "projector", "languageModel", "visionTower" or "lora". */
  readonly name: string;
  readonly parameters: number;
  /** Peak rate; undefined for what is frozen. */
  readonly learningRate: number | undefined;
  /** Element type that they are kept in, or the matrices among them. */
  readonly storedAs: Placement["stored"] | NonNullable<Placement["matrices"]>;
}

/** What a recipe will do to a model, told without its weights and without data. */
export interface Outline {
  readonly groups: readonly OutlinedGroup[];
  readonly trained: number;
  readonly frozen: number;
  /** Feature rows of an image. */
  readonly imageTokens: number;
  /** Tokens of a step in which every row has one image, and at most, where every row has `data.maxTokens`. */
  readonly imageTokensPerStep: number;
  readonly mostTokensPerStep: number;
  /** A video that is long enough for as many frames as are seen. */
  readonly video: { readonly frames: number; readonly tokens: number };
}

/** Counts what a recipe trains of a model of these sizes. */
export function outlineRecipe(recipe: Recipe, sizes: ModelSizes): Outline {
  const { parameters, imageTokens, video, tower } = sizes;
  const { lora, optimizer, batchSize, data, objective } = recipe;
  const sides = objective?.type === "preference" ? 2 : 1;
  const groups = trainableParts.map((part): OutlinedGroup => {
    const { learns, stored, matrices } = placement(recipe, part, tower);
    return {
      name: part,
      parameters: parameters[part],
      learningRate: learns ? learningRateOf(recipe, part) : undefined,
      storedAs: matrices ?? stored,
    };
  });
  if (lora) {
    groups.push({
      name: "lora",
      parameters: adapterWeights(sizes, lora),
      learningRate: optimizer.learningRate,
      storedAs: placement(recipe, "adapters").stored,
    });
  }
  const count = (learns: boolean) =>
    groups
      .filter(({ learningRate }) => (learningRate !== undefined) === learns)
      .reduce((sum, { parameters }) => sum + parameters, 0);
  return {
    groups,
    trained: count(true),
    frozen: count(false),
    imageTokens,
    imageTokensPerStep: batchSize * imageTokens,
    mostTokensPerStep: batchSize * sides * data.maxTokens,
    video: { frames: video.frames, tokens: video.tokens(video.frames) },
  };
}

/** As lines for people. */
export function renderOutline({ groups, trained, frozen, ...tokens }: Outline): string[] {
  const number = (value: number): string => value.toLocaleString("en-US");
  const rows = groups.map(({ name, parameters, learningRate, storedAs }) => [
    name,
    number(parameters),
    learningRate === undefined ? "frozen" : `learns at ${learningRate}`,
    storedAs,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return [
    ...rows.map(([name, parameters, rate, type]) =>
      [name!.padEnd(widths[0]!), parameters!.padStart(widths[1]!), rate!.padEnd(widths[2]!), type!].join(
        "  ",
      ),
    ),
    `${number(trained)} weights learn, ${number(frozen)} are frozen`,
    `${number(tokens.imageTokens)} tokens an image, ${number(tokens.imageTokensPerStep)} a step with one in each row; ` +
      `at most ${number(tokens.mostTokensPerStep)} tokens a step`,
    `${number(tokens.video.tokens)} tokens a video of ${tokens.video.frames} frames`,
  ];
}
