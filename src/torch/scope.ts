import { native } from "./binding.ts";
import { Handle } from "./handle.ts";

/** The tensors made since a scope was entered. They are freed when it is left, whatever the garbage collector does. */
let current: Handle[] | undefined;

let Made: new (slot: number) => Handle = Handle;

/** Names the class of which new slots' objects are. */
export function register(made: new (slot: number) => Handle): void {
  Made = made;
}

/** Gives a new slot its object, of the registered class: owned by the scope we are in, otherwise by the garbage collector. */
export function adopt<T extends Handle>(slot: number): T {
  const tensor = new Made(slot);
  if (current === undefined) track(tensor);
  else current.push(tensor);
  return tensor as T;
}

/** Words of JavaScript that weigh as much as the native side of a small tensor. */
const NATIVE_WORDS = 64;
const nursery: { latest: unknown[] } = { latest: [] };

/**
 * Hands a tensor to the garbage collector. Its minor collections are timed by JavaScript's own bytes, so each tensor
 * leaves some garbage of its native size: fewer are dead at a time, and their memory is reused while it is in cache.
 */
function track(tensor: Handle): void {
  native.track(tensor, tensor.slot);
  nursery.latest = new Array(NATIVE_WORDS);
}

/** Takes a tensor out of the scope it was made in: it lives until it is disposed of or nothing refers to it. */
export function keep<T extends Handle>(tensor: T): T {
  tensor.kept = true;
  return tensor;
}

/**
 * The tensor that `make` gives, for an owner who disposes of it without fail: the garbage collector neither takes it nor is told of
 * its memory, of which much would make it collect. What else is made on the way is freed.
 */
export function owned<T extends Handle>(make: () => T): T {
  const outer = current;
  const made: Handle[] = [];
  current = made;
  let tensor: T | undefined;
  try {
    tensor = make();
    return tensor;
  } finally {
    current = outer;
    leave(
      made.filter((other) => other !== tensor),
      outer,
      undefined,
    );
  }
}

type Synchronous<R> = R extends PromiseLike<unknown> ? never : R;

/**
 * Runs `body` and frees every tensor made inside but those it returns (deep in arrays, maps and plain objects) and
 * those given to `keep`. Scopes stand in the owners of loops (a training step, a decoding step); models have none.
 * Synchronous only: tensors of interleaved asynchronous work could not be told apart.
 */
export function scope<R>(body: () => Synchronous<R>): R {
  const outer = current;
  const inner: Handle[] = [];
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

function leave(inner: Handle[], outer: Handle[] | undefined, result: unknown): void {
  const escaping = new Set<Handle>();
  collect(result, escaping);
  const slots = new Int32Array(inner.length);
  let count = 0;
  for (const tensor of inner) {
    if (tensor.slot < 0) continue;
    const escapes = escaping.size > 0 && escaping.has(tensor);
    if (tensor.kept || (escapes && outer === undefined)) {
      track(tensor);
    } else if (escapes) {
      outer!.push(tensor);
    } else {
      slots[count++] = tensor.slot;
      tensor.slot = -1;
    }
  }
  native.releaseAll(slots, count);
}

function collect(value: unknown, into: Set<Handle>, seen = new Set<object>()): void {
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return;
  if (value instanceof Handle) {
    into.add(value);
    return;
  }
  if (seen.has(value)) return;
  seen.add(value);
  if (Array.isArray(value) || value instanceof Set) {
    for (const element of value) collect(element, into, seen);
  } else if (value instanceof Map) {
    for (const element of value.values()) collect(element, into, seen);
  } else if (isPlain(value)) {
    for (const element of Object.values(value)) collect(element, into, seen);
  }
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Tensors alive in this thread, counted natively. */
export const liveTensors = (): number => native.liveTensors();
