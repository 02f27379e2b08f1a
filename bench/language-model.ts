/**
 * Decoding, prefill and the stage-1 training step of the default model, and a CLIP tower, in one or several element types, beside
 * transformers with the same weights in the same run:
 *
 *   node bench/language-model.ts [--python PATH] [--repeats 5] [--dtypes auto,float32,bfloat16]
 *     [--tasks decode,prefill,train,tower] [--json]
 *
 * "auto" is the type that recipes compute in here (`llava doctor` tells); the peer computes in the first type. All take turns, so
 * that a busy machine slows all; medians are compared, of the ratios with the peer and with the fastest type as well. The Python
 * (or $PYTHON) needs torch, transformers, gguf and safetensors. GFLOP/s count products with weights.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeSafetensors } from "../src/checkpoint/index.ts";
import { type DType, fastDType, instructionSet, numThreads } from "../src/torch/index.ts";
import { BATCH, DECODED, loadWork, PREFILLED, STEPS } from "./default-model.ts";
import { median, Peer } from "./peer.ts";

const { values: flags } = parseArgs({
  options: {
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    repeats: { type: "string", default: "5" },
    dtypes: { type: "string", default: "auto" },
    tasks: { type: "string", default: "decode,prefill,train" },
    json: { type: "boolean", default: false },
  },
});
const named = flags.dtypes.split(",").map((dtype) => (dtype === "auto" ? fastDType().dtype : dtype));
const dtypes = [...new Set(named)] as [DType, ...DType[]];
const works = new Map<DType, Awaited<ReturnType<typeof loadWork>>>();
for (const dtype of dtypes) works.set(dtype, await loadWork(dtype));
const first = works.get(dtypes[0])!;

const folder = mkdtempSync(join(tmpdir(), "llava-bench-"));
try {
  const shared = join(folder, "projector.safetensors");
  writeSafetensors(shared, first.shared);
  const script = new URL("language_model_peer.py", import.meta.url).pathname;
  const peer = await Peer.start(flags.python, [
    script,
    first.languageModel,
    shared,
    dtypes[0],
    String(numThreads()),
  ]);
  const { prompt, longPrompt, captions, flops } = first;
  const tasks = [
    { name: "decode", unit: "ms a token", question: { ids: prompt, count: DECODED } },
    { name: "prefill", unit: `ms for ${PREFILLED} tokens`, question: { ids: longPrompt } },
    { name: "train", unit: `ms a step of ${BATCH}`, question: { captions, steps: STEPS } },
    { name: "tower", unit: "ms an image", question: undefined },
  ].filter(({ name }) => flags.tasks.split(",").includes(name)) as readonly {
    readonly name: "decode" | "prefill" | "train" | "tower";
    readonly unit: string;
    readonly question: object | undefined;
  }[];
  if (!flags.json) console.log(`${instructionSet()}, ${numThreads()} threads`);
  const results = [];
  for (const { name, unit, question } of tasks) {
    const rounds: { own: Map<DType, number>; other: number }[] = [];
    for (let round = -1; round < Number(flags.repeats); round++) {
      const own = new Map(dtypes.map((dtype) => [dtype, works.get(dtype)![name]()]));
      const asked = question && peer && (await peer.ask(JSON.stringify({ task: name, ...question })));
      if (round >= 0) rounds.push({ own, other: asked ?? Number.NaN }); // the first round warms up
    }
    for (const dtype of dtypes) {
      const seconds = median(rounds.map(({ own }) => own.get(dtype)!));
      const ofFastest = median(rounds.map(({ own }) => Math.min(...own.values()) / own.get(dtype)!));
      const gigaflops = flops[name] === undefined ? undefined : flops[name] / seconds / 1e9;
      const besidePeer = peer && question && dtype === dtypes[0];
      const peerMilliseconds = 1000 * median(rounds.map(({ other }) => other));
      const speedup = median(rounds.map(({ own, other }) => other / own.get(dtype)!));
      results.push({
        name,
        dtype,
        milliseconds: 1000 * seconds,
        ...(gigaflops !== undefined && { gigaflops }),
        ...(dtypes.length > 1 && { ofFastest }),
        ...(besidePeer && { peerMilliseconds, speedup }),
      });
      if (flags.json) continue;
      const told = [
        `${name.padEnd(8)} ${dtype.padEnd(8)} ${(1000 * seconds).toFixed(1)} ${unit}`,
        ...(gigaflops === undefined ? [] : [`${gigaflops.toFixed(0)} GFLOP/s`]),
        ...(dtypes.length > 1 ? [`${ofFastest.toFixed(2)} of the fastest type's speed`] : []),
        ...(besidePeer
          ? [`${peer.name} ${peerMilliseconds.toFixed(1)}: ${speedup.toFixed(2)}× as fast`]
          : []),
      ];
      console.log(told.join(", "));
    }
  }
  const loss = first.loss();
  const peerLoss = Number.isNaN(loss) ? undefined : await peer?.ask(JSON.stringify({ task: "loss" }));
  const losses = { loss, ...(peerLoss !== undefined && { peerLoss }) };
  if (flags.json)
    console.log(
      JSON.stringify({
        bench: "language-model",
        instructions: instructionSet(),
        threads: numThreads(),
        dtypes,
        peer: peer?.name,
        results,
        ...losses,
      }),
    );
  else if (!Number.isNaN(loss))
    console.log(
      `loss of the training step ${loss.toFixed(4)}${peerLoss === undefined ? "" : `, the peer's ${peerLoss.toFixed(4)}`}`,
    );
  peer?.close();
} finally {
  rmSync(folder, { recursive: true });
}
