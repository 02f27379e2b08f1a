import { native } from "./binding.ts";
import { Tensor } from "./tensor.ts";

/** The tensors made since a scope was entered. They are freed when it is left, whatever the garbage collector does. */
let current: Tensor[] | undefined;

/** Gives a new slot its object: owned by the scope we are in, otherwise by the garbage collector. */
export function adopt(slot: number): Tensor {
  const tensor = new Tensor(slot);
  if (current === undefined) native.track(tensor, slot);
  else current.push(tensor);
  return tensor;
}

/** Takes a tensor out of the scope it was made in: it lives until it is disposed of or nothing refers to it. */
export function keep<T extends Tensor>(tensor: T): T {
  tensor.kept = true;
  return tensor;
}

type Synchronous<R> = R extends PromiseLike<unknown> ? never : R;

/**
 * Runs `body` and frees every tensor made inside but those it returns (deep in arrays, maps and plain objects) and
 * those given to `keep`. Scopes stand in the owners of loops (a training step, a decoding step); models have none.
 * Synchronous only: tensors of interleaved asynchronous work could not be told apart.
 */
export function scope<R>(body: () => Synchronous<R>): R {
  const outer = current;
  const inner: Tensor[] = [];
  current = inner;
  let result: R | undefined;
  try {
    result = body() as R;
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function")
      throw new TypeError(
        "scope() takes a synchronous function; open scopes inside the asynchronous one instead",
      );
    return result;
  } finally {
    current = outer;
    leave(inner, outer, result);
  }
}

function leave(inner: Tensor[], outer: Tensor[] | undefined, result: unknown): void {
  const escaping = new Set<Tensor>();
  collect(result, escaping);
  const slots = new Int32Array(inner.length);
  let count = 0;
  for (const tensor of inner) {
    if (tensor.slot < 0) continue;
    if (tensor.kept || (escaping.has(tensor) && outer === undefined)) {
      native.track(tensor, tensor.slot);
    } else if (escaping.has(tensor)) {
      outer!.push(tensor);
    } else {
      slots[count++] = tensor.slot;
      tensor.slot = -1;
    }
  }
  native.releaseAll(slots, count);
}

function collect(value: unknown, into: Set<Tensor>): void {
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return;
  if (value instanceof Tensor) {
    into.add(value);
  } else if (Array.isArray(value) || value instanceof Set) {
    for (const element of value) collect(element, into);
  } else if (value instanceof Map) {
    for (const element of value.values()) collect(element, into);
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const element of Object.values(value)) collect(element, into);
  }
}

/** Tensors alive in this thread, counted natively. */
export const liveTensors = (): number => native.liveTensors();
