/**
 * Attention over packed rows by one call, forward and backward, beside masked attention: differences and speed; then a prefix with
 * branches.
 *
 *   node bench/gpu/03-attention.ts
 */
import { type AttentionBlock, attend, type PackedSequences, packedSequences } from "../../src/nn/index.ts";
import { backward, Generator, randn, scope, type Tensor } from "../../src/torch/index.ts";
import { packSamples, placeAttention } from "../../src/training/index.ts";
import {
  check,
  checkSpeed,
  checks,
  device,
  isGpu,
  milliseconds,
  PEAK,
  percent,
  REACHED,
  sized,
} from "./checks.ts";

const [HEADS, WIDTH] = [sized(32, 4), sized(128, 16)];
const dtype = sized("bfloat16", "float32");

type Given = [query: Tensor, key: Tensor, value: Tensor];
const draw = (tokens: number, keyHeads = HEADS): Given =>
  [HEADS, keyHeads, keyHeads].map((heads, i) =>
    randn([1, heads, tokens, WIDTH], new Generator(i, device), { device }).to(dtype).requiresGrad_(),
  ) as Given;

interface Seen {
  readonly blocks: readonly AttentionBlock[];
  readonly packed?: PackedSequences;
}

/** Output and gradients, in float32. */
function through(given: Given, attention: Seen): Tensor[] {
  const output = attend(...given, attention);
  backward([output.to("float32").sum()]);
  const gradients = given.map((tensor) => {
    const gradient = tensor.grad!.to("float32");
    tensor.grad = undefined;
    return gradient;
  });
  return [output.detach().to("float32"), ...gradients];
}

const largest = (a: Tensor, b: Tensor): number =>
  a.sub(b).abs().amax().item() / (b.abs().amax().item() + 1e-9);

function compare(name: string, tokens: number, attention: Seen, keyHeads = HEADS): void {
  const { blocks, packed } = attention;
  scope(() => {
    const given = draw(tokens, keyHeads);
    const [one, other] = [through(given, { blocks, ...(packed && { packed }) }), through(given, { blocks })];
    const differences = one.map((tensor, i) => largest(tensor, other[i]!));
    check(
      name,
      Math.max(...differences) < 0.02,
      `largest difference ${Math.max(...differences).toExponential(1)}`,
    );
  });
}

await checks("attention", () => {
  const lengths = sized([2048, 3000, 1144, 2000], [300, 41, 7]);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const blocks = lengths.map((length) => ({ length }));
  const packed = packedSequences(blocks, device);
  compare("rows end to end", tokens, { blocks, packed });
  compare("with grouped heads", tokens, { blocks, packed }, HEADS / 4);

  const ids = (length: number) => ({ inputIds: Array(length).fill(1), labels: Array(length).fill(1) });
  const sample = { ...ids(sized(600, 280)), continuations: [ids(sized(90, 9)), ids(sized(300, 30))] };
  scope(() => {
    const placed = placeAttention(packSamples([sample, sample], 1).attention, device);
    if (!("blocks" in placed)) throw new Error("the rows are too short for blocks");
    const width = placed.blocks.reduce((sum, { length }) => sum + length, 0);
    compare("a prefix with branches", width, placed);
  });

  const whole = sized(8192, 256);
  scope(() => {
    const given = draw(whole);
    const one = { blocks: [{ length: whole }], packed: packedSequences([{ length: whole }], device) };
    const operations = 2 * HEADS * whole ** 2 * WIDTH; // causal: half of two products
    const forward = milliseconds(() => scope(() => attend(...given, one)));
    const both = milliseconds(() => scope(() => void through(given, one)));
    const rate = operations / forward / 1e-3;
    checkSpeed(
      "forward is above 70 % of what products reach",
      rate > 0.7 * REACHED,
      `${(rate / 1e12).toFixed(0)} TFLOP/s, ${percent(rate / PEAK)} of the peak, ${whole} tokens`,
    );
    const backwardRate = (2.5 * operations) / (both - forward) / 1e-3;
    checkSpeed("backward", backwardRate > 0.5 * REACHED, `${(backwardRate / 1e12).toFixed(0)} TFLOP/s`);
  });
  if (!isGpu) console.log("# on the CPU both sides are masks over blocks: the kernel is for GPUs");
});
