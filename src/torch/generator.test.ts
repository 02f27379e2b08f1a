import assert from "node:assert/strict";
import { test } from "node:test";
import { aten, empty, Generator, randn, TorchError } from "./index.ts";

const draw = (generator: Generator): number[] => randn([4], generator).toNumbers();

test("a seed determines the numbers; generators do not disturb each other", () => {
  using first = new Generator(7);
  using second = new Generator(7);
  using other = new Generator(8);
  const expected = [draw(first), draw(first)];
  const interleaved = [draw(second)];
  draw(other);
  interleaved.push(draw(second));
  assert.deepEqual(interleaved, expected);
  using unlike = new Generator(8);
  assert.notDeepEqual(draw(unlike), expected[0]);
});

test("a saved state continues where it was", () => {
  using generator = new Generator(1);
  draw(generator);
  const state = generator.state();
  const expected = [draw(generator), aten.uniform_(empty([3]), 0, 1, generator).toNumbers()];
  generator.setState(state);
  assert.deepEqual([draw(generator), aten.uniform_(empty([3]), 0, 1, generator).toNumbers()], expected);
  using copy = new Generator(99);
  copy.setState(state);
  assert.deepEqual(draw(copy), expected[0]);
});

test("normal numbers have PyTorch's values", () => {
  // torch.randn(4, generator=torch.Generator().manual_seed(0))
  using generator = new Generator(0);
  const expected = [1.5409960746765137, -0.293428897857666, -2.1787893772125244, 0.5684312582015991];
  assert.deepEqual(draw(generator), expected);
});

test("a disposed generator is refused, also when another has taken its place", () => {
  const gone = new Generator(1);
  gone[Symbol.dispose]();
  gone[Symbol.dispose]();
  using _heir = new Generator(2);
  for (const use of [() => draw(gone), () => gone.state(), () => gone.setState(_heir.state())])
    assert.throws(use, TorchError);
});

test("a state that is none is refused", () => {
  using generator = new Generator(1);
  assert.throws(() => generator.setState(empty([3])), TorchError);
});
