import { join } from "node:path";
import { alone } from "../../../distributed/index.ts";
import { LlavaError } from "../../../errors.ts";
import { openStageData } from "../../batches/open-data.ts";
import { referenceOf } from "../../recipe/objective-schema.ts";
import { checkpointsOf, type ObjectiveInputs, type PreparedObjective } from "../objective.ts";
import { RowLogits } from "../row-logits.ts";
import { evaluatePreference } from "./evaluation.ts";
import { PreferenceObjective } from "./objective.ts";
import { type PairBatch, pairBatch } from "./pair-batch.ts";
import { asPairs, PairSource } from "./pair-source.ts";
import { adaptersOff, FrozenCopy } from "./reference.ts";
import { storedReference } from "./stored-reference.ts";
import { watchPreference } from "./watch.ts";

/** Which of two answers is better is learnt, against the model as it is now. */
export async function preparePreference(inputs: ObjectiveInputs): Promise<PreparedObjective<PairBatch>> {
  const { recipe, pretrained, sharded, around } = inputs;
  const settings = recipe.objective;
  if (settings?.type !== "preference")
    throw new LlavaError("config", "the recipe's objective is not preference");
  const { encode, ...data } = await openStageData(recipe, pretrained, around);
  const logits = new RowLogits(pretrained.model, encode, checkpointsOf(inputs));
  const reference = referenceOf(recipe);
  const copy = reference === "copy" ? (sharded?.frozenCopy() ?? new FrozenCopy(pretrained)) : undefined;
  const asReference = reference === "adaptersOff" ? adaptersOff(pretrained) : copy?.run;
  const objective = new PreferenceObjective(logits, settings, asReference);
  const path = settings.referenceFile ?? join(recipe.output, "reference.jsonl");
  const known =
    reference === "precomputed"
      ? await storedReference({ path, recipe, pretrained, sharded, data, objective, around })
      : undefined;
  // Nothing has been learnt yet, so that the model itself is the reference of the held-out pairs.
  const heldOut = asPairs(data.heldOut, alone, (batch) => objective.logProbabilities(pairBatch(batch, 1)));
  return {
    ...data,
    objective,
    source: new PairSource(data.source, { known, communicator: around.communicator }),
    heldOut,
    watch: watchPreference(recipe, settings.beta, around.report),
    evaluate: () => evaluatePreference(objective, heldOut, around.communicator),
    [Symbol.dispose]() {
      copy?.[Symbol.dispose]();
      data[Symbol.dispose]();
    },
  };
}
