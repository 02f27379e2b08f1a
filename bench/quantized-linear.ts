// Speed of products with weights in blocks, beside 16 bits and the speed at which memory is read, all in the same run.
//   node bench/quantized-linear.ts [--threads 1] [--rows 1,4,32,512] [--shapes 4096x4096,11008x4096] [--types Q8_0,Q4_K] [--seconds 0.5] [--json]
// Weights are copies that take turns, more of them than the caches hold. Best times: whatever else runs only adds to them.
import { parseArgs } from "node:util";
import {
  aten,
  type BlockType,
  Generator,
  inference,
  instructionSet,
  linear,
  numThreads,
  quantize,
  quantizedLinear,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  type WrittenBlockType,
} from "../src/torch/index.ts";
import { best, OUT_OF_CACHE, readBandwidth } from "./read-bandwidth.ts";

const { values: options } = parseArgs({
  options: {
    threads: { type: "string", default: "1" },
    rows: { type: "string", default: "1,4,32,512" },
    shapes: { type: "string", default: "4096x4096,11008x4096" },
    types: { type: "string", default: "Q8_0,Q4_0,Q4_K,Q6_K" },
    seconds: { type: "string", default: "0.5" },
    json: { type: "boolean", default: false },
  },
});
const generator = new Generator(1);
setNumThreads(Number(options.threads));

/** The shortest of the times that `body` takes, in seconds. */
const shortest = (body: (turn: number) => void): number => best(Number(options.seconds), body);
const bandwidth = (): number => readBandwidth(Number(options.seconds)).fastest;

/** Weights of a type, [out, in]. */
function weightsOf(type: string, out: number, width: number): Tensor {
  const numbers = randn([out, width], generator).mul(0.02);
  return type === "bfloat16" ? numbers.to("bfloat16") : quantize(numbers, type as WrittenBlockType);
}

interface Row {
  type: string;
  shape: string;
  rows: number;
  milliseconds: number;
  gigabytesPerSecond: number;
  gigaflops: number;
  ofBandwidth: number;
}

function measure(type: string, shape: string): Row[] {
  const [out = 0, width = 0] = shape.split("x").map(Number);
  return scope(() => {
    const first = scope(() => weightsOf(type, out, width));
    const bytes = first.shape.reduce((product, size) => product * size, type === "bfloat16" ? 2 : 1);
    const copies = [
      first,
      ...Array.from({ length: Math.ceil(OUT_OF_CACHE / bytes) - 1 }, () => first.clone()),
    ];
    return options.rows.split(",").map((count) => {
      const rows = Number(count);
      const x = randn([rows, width], generator).to(type === "bfloat16" ? "bfloat16" : "float32");
      const read = bandwidth(); // beside each row, since a shared machine changes from second to second
      const seconds = shortest((turn) => {
        const weight = copies[turn % copies.length]!;
        if (type === "bfloat16") linear(x, weight);
        else quantizedLinear(x, weight, type as BlockType);
      });
      const speed = bytes / seconds / 1e9;
      return {
        type,
        shape,
        rows,
        milliseconds: seconds * 1000,
        gigabytesPerSecond: speed,
        gigaflops: (2 * rows * out * width) / seconds / 1e9,
        ofBandwidth: speed / read,
      };
    });
  });
}

/** What float32 products of this many rows reach by themselves, in GFLOP/s. */
function plainProduct(rows: number, shape: string): number {
  const [out = 0, width = 0] = shape.split("x").map(Number);
  return scope(() => {
    const [x, weight] = [randn([rows, width], generator), randn([out, width], generator)];
    return (2 * rows * out * width) / shortest(() => void aten.linear(x, weight)) / 1e9;
  });
}

inference(() => {
  const report: Row[] = [];
  if (!options.json)
    console.log(
      `${numThreads()} thread(s), ${instructionSet()}, memory read at ${bandwidth().toFixed(1)} GB/s, float32 products of 512 rows at ${plainProduct(512, "4096x4096").toFixed(0)} GFLOP/s`,
    );
  for (const shape of options.shapes.split(","))
    for (const type of ["bfloat16", ...options.types.split(",")])
      for (const row of measure(type, shape)) {
        report.push(row);
        if (!options.json)
          console.log(
            `${type.padEnd(9)} ${shape.padEnd(11)} ${String(row.rows).padStart(4)} row(s) ${row.milliseconds.toFixed(3).padStart(9)} ms ${row.gigabytesPerSecond.toFixed(1).padStart(6)} GB/s (${(100 * row.ofBandwidth).toFixed(0).padStart(3)} % of reading) ${row.gigaflops.toFixed(0).padStart(5)} GFLOP/s`,
          );
      }
  if (options.json)
    console.log(JSON.stringify({ threads: numThreads(), instructions: instructionSet(), report }));
});
