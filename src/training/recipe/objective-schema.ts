import { z } from "zod";
import { LlavaError } from "../../errors.ts";

/** What is made of the differences between policy and reference on a pair; names and formulas are those of the field. */
const preferenceLosses = ["sigmoid", "sigmoid_norm", "hinge", "ipo", "apo_zero"] as const;

const preferenceSchema = z.strictObject({
  type: z.literal("preference"),
  /**
   * "sigmoid": DPO (arXiv 2305.18290); "sigmoid_norm": of log probabilities a token; "hinge" (SLiC, arXiv 2305.10425); "ipo"
   * (arXiv 2310.12036), of log probabilities a token; "apo_zero" (arXiv 2408.06266), which raises the better answer itself.
   */
  loss: z.enum(preferenceLosses).default("sigmoid"),
  /** How much a difference from the reference counts; of "ipo", what regularises. */
  beta: z.number().positive().default(0.1),
  /** Share of pairs taken to be the wrong way round, with "sigmoid". */
  labelSmoothing: z.number().min(0).lt(0.5).default(0),
  /** "conservative": the loss that is expected then (cDPO); "robust": one that is unbiased then (arXiv 2403.00409). */
  smoothing: z.enum(["conservative", "robust"]).default("conservative"),
  /** Weight of answers' tokens beyond the length of the shorter one of a pair (LD-DPO, arXiv 2409.06411). */
  tailWeight: z.number().min(0).max(1).default(1),
  /** Weights of the preference in the loss, and of the better answers' likelihood beside it, averaged over their tokens. */
  preferenceWeight: z.number().min(0).default(1),
  sftWeight: z.number().min(0).default(0),
  /**
   * Where the reference, which is the model that training starts from, comes from. "adaptersOff": the model without its new
   * adapters, where nothing else learns; "copy": a frozen copy of what learns, such as the adapter that is gone on from;
   * "precomputed": its log probabilities, computed before the first step and kept in a file. "auto": "adaptersOff" where that
   * is the reference, otherwise "copy".
   */
  reference: z.enum(["auto", "adaptersOff", "copy", "precomputed"]).default("auto"),
  /** File of precomputed log probabilities; `reference.jsonl` in the output folder when left out. */
  referenceFile: z.string().min(1).optional(),
});

export type PreferenceSettings = z.output<typeof preferenceSchema>;

/** What is meant where a recipe says nothing else. */
export const usualPreference: PreferenceSettings = preferenceSchema.parse({ type: "preference" });

export const objectiveSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("supervised") }),
  preferenceSchema,
]);

/** What of a recipe bears on its objective. */
interface Learning {
  readonly objective?: z.output<typeof objectiveSchema> | undefined;
  readonly lora?: { readonly start?: string | undefined } | undefined;
  readonly train: readonly string[];
}

/** Which reference a recipe for preferences has. */
export function referenceOf({
  objective,
  lora,
  train,
}: Learning): Exclude<PreferenceSettings["reference"], "auto"> | undefined {
  if (objective?.type !== "preference") return undefined;
  if (objective.reference !== "auto") return objective.reference;
  return lora && lora.start === undefined && train.length === 0 ? "adaptersOff" : "copy";
}

/** @throws LlavaError "config" for fields that do not go with preferences */
export function requirePreferences({
  objective,
  data,
  evaluation,
  lora,
  train,
}: Learning & {
  readonly data: { readonly rowsPerImage: number; readonly flips: boolean };
  readonly evaluation?: { readonly rowsPerImage: number } | undefined;
}): void {
  if (objective?.type !== "preference") return;
  const { loss, labelSmoothing, reference, preferenceWeight, sftWeight } = objective;
  const refuse = (message: string, hint: string): never => {
    throw new LlavaError("config", message, { hint });
  };
  if (labelSmoothing > 0 && loss !== "sigmoid")
    refuse(`objective.labelSmoothing goes with the loss "sigmoid", not "${loss}"`, "Leave one of them out.");
  if (preferenceWeight === 0 && sftWeight === 0)
    refuse("objective.preferenceWeight and sftWeight are both 0: nothing is minimised", "Raise one of them.");
  if (reference === "adaptersOff" && !(lora && lora.start === undefined && train.length === 0))
    refuse(
      `objective.reference "adaptersOff" is not the model that training starts from where ${lora ? (lora.start === undefined ? `${train.join(", ")} learns too` : "an adapter is gone on from (lora.start)") : "there is no lora"}`,
      'Set it to "copy" or "precomputed".',
    );
  if (data.rowsPerImage > 1 || (evaluation?.rowsPerImage ?? 1) > 1)
    refuse(
      "rowsPerImage above 1 is for rows that share an image; the answers of a pair share their prompt",
      "Leave it out.",
    );
  if (reference === "precomputed" && data.flips)
    refuse(
      "data.flips shows images in two ways, of which a precomputed reference knows one",
      "Leave it out.",
    );
}
