// Cost of one small operator call, beside Python's in the same minutes.
//   node bench/operator-call.ts --python python3 [--repeats 15] [--calls 200000] [--json]
// The repeats of all rows take turns, so that a busy machine slows every row alike; medians are compared.
import { parseArgs } from "node:util";
import { aten, liveTensors, ones, scope, setNumThreads, version } from "../src/torch/index.ts";
import { median, Peer } from "./peer.ts";

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    repeats: { type: "string", default: "15" },
    calls: { type: "string", default: "200000" },
    json: { type: "boolean", default: false },
  },
});
const repeats = Number(options.repeats);
const calls = Number(options.calls);
const CALLS_PER_SCOPE = 500; // as many as a decoding step of a small model makes

const left = ones([2, 2]);
const right = ones([2, 2]);
const { add } = aten;

function inScopes(): void {
  for (let done = 0; done < calls; done += CALLS_PER_SCOPE)
    scope(() => {
      for (let i = 0; i < CALLS_PER_SCOPE; i++) add(left, right);
    });
}

function collected(): void {
  for (let i = 0; i < calls; i++) add(left, right);
}

/** Microseconds per call. */
function timed(body: () => void): number {
  const start = performance.now();
  body();
  return ((performance.now() - start) * 1000) / calls;
}

const PYTHON_LOOP = `
import sys, time, torch
torch.set_num_threads(1)
a, b, add = torch.ones(2, 2), torch.ones(2, 2), torch.add
def run(calls):
    start = time.perf_counter()
    for _ in range(calls):
        add(a, b)
    return (time.perf_counter() - start) * 1e6 / calls
print(torch.__version__, flush=True)
for line in sys.stdin:
    print(run(int(line)), flush=True)
`;

setNumThreads(1);
const python = await Peer.start(options.python, ["-c", PYTHON_LOOP]);
const rows = { scope: [] as number[], collected: [] as number[], python: [] as number[] };
for (let repeat = -1; repeat < repeats; repeat++) {
  const measured = {
    scope: timed(inScopes),
    collected: timed(collected),
    python: await python?.ask(String(calls)),
  };
  if (repeat < 0) continue; // the first round warms up
  rows.scope.push(measured.scope);
  rows.collected.push(measured.collected);
  if (measured.python !== undefined) rows.python.push(measured.python);
}
python?.close();

const micros = (values: number[]) => Number(median(values).toFixed(3));
const result = {
  operator: "add of two 2×2 float32 tensors",
  libtorch: version(),
  microseconds: {
    scope: micros(rows.scope),
    collected: micros(rows.collected),
    ...(python && { python: micros(rows.python) }),
  },
  ...(python && {
    pythonTorch: python.name,
    ratio: {
      scope: Number((median(rows.scope) / median(rows.python)).toFixed(3)),
      collected: Number((median(rows.collected) / median(rows.python)).toFixed(3)),
    },
  }),
  liveTensors: liveTensors(),
  repeats,
  calls,
};
if (options.json) console.log(JSON.stringify(result));
else {
  console.log(`${result.operator}, libtorch ${result.libtorch}, medians of ${repeats} × ${calls} calls`);
  for (const [name, value] of Object.entries(result.microseconds)) {
    const ratio = name === "python" ? undefined : result.ratio?.[name as "scope" | "collected"];
    console.log(
      `  ${name.padEnd(10)} ${value.toFixed(2)} µs${ratio === undefined ? "" : `   ${ratio.toFixed(2)} × Python`}`,
    );
  }
}
