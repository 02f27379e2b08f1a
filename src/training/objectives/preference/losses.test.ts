// The losses of preferences against their formulas: npm test -- src/training/objectives/preference
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { scope, tensor } from "../../../torch/index.ts";
import { resolveRecipe } from "../../recipe/recipe.ts";
import { preferenceLoss } from "./losses.ts";

/** log π, log ρ and lengths of chosen and rejected, and the losses at β .1 as computed with numbers of 64 bits. */
const pairs = [
  { policy: [-10, -12], reference: [-11, -11.5], lengths: [5, 8] },
  { policy: [-30, -20], reference: [-28, -22], lengths: [12, 6] },
];
const table: Record<string, [settings: object, first: number, second: number]> = {
  sigmoid: [{ loss: "sigmoid" }, 0.620957, 0.913015],
  "conservative smoothing": [{ loss: "sigmoid", labelSmoothing: 0.1 }, 0.635957, 0.873015],
  "robust smoothing": [{ loss: "sigmoid", labelSmoothing: 0.1, smoothing: "robust" }, 0.602207, 0.963015],
  hinge: [{ loss: "hinge" }, 0.85, 1.4],
  ipo: [{ loss: "ipo" }, 22.443906, 30.25],
  sigmoid_norm: [{ loss: "sigmoid_norm" }, 0.680108, 0.71846],
  apo_zero: [{ loss: "apo_zero" }, 0.962523, 1.099668],
};

const settingsOf = (fields: object) => {
  const { objective } = resolveRecipe({
    ...{ model: "m", output: "o", batchSize: 1, data: { rows: "r", images: "i" } },
    optimizer: { learningRate: 1 },
    objective: { type: "preference", ...fields },
  });
  return objective?.type === "preference" ? objective : assert.fail();
};

const lossesOf = (settings: object, policy: readonly number[]): number[] =>
  scope(() => {
    const shape = [policy.length / 2, 2];
    const of = (name: "reference" | "lengths") =>
      tensor(
        pairs.flatMap((pair) => pair[name]),
        { shape },
      );
    const scores = { policy: tensor(policy, { shape }), reference: of("reference"), lengths: of("lengths") };
    return preferenceLoss(scores, settingsOf(settings)).toNumbers();
  });

const policy = pairs.flatMap((pair) => pair.policy);

describe("the loss of a pair", () => {
  for (const [name, [settings, ...expected]] of Object.entries(table))
    test(`is that of the paper: ${name}`, () => {
      for (const [at, loss] of lossesOf(settings, policy).entries())
        assert.ok(Math.abs(loss - expected[at]!) <= 1e-6 * Math.max(1, expected[at]!), `${loss}`);
    });

  test("is ln 2 where the policy is its reference, whatever the smoothing", () => {
    const still = pairs.flatMap(({ reference }) => reference);
    for (const settings of [{}, { labelSmoothing: 0.2 }, { labelSmoothing: 0.2, smoothing: "robust" }])
      for (const loss of lossesOf(settings, still)) assert.ok(Math.abs(loss - Math.LN2) < 1e-6);
  });

  for (const [name, [settings]] of Object.entries(table))
    test(`has the gradient that differences have: ${name}`, () => {
      const shape = [2, 2];
      const gradient = scope(() => {
        const learning = tensor(policy, { shape }).requiresGrad_();
        const of = (name: "reference" | "lengths") =>
          tensor(
            pairs.flatMap((pair) => pair[name]),
            { shape },
          );
        const scores = { policy: learning, reference: of("reference"), lengths: of("lengths") };
        preferenceLoss(scores, settingsOf(settings)).sum().backward();
        return learning.grad!.toNumbers();
      });
      const sum = (values: readonly number[]) => lossesOf(settings, values).reduce((a, b) => a + b);
      const step = 0.01;
      for (const [at, value] of gradient.entries()) {
        const moved = (by: number) => sum(policy.with(at, policy[at]! + by));
        const slope = (moved(step) - moved(-step)) / (2 * step);
        assert.ok(
          Math.abs(slope - value) <= 1e-3 * Math.max(1, Math.abs(slope)),
          `${at}: ${value}, ${slope}`,
        );
      }
    });

  test("stays finite where one side is certain", () => {
    const sure = [-1, -3000, -3000, -1];
    for (const loss of lossesOf({}, sure)) assert.ok(Number.isFinite(loss));
  });
});
