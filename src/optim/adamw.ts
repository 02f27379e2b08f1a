import { LlavaError } from "../errors.ts";
import { aten, keep, noGrad, scope, type Tensor, zeros } from "../torch/index.ts";

/** Parameters that share a learning rate and a decay, by their names in the model. */
export interface ParameterGroup {
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Peak learning rate; a step multiplies it by the schedule's factor. */
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** Vectors next to matrices: biases and the scales of norms, which weight decay would only pull away from their use. */
const isUndecayed = (name: string): boolean => /(?:^|[._])bias$|norm\w*\.weight$/.test(name);

/** Parameters of one learning rate as groups: biases and norms, which are not decayed, apart from all others. */
export function decayGroups(
  parameters: ReadonlyMap<string, Tensor>,
  { learningRate, weightDecay }: { learningRate: number; weightDecay: number },
): ParameterGroup[] {
  if (weightDecay === 0) return [{ parameters, learningRate, weightDecay }];
  const part = (undecayed: boolean) =>
    new Map([...parameters].filter(([name]) => isUndecayed(name) === undecayed));
  return [
    { parameters: part(false), learningRate, weightDecay },
    { parameters: part(true), learningRate, weightDecay: 0 },
  ].filter((group) => group.parameters.size > 0);
}

export interface AdamWOptions {
  /** Decay rates of the two moments, (0.9, 0.999). */
  readonly betas?: readonly [number, number];
  /** 1e-8. */
  readonly epsilon?: number;
}

interface Moments {
  readonly first: Tensor;
  readonly second: Tensor;
  readonly steps: Tensor;
}

/** Adam with decoupled weight decay (Loshchilov and Hutter, 2019); numerically `torch.optim.AdamW(fused=True)`. */
export class AdamW implements Disposable {
  readonly groups: readonly ParameterGroup[];
  readonly #betas: readonly [number, number];
  readonly #epsilon: number;
  readonly #moments = new Map<string, Moments>();

  constructor(
    groups: readonly ParameterGroup[],
    { betas = [0.9, 0.999], epsilon = 1e-8 }: AdamWOptions = {},
  ) {
    this.groups = groups;
    this.#betas = betas;
    this.#epsilon = epsilon;
    for (const { parameters } of groups)
      for (const [name, parameter] of parameters) {
        if (parameter.dtype !== "float32")
          throw new LlavaError("usage", `parameter ${name} is ${parameter.dtype}; AdamW updates float32`, {
            hint: "Keep trainable parameters in float32; frozen ones may be bfloat16.",
          });
        if (this.#moments.has(name)) throw new LlavaError("usage", `parameter ${name} is in two groups`);
        this.#moments.set(name, this.#fresh(parameter));
      }
  }

  #fresh(parameter: Tensor): Moments {
    const like = () => keep(zeros(parameter.shape, { device: parameter.device }));
    return { first: like(), second: like(), steps: keep(zeros([], { device: parameter.device })) };
  }

  /** Updates every parameter that has a gradient. `factor` scales the learning rates of all groups. */
  step(factor = 1): void {
    const [beta1, beta2] = this.#betas;
    noGrad(() =>
      scope(() => {
        for (const { parameters, learningRate, weightDecay } of this.groups) {
          const updated = [...parameters].flatMap(([name, parameter]) => {
            const gradient = parameter.grad;
            return gradient ? [{ parameter, gradient, ...this.#moments.get(name)! }] : [];
          });
          if (updated.length === 0) continue;
          const steps = updated.map((each) => each.steps);
          aten.foreachAdd_(steps, 1);
          aten.fusedAdamW_(
            updated.map((each) => each.parameter),
            updated.map((each) => each.gradient),
            updated.map((each) => each.first),
            updated.map((each) => each.second),
            [],
            steps,
            learningRate * factor,
            beta1,
            beta2,
            weightDecay,
            this.#epsilon,
            false,
            false,
          );
        }
      }),
    );
  }

  clearGradients(): void {
    for (const { parameters } of this.groups)
      for (const parameter of parameters.values()) parameter.grad = undefined;
  }

  parameters(): Tensor[] {
    return this.groups.flatMap(({ parameters }) => [...parameters.values()]);
  }

  /** The moments and step counts themselves, named `<parameter>.{first_moment,second_moment,steps}`. */
  state(): Map<string, Tensor> {
    const named = new Map<string, Tensor>();
    for (const [name, { first, second, steps }] of this.#moments) {
      named.set(`${name}.first_moment`, first);
      named.set(`${name}.second_moment`, second);
      named.set(`${name}.steps`, steps);
    }
    return named;
  }

  /** Copies what `state()` of an optimizer of the same parameters held. Throws `checkpoint` naming what differs. */
  load(state: ReadonlyMap<string, Tensor>): void {
    const own = this.state();
    const stray = [...state.keys()].find((name) => !own.has(name));
    if (stray) throw new LlavaError("checkpoint", `optimizer state has ${stray}, which is not trained here`);
    noGrad(() => {
      for (const [name, tensor] of own) {
        const saved = state.get(name);
        if (!saved) throw new LlavaError("checkpoint", `optimizer state lacks ${name}`);
        if (saved.shape.join() !== tensor.shape.join())
          throw new LlavaError(
            "checkpoint",
            `optimizer state ${name} has shape [${saved.shape}], expected [${tensor.shape}]`,
          );
        tensor.copy_(saved);
      }
    });
  }

  [Symbol.dispose](): void {
    for (const tensor of this.state().values()) tensor.dispose();
  }
}
