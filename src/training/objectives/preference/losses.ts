import { aten, type Tensor } from "../../../torch/index.ts";
import type { PreferenceSettings } from "../../recipe/objective-schema.ts";

/** What the answers of P pairs come to; in each row the chosen one, then the rejected one. */
export interface PairScores {
  /** [P, 2], log π(answer), summed over its tokens */
  readonly policy: Tensor;
  /** [P, 2], the same of the reference */
  readonly reference: Tensor;
  /** [P, 2], trained tokens of the answers */
  readonly lengths: Tensor;
}

type LossSettings = Pick<PreferenceSettings, "loss" | "beta" | "labelSmoothing" | "smoothing">;

/**
 * Loss of each pair [P], by the formulas of the papers that `preferenceLosses` names: log ratios log π − log ρ of both
 * answers, chosen c and rejected r, where a token's mean is taken c/|chosen| and r/|rejected|.
 */
export function preferenceLoss(
  { policy, reference, lengths }: PairScores,
  { loss, beta, labelSmoothing, smoothing }: LossSettings,
): Tensor {
  const ratios = policy.sub(reference); // [P, 2]
  const [chosen, rejected] = [ratios.select(1, 0), ratios.select(1, 1)];
  const difference = (of: Tensor): Tensor => of.select(1, 0).sub(of.select(1, 1));
  switch (loss) {
    case "sigmoid": {
      const margin = difference(ratios).mul(beta);
      const right = aten.logSigmoid(margin).neg();
      if (labelSmoothing === 0) return right;
      const wrong = aten.logSigmoid(margin.neg()).neg();
      const [kept, turned] = [right.mul(1 - labelSmoothing), wrong.mul(labelSmoothing)];
      return smoothing === "robust" ? kept.sub(turned).div(1 - 2 * labelSmoothing) : kept.add(turned);
    }
    case "sigmoid_norm":
      return aten.logSigmoid(difference(ratios.div(lengths)).mul(beta)).neg();
    case "hinge":
      return difference(ratios).mul(-beta).add(1).clamp(0);
    case "ipo":
      return difference(ratios.div(lengths))
        .sub(1 / (2 * beta))
        .pow(2);
    case "apo_zero":
      return chosen.mul(-beta).sigmoid().add(rejected.mul(beta).sigmoid());
  }
}
