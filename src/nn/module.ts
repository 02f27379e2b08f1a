import { LlavaError } from "../errors.ts";
import { type DType, isFloating, keep, metaTensor, releasePages, Tensor } from "../torch/index.ts";

/** "qProj" → "q_proj", "layerNorm1" → "layer_norm1": the names that Hugging Face checkpoints use. */
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A parameter or module of another, whose place `put` gives to another one. */
interface Field {
  readonly key: string;
  readonly value: Tensor | Module;
  put(other: Tensor | Module): void;
}

/** Where a module keeps a parameter. */
export interface ParameterPlace {
  readonly name: string;
  /** What was there when it was asked. */
  readonly tensor: Tensor;
  /** Puts another tensor there; the one that was is not disposed of. */
  put(tensor: Tensor): void;
}

/** The beginning of the keys inside a module. */
const within = (key: string): string => (key === "" ? "" : `${key}.`);

/** The key of an element of a list. */
const placed = (key: string, place: number): string =>
  key.includes("#") ? key.replace("#", String(place + 1)) : `${key}.${place}`;

/**
 * A part of a model. Its parameters are its fields: tensors, other modules, and arrays of modules. A state-dict key is
 * the path of field names in snake case. A private field (#) is none.
 */
export abstract class Module implements Disposable {
  /**
   * Field name → key, where the checkpoint's name is not the snake-case form: "" for a module that adds no step to paths;
   * with # for a list's places, counted from 1.
   */
  protected readonly keys?: Readonly<Record<string, string>>;

  namedParameters(prefix = ""): Map<string, Tensor> {
    return new Map(this.parameterPlaces(prefix).map(({ name, tensor }) => [name, tensor]));
  }

  /** Where the parameters are. */
  parameterPlaces(prefix = ""): ParameterPlace[] {
    return [...this.#fields(prefix)].flatMap(({ key, value, put }) =>
      value instanceof Tensor
        ? [{ name: key, tensor: value, put: (tensor: Tensor) => put(keep(tensor)) }]
        : value.parameterPlaces(within(key)),
    );
  }

  /** This module under the name "" and all inside it, by their paths. */
  *namedModules(name = ""): Iterable<[name: string, module: Module]> {
    yield [name, this];
    for (const { key, value } of this.#fields(within(name)))
      if (value instanceof Module) yield* value.namedModules(key);
  }

  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  /** Puts a tensor in the place of a parameter, which is disposed of. The module owns it from now on. */
  setParameter(name: string, tensor: Tensor): void {
    const before = this.exchangeParameter(name, tensor);
    if (before !== tensor) before.dispose();
  }

  /** As `setParameter`, but gives the parameter that was there, which is the caller's from now on. */
  exchangeParameter(name: string, tensor: Tensor): Tensor {
    const before = this.#exchange(name, tensor);
    if (before === undefined) throw new LlavaError("usage", `there is no parameter "${name}"`);
    return before;
  }

  #exchange(name: string, tensor: Tensor): Tensor | undefined {
    for (const { key, value, put } of this.#fields("")) {
      if (value instanceof Tensor) {
        if (key !== name) continue;
        put(keep(tensor));
        return value;
      }
      if (!name.startsWith(within(key))) continue;
      const before = value.#exchange(name.slice(within(key).length), tensor);
      if (before !== undefined) return before;
    }
    return undefined;
  }

  /** Puts a module in the place of one inside, which is not disposed of: the new one may hold it, or its tensors. */
  replace(path: string, module: Module): void {
    if (!this.#replace(path, module)) throw new LlavaError("usage", `there is no module "${path}"`);
  }

  #replace(path: string, module: Module): boolean {
    for (const { key, value, put } of this.#fields("")) {
      if (value instanceof Tensor) continue;
      if (key === path) {
        put(module);
        return true;
      }
      if (path.startsWith(within(key)) && value.#replace(path.slice(within(key).length), module)) return true;
    }
    return false;
  }

  *#fields(prefix: string): Iterable<Field> {
    for (const [field, value] of Object.entries(this)) {
      const own = this.keys?.[field] ?? snakeCase(field);
      const key = own === "" ? prefix.slice(0, -1) : prefix + own;
      if (value instanceof Tensor || value instanceof Module) {
        yield { key, value, put: (other) => Object.assign(this, { [field]: other }) };
      } else if (Array.isArray(value)) {
        for (const [i, element] of value.entries())
          if (element instanceof Module)
            yield { key: placed(key, i), value: element, put: (other) => value.splice(i, 1, other) };
      }
    }
  }

  requiresGrad_(value = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(value);
    return this;
  }

  /** Converts floating-point parameters, one at a time, so that no second copy of the model is ever alive. */
  to(target: { dtype?: DType; device?: string }): this {
    for (const [name, parameter] of this.namedParameters()) {
      let moved = parameter;
      if (target.dtype !== undefined && isFloating(parameter.dtype)) moved = moved.to(target.dtype);
      if (target.device !== undefined) moved = moved.toDevice(target.device);
      if (moved === parameter) continue;
      releasePages(parameter);
      this.setParameter(name, moved);
    }
    return this;
  }

  [Symbol.dispose](): void {
    for (const parameter of this.parameters()) parameter.dispose();
  }
}

/** A parameter's place: a shape without memory, until weights are loaded or drawn. */
export const placeholder = (shape: readonly number[], dtype?: DType): Tensor => metaTensor(shape, dtype);
