import { basename } from "node:path";
import {
  openCheckpoint,
  RECOMPUTED_TENSORS,
  type TensorInfo,
  type TensorSource,
  tableSource,
} from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { ggufDialect } from "../models/index.ts";
import { noGrad, scope, type Tensor } from "../torch/index.ts";

const LANGUAGE_MODEL = /^(?:model\.language_model|lm_head)\./;

/** Whether a model says by its name that it was published as the difference from another, as the first LLaVA was from LLaMA. */
export const isNamedDelta = (folder: string, nameOrPath: unknown): boolean =>
  /delta/i.test(`${basename(folder)} ${String(nameOrPath ?? "")}`);

/**
 * The weights of a model that was published as the difference from a language model. A base's tensor is added to the delta's, in
 * the delta's type, as the original `apply_delta.py` does; where the delta has more rows or columns (new words), its first ones
 * are meant. What the base has not, such as the projector, is the delta's own. Disposes of both.
 * @throws LlavaError "checkpoint" where the two are not of one architecture
 */
export function addedTo(base: string, delta: TensorSource): TensorSource {
  const language = openCheckpoint(base, ggufDialect);
  const dispose = () => {
    for (const source of [delta, language]) source[Symbol.dispose]();
  };
  try {
    requireOneArchitecture(delta, language);
  } catch (error) {
    dispose();
    throw error;
  }
  const names = new Map(Array.from(delta.names(), (name) => [name, language.has(name)]));
  return tableSource(`${delta.where} + ${base}`, names, {
    info: (_, name) => delta.info(name),
    read: (isAdded, name, dtype) => {
      if (!isAdded) return delta.read(name, dtype);
      return noGrad(() => {
        const sum = scope(() => added(delta.read(name), language.read(name)));
        return dtype === undefined ? sum : sum.to(dtype);
      });
    },
    isSpare: (_, name) => delta.isSpare?.(name) ?? false,
    dispose,
  });
}

function added(delta: Tensor, base: Tensor): Tensor {
  const sum = delta.clone();
  const part = base.shape.reduce((view, size, dimension) => view.slice(dimension, 0, size), sum);
  part.add_(base.to(delta.dtype));
  return sum;
}

function requireOneArchitecture(delta: TensorSource, base: TensorSource): void {
  const languageOf = (source: TensorSource): string[] =>
    [...source.names()].filter(
      (name) => LANGUAGE_MODEL.test(name) && !RECOMPUTED_TENSORS.some((pattern) => pattern.test(name)),
    );
  const differ = (what: string) =>
    new LlavaError("checkpoint", `${delta.where} is not the difference from ${base.where}: ${what}`, {
      hint: "Give the language model that the delta was made from, in the size that its name says.",
    });
  const [its, own] = [languageOf(delta), languageOf(base)];
  const missing = its.find((name) => !base.has(name)) ?? own.find((name) => !delta.has(name));
  if (missing !== undefined)
    throw differ(`${missing} is in ${base.has(missing) ? "the base" : "the delta"} alone`);
  for (const name of its) {
    const [larger, smaller] = [delta.info(name), base.info(name)];
    if (!fits(smaller, larger))
      throw differ(
        `${name} is of [${larger.shape.join(", ")}], and the base's of [${smaller.shape.join(", ")}]`,
      );
  }
}

/** New words have made tables longer; nothing else grows. */
const fits = ({ shape: smaller }: TensorInfo, { shape: larger }: TensorInfo): boolean =>
  smaller.length === larger.length && smaller.every((size, dimension) => size <= larger[dimension]!);
