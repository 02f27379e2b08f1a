// Random interleavings of scopes, keeps, disposals and collections: every tensor that is still held has its own value.
//   node --expose-gc stress.ts SEED SECONDS CHECKS: for so long, and until so much is checked
import assert from "node:assert/strict";
import { keep, liveTensors, scope, type Tensor, tensor } from "../../../src/torch/index.ts";

const collectGarbage = globalThis.gc!;
let state = Number(process.argv[2]);
const deadline = performance.now() + 1000 * Number(process.argv[3]);
const wanted = Number(process.argv[4]);

/** A whole number below `limit`. */
function random(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

interface Held {
  readonly tensor: Tensor;
  readonly value: number;
}

let held: Held[] = [];
let counter = 0;
let checks = 0;

/** A tensor and its value, made directly or as a sum of held ones, perhaps with temporaries that are dropped at once. */
function make(): Held {
  const value = counter++ % 100_000;
  const size = 1 + random(40);
  if (random(2) === 0)
    return { tensor: tensor(Array<number>(size).fill(value), { dtype: "float64" }), value };
  const other = held[random(held.length)];
  if (other === undefined) return { tensor: tensor([value], { dtype: "float64" }), value };
  return { tensor: other.tensor.slice(0, 0, 1).add(0).add(value).sub(0), value: other.value + value };
}

function check({ tensor, value }: Held): void {
  checks++;
  assert.equal(tensor.slice(0, -1).item(), value);
}

function act(depth: number): void {
  const inside: Held[] = [];
  for (let i = random(30); i >= 0; i--) {
    const made = make();
    switch (random(8)) {
      case 0:
        break; // dropped
      case 1:
        made.tensor.dispose();
        assert.equal(made.tensor.disposed, true);
        break;
      case 2:
        held.push({ ...made, tensor: keep(made.tensor) });
        break;
      case 3:
        if (depth > 0) held.push(scopeOf(depth - 1, made));
        break;
      default:
        inside.push(made);
    }
    if (random(200) === 0) collectGarbage();
    if (inside.length > 0) check(inside[random(inside.length)]!);
    if (held.length > 0) check(held[random(held.length)]!);
  }
}

/** Runs a scope inside and returns a tensor out of it, or throws out of it half-way. */
function scopeOf(depth: number, made: Held): Held {
  try {
    scope(() => {
      act(depth);
      if (random(2) === 0) throw new RangeError("half-way");
      return undefined;
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  const escaped = scope(() => made.tensor.add(1));
  return { tensor: keep(escaped), value: made.value + 1 };
}

/** A round at the top level. A function, so that no variable of the module's own keeps a tensor alive. */
function round(): void {
  if (random(2) === 0) scope(() => act(3));
  else act(3);
  for (const each of held.filter((each) => each.tensor.disposed))
    assert.fail(`a kept tensor is gone: ${each.value}`);
  held.forEach(check);
  while (held.length > 200) {
    const [gone] = held.splice(random(held.length), 1);
    if (random(2) === 0) gone!.tensor.dispose();
  }
}

while (performance.now() < deadline || checks <= wanted) round();
const expected = held.length;
held.forEach(check);
collectGarbage();
assert.equal(liveTensors(), expected);
for (const each of held) each.tensor.dispose();
held = [];
assert.equal(liveTensors(), 0);
console.log(JSON.stringify({ checks }));
