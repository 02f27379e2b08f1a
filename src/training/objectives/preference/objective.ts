import { crossEntropy, fromTyped, scope, type Tensor, tensor } from "../../../torch/index.ts";
import { idleBatch } from "../../batches/row-batch.ts";
import type { PreferenceSettings } from "../../recipe/objective-schema.ts";
import type { Measures, Objective } from "../objective.ts";
import type { RowLogits } from "../row-logits.ts";
import { preferenceLoss } from "./losses.ts";
import { answerWeights, type PairBatch, pairBatch } from "./pair-batch.ts";

/** Runs something on the model as the reference. */
export type AsReference = <T>(body: () => T) => T;

/**
 * Learns from pairs of answers which is the better one, without a model of rewards: by how far the policy has gone from a
 * reference on both (direct preference optimisation, arXiv 2305.18290), with the likelihood of the better one beside it.
 */
export class PreferenceObjective implements Objective<PairBatch> {
  readonly #logits: RowLogits;
  readonly #settings: PreferenceSettings;
  readonly #asReference: AsReference | undefined;

  /** Without `asReference`, batches bring the log probabilities of their reference. */
  constructor(logits: RowLogits, settings: PreferenceSettings, asReference?: AsReference) {
    this.#logits = logits;
    this.#settings = settings;
    this.#asReference = asReference;
  }

  backward(scaledLoss: Tensor): void {
    this.#logits.backward(scaledLoss);
  }

  loss(batch: PairBatch, note?: (sums: Measures) => void): Tensor {
    const reference = this.#reference(batch);
    const { answers: policy, likelihood } = this.#answers(batch);
    const { preferenceWeight, sftWeight } = this.#settings;
    const lengths = tensor(batch.lengths, { shape: [batch.units, 2] }).toDevice(policy.device);
    const preference = preferenceLoss({ policy, reference, lengths }, this.#settings).sum();
    const loss = preference.mul(preferenceWeight);
    note?.({
      ...pairMeasures(policy.toNumbers(), reference.toNumbers(), batch.lengths, this.#settings.beta),
      "losses/preference": preference.item(),
      ...(sftWeight > 0 && { "losses/sft": -likelihood.item() * batch.pairsPerChosenToken }),
    });
    return sftWeight === 0 ? loss : loss.sub(likelihood.mul(sftWeight * batch.pairsPerChosenToken));
  }

  /**
   * Of the model as it is, [P · 2]: chosen and rejected of each pair. Gradients are recorded where they would be in a step,
   * since libtorch folds products in another way without, and rounds them otherwise.
   */
  logProbabilities(batch: PairBatch): number[] {
    return scope(() => {
      const answers = this.#answers(batch).answers.toNumbers();
      this.#logits.forget();
      return answers;
    });
  }

  idle(like?: PairBatch): PairBatch {
    const isKnown = this.#asReference === undefined || like?.reference !== undefined;
    return pairBatch(idleBatch(this.#logits.device), 1, isKnown ? [] : undefined);
  }

  suspects(batch: PairBatch): readonly string[] {
    const answers = this.logProbabilities(batch);
    const suspects = batch.samples.filter((_, answer) => !Number.isFinite(answers[answer]));
    return suspects.length > 0 ? [...new Set(suspects)] : batch.samples;
  }

  #reference(batch: PairBatch): Tensor {
    const answers = batch.reference ?? scope(() => this.#asReference!(() => this.logProbabilities(batch)));
    return tensor(answers, { shape: [batch.units, 2] }).toDevice(batch.targets.device);
  }

  /** log p of each answer, as `tailWeight` has it [P, 2]; and of the tokens of all chosen ones together. */
  #answers(batch: PairBatch): { answers: Tensor; likelihood: Tensor } {
    const tokens = crossEntropy(this.#logits.of(batch), batch.targets, "none").neg(); // [S], 0 in the padding
    const weightsOf = (tailWeight: number): Tensor => {
      const shape = [batch.lengths.length, tokens.size(0)];
      const data = answerWeights(batch, tokens.size(0), tailWeight);
      return fromTyped(data, { dtype: "float32", shape }).toDevice(tokens.device);
    };
    const { tailWeight } = this.#settings;
    const sums = (weights: Tensor): Tensor => weights.matmul(tokens.unsqueeze(1)).reshape([batch.units, 2]);
    const answers = sums(weightsOf(tailWeight));
    const whole = tailWeight === 1 ? answers : sums(weightsOf(1));
    return { answers, likelihood: whole.select(1, 0).sum() };
  }
}

/** Sums over pairs of what is told of them; rewards are β(log π − log ρ), and an answer wins by more than the other's. */
function pairMeasures(
  policy: readonly number[],
  reference: readonly number[],
  lengths: readonly number[],
  beta: number,
): Measures {
  const sums: Record<string, number> = {};
  const add = (name: string, value: number): void => {
    sums[name] = (sums[name] ?? 0) + value;
  };
  for (let pair = 0; pair < policy.length; pair += 2) {
    const [chosen, rejected] = [pair, pair + 1].map((at) => policy[at]! - reference[at]!) as [number, number];
    add("rewards/chosen", beta * chosen);
    add("rewards/rejected", beta * rejected);
    add("rewards/margins", beta * (chosen - rejected));
    add("rewards/accuracies", chosen > rejected ? 1 : 0);
    add("logps/chosen", policy[pair]!);
    add("logps/rejected", policy[pair + 1]!);
    add("lengths/chosen", lengths[pair]!);
    add("lengths/rejected", lengths[pair + 1]!);
    add("displacement", chosen < 0 && rejected < 0 ? 1 : 0);
  }
  return sums;
}
