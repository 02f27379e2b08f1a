import { LlavaError } from "../errors.ts";
import { editDistance } from "../spelling.ts";
import type { DType, Tensor } from "../torch/index.ts";
import type { TensorSource } from "./source.ts";

/** What weights are loaded into: a module. */
export interface ParameterTree {
  namedParameters(): ReadonlyMap<string, Tensor>;
  /** Takes the tensor over. */
  setParameter(name: string, tensor: Tensor): void;
  /** Reads a parameter in a way of its own; where it says no, `setParameter` is given it. */
  load?(name: string, source: TensorSource): boolean;
}

export interface LoadStrictOptions {
  /** Element type of the loaded parameters; as stored without it. */
  readonly dtype?: DType;
  readonly device?: string;
  /** Tensors of the source that need no place in the target. */
  readonly ignore?: readonly RegExp[];
}

export interface LoadReport {
  readonly loaded: readonly string[];
  readonly ignored: readonly string[];
}

const LISTED = 8;

/**
 * Fills every parameter of `target` from `source`. Names and shapes are compared first: where any is missing, left over
 * or of another shape, LlavaError("checkpoint") lists them and the target is untouched.
 */
export function loadStrict(
  target: ParameterTree,
  source: TensorSource,
  options: LoadStrictOptions = {},
): LoadReport {
  const { dtype, device, ignore = [] } = options;
  const parameters = target.namedParameters();
  const others = [...source.names()].filter((name) => !parameters.has(name));
  const isIgnored = (name: string) => ignore.some((pattern) => name.search(pattern) >= 0);
  const unexpected = others.filter((name) => !isIgnored(name) && !source.isSpare?.(name));
  const missing = [...parameters.keys()].filter((name) => !source.has(name));
  const misshapen = [...parameters].flatMap(([name, parameter]) => {
    const stored = source.has(name) ? source.info(name).shape : parameter.shape;
    return sameShape(stored, parameter.shape)
      ? []
      : [`${name} is ${shapeText(stored)}, expected ${shapeText(parameter.shape)}`];
  });

  const problems = [
    list("missing", missing, nearest(unexpected)),
    list("not expected", unexpected, nearest(missing.length > 0 ? missing : [...parameters.keys()])),
    list("of another shape", misshapen),
  ].filter((text) => text !== undefined);
  if (problems.length > 0) {
    throw new LlavaError("checkpoint", `${source.where} does not fit the model: ${problems.join("; ")}`, {
      hint: "Check that config.json and weights belong together and that all files are there.",
    });
  }

  for (const name of parameters.keys()) {
    if (target.load?.(name, source)) continue;
    const stored = source.read(name, dtype);
    const placed = device === undefined ? stored : stored.toDevice(device);
    target.setParameter(name, placed);
    if (placed !== stored) stored.dispose();
  }
  return { loaded: [...parameters.keys()], ignored: others };
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, dim) => size === b[dim]);

function list(what: string, names: readonly string[], hint?: (name: string) => string): string | undefined {
  if (names.length === 0) return undefined;
  const shown = names.slice(0, LISTED).map((name) => name + (hint?.(name) ?? ""));
  const rest = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  return `${names.length} ${what}: ${shown.join(", ")}${rest}`;
}

/** Adds " (nearest: …)" to a name where one of `candidates` differs from it by at most a third. */
function nearest(candidates: readonly string[]): (name: string) => string {
  return (name) => {
    let best: { name: string; away: number } | undefined;
    for (const candidate of candidates) {
      const away = editDistance(name, candidate);
      if (away <= name.length / 3 && away < (best?.away ?? Number.POSITIVE_INFINITY))
        best = { name: candidate, away };
    }
    return best ? ` (nearest: ${best.name})` : "";
  };
}
