/**
 * Instruction tuning of a small random LLaVA (projector and language model, in the type that recipes compute in here) on rows of real
 * lengths with made-up images, beside transformers' Trainer with the same weights and rows in the same run:
 *
 *   node bench/training.ts --rows ROWS.jsonl --tokenizer FOLDER [--python PATH] [--steps 2] [--rounds 5] [--json]
 *
 * ROWS are LLaVA's, such as those of llava_v1_5_mix665k; FOLDER holds the tokenizer of a Llama 2 or Vicuna. The Python (or
 * $PYTHON) needs torch, transformers, accelerate and pillow. The Trainer takes its rows by length, as LLaVA's recipes do, and
 * pads them; both sides take turns, and medians are compared. Tokens are those of the rows, images included, without padding.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { type LlavaRow, readRows } from "../src/data/index.ts";
import { ignoreLabel } from "../src/processing/conversation/index.ts";
import { openProcessor, sourceWithoutModel } from "../src/processing/processor/index.ts";
import { fastDType, instructionSet, numThreads } from "../src/torch/index.ts";
import { type Callback, resolveRecipe, runRecipe } from "../src/training/index.ts";
import { median, Peer } from "./peer.ts";
import { imageTokenId, writeRandomCheckpoint } from "./random-checkpoint.ts";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string" },
    tokenizer: { type: "string" },
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    steps: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
if (flags.rows === undefined || flags.tokenizer === undefined) throw new Error("give --rows and --tokenizer");

const sizes = {
  text: { hidden: 512, intermediate: 1376, layers: 8, heads: 8 },
  vision: { hidden: 384, intermediate: 1536, layers: 12, heads: 6, imageSize: 224 },
};
const IMAGE_TOKENS = 256;
const BATCH = 16;
const MICRO_BATCH = 4;
/** Too small to change anything: both sides then report the loss of the same weights. */
const LEARNING_RATE = 1e-10;
const steps = Number(flags.steps);

const folder = mkdtempSync(join(tmpdir(), "llava-bench-"));
const inFolder = (name: string): string => join(folder, name);

/** Rows with images under names of our own. */
async function rowsWithImages(path: string): Promise<LlavaRow[]> {
  const rows = await readRows(path);
  return rows.map((row, i) => {
    const images = row.images.map((_, at) => ({ name: `${i}-${at}.jpg` }));
    return { ...row, id: String(i), images };
  });
}

/** Noise of low frequency, 640×480: JPEG decoding takes as long as for a photo. */
async function drawImage(path: string, seed: number): Promise<void> {
  const small = Uint8Array.from({ length: 32 * 24 * 3 }, (_, i) => (i * 2654435761 * (seed + 1)) >>> 24);
  const raw = { width: 32, height: 24, channels: 3 as const };
  await sharp(small, { raw }).resize(640, 480).jpeg().toFile(path);
}

/** Seconds that a pass over the rows took, and those that processors worked on it, which a busy machine blurs less. */
interface Pass {
  readonly seconds: number;
  readonly processor: number;
}

/** Runs when it is given a turn, and then for the steps of one pass. */
class Turns {
  #grant = Promise.withResolvers<void>();
  #done = Promise.withResolvers<void>();
  #taken = 0;
  loss = Number.NaN;

  readonly callback: Callback = {
    begin: () => this.#grant.promise,
    afterStep: async (_, { loss, units }) => {
      this.#losses.push({ loss, units });
      if (++this.#taken % steps !== 0) return;
      const supervised = this.#losses.reduce((sum, each) => sum + each.units, 0);
      this.loss = this.#losses.reduce((sum, each) => sum + each.loss * each.units, 0) / supervised;
      this.#losses.length = 0;
      this.#grant = Promise.withResolvers();
      this.#done.resolve();
      await this.#grant.promise;
    },
  };
  readonly #losses: { loss: number; units: number }[] = [];

  async take(): Promise<Pass> {
    this.#done = Promise.withResolvers();
    const [start, before] = [performance.now(), process.cpuUsage()];
    this.#grant.resolve();
    await this.#done.promise;
    const { user, system } = process.cpuUsage(before);
    return { seconds: (performance.now() - start) / 1000, processor: (user + system) / 1e6 };
  }
}

const describe = ({ seconds, processor }: Pass): string =>
  `${seconds.toFixed(1)} s, ${processor.toFixed(1)} s of processor`;

/** Medians of the rounds' ratios, and how much fewer tokens there are without padding. */
async function compare(
  peer: Peer,
  rounds: readonly { own: Pass; other: Pass | undefined }[],
  tokens: number,
) {
  const ratio = (unit: keyof Pass): number =>
    median(rounds.map(({ own, other }) => other![unit] / own[unit]));
  return {
    peerTokensPerSecond: tokens / median(rounds.map(({ other }) => other!.seconds)),
    peerLoss: await peer.ask("loss"),
    speedup: ratio("seconds"),
    processorSpeedup: ratio("processor"),
    paddingSpeedup: (await peer.ask("padded")) / tokens,
  };
}

try {
  writeRandomCheckpoint(inFolder("model"), sizes, flags.tokenizer);
  const rows = await rowsWithImages(flags.rows);
  const source = sourceWithoutModel({ folder: inFolder("model") }, { name: "v1" }, IMAGE_TOKENS);
  const processor = await openProcessor({ ...source, imageTokenId });
  const encoded = rows.map((row) => {
    const layouts = row.images.map(() => processor.layoutOf());
    const { inputIds, labels, images } = processor.encodeRow(row, layouts);
    return { inputIds, labels, images };
  });
  writeFileSync(inFolder("encoded.json"), JSON.stringify(encoded));
  writeFileSync(
    inFolder("settings.json"),
    JSON.stringify({
      threads: numThreads(),
      batchSize: BATCH,
      microBatch: MICRO_BATCH,
      steps,
      imageSize: sizes.vision.imageSize,
      learningRate: LEARNING_RATE,
      chosen: inFolder("chosen.json"),
      output: inFolder("trainer"),
      dtype: fastDType().dtype,
    }),
  );
  const peer = await Peer.start(flags.python, [
    new URL("training_peer.py", import.meta.url).pathname,
    ...["model", "encoded.json", "", "settings.json"].map(inFolder),
  ]);
  const chosen = peer
    ? (JSON.parse(readFileSync(inFolder("chosen.json"), "utf8")) as number[])
    : Array.from({ length: steps * BATCH }, (_, i) =>
        Math.floor(((i + 0.5) * rows.length) / (steps * BATCH)),
      );
  for (const index of chosen)
    for (const { name } of rows[index]!.images) await drawImage(inFolder(name), index);
  const written = chosen.map((index) => {
    const { images, ...row } = rows[index]!;
    return { ...row, images: images.map(({ name }) => name) };
  });
  writeFileSync(inFolder("rows.json"), JSON.stringify(written));
  const tokens = chosen.reduce((sum, index) => sum + encoded[index]!.inputIds.length, 0);
  const supervised = chosen
    .flatMap((index) => encoded[index]!.labels)
    .reduce((sum, label) => sum + (label === ignoreLabel ? 0 : 1), 0);

  const recipe = resolveRecipe({
    model: inFolder("model"),
    projector: "loaded",
    train: ["projector", "languageModel"],
    data: { rows: inFolder("rows.json"), images: folder, template: "v1", maxTokens: 4096 },
    optimizer: { learningRate: LEARNING_RATE },
    schedule: { type: "constant", warmupRatio: 0 },
    batchSize: BATCH,
    accumulation: BATCH / MICRO_BATCH,
    epochs: 1000,
    output: inFolder("run"),
  });
  const own = new Turns();
  const stop = new AbortController();
  const running = runRecipe(recipe, {
    report: () => {},
    progress: () => ({ update() {}, increment() {}, stop() {} }),
    signal: stop.signal,
    callbacks: [own.callback],
  });
  const rounds: { own: Pass; other: Pass | undefined }[] = [];
  for (let round = -1; round < Number(flags.rounds); round++) {
    const mine = await Promise.race([own.take(), running.then(() => undefined)]);
    if (mine === undefined) throw new Error("the run ended by itself");
    const other = peer && { seconds: await peer.ask("run"), processor: await peer.ask("processor") };
    const beside = other ? `, the peer ${describe(other)}` : "";
    console.error(`${round < 0 ? "warming up" : `round ${round + 1}`}: ${describe(mine)}${beside}`);
    if (round >= 0) rounds.push({ own: mine, other });
  }
  const summary = {
    rows: chosen.length,
    tokens,
    supervised,
    tokensPerSecond: tokens / median(rounds.map((each) => each.own.seconds)),
    loss: own.loss,
  };
  const beside = peer && (await compare(peer, rounds, tokens));
  if (flags.json)
    console.log(
      JSON.stringify({
        bench: "training",
        dtype: fastDType().dtype,
        instructions: instructionSet(),
        threads: numThreads(),
        peer: peer?.name,
        ...summary,
        ...beside,
      }),
    );
  else {
    const { tokensPerSecond, loss } = summary;
    console.log(`${instructionSet()}, ${numThreads()} threads, ${fastDType().dtype}`);
    console.log(`${chosen.length} rows of ${tokens} tokens, ${supervised} of them supervised`);
    console.log(`${Math.round(tokensPerSecond)} tokens/s, loss ${loss.toFixed(4)}`);
    if (peer && beside)
      console.log(
        `${peer.name}: ${Math.round(beside.peerTokensPerSecond)} tokens/s, loss ${beside.peerLoss.toFixed(4)}\n` +
          `${beside.speedup.toFixed(2)}× as fast, ${beside.processorSpeedup.toFixed(2)}× by processor time; ` +
          `of it ${beside.paddingSpeedup.toFixed(2)}× from padding left out`,
      );
  }
  peer?.close();
  stop.abort();
  void own.take();
  await running;
} finally {
  rmSync(folder, { recursive: true });
}
