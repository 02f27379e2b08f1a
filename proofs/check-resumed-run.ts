/**
 * Asks a model 200 yes/no and 200 short-answer questions of photos, once undisturbed and once killed three times
 * (SIGKILL): results and answers must be the same, and no request may be answered twice. A third run answers one question
 * at a time, which must give the same answers as batches.
 *   node proofs/check-resumed-run.ts --images FOLDER --captions FILE [--only FILE] [--model NAME] [--dtype TYPE] [--batch-size 8]
 * The captions are what `llava data questions` reads: several a photo, such as Flickr8k.token.txt.
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { defaultModel } from "../src/setup/index.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string" },
    captions: { type: "string" },
    only: { type: "string" },
    model: { type: "string", default: defaultModel },
    dtype: { type: "string" },
    "batch-size": { type: "string", default: "8" },
  },
});
const { images, captions, only, model } = values;
if (images === undefined || captions === undefined) throw new Error("--images and --captions are needed");

const each = 200;
const benchmarks = ["pope", "questions"] as const;
const script = resolve(import.meta.dirname, "../bin/llava.js");
const folder = await mkdtemp(join(tmpdir(), "llava-resumed-"));

const llava = (args: readonly string[]) =>
  spawn(process.execPath, [script, "--quiet", ...args], { stdio: ["ignore", "ignore", "inherit"] });

async function finish(args: readonly string[]): Promise<void> {
  const child = llava(args);
  const status = await new Promise((done) => child.once("close", done));
  if (status !== 0) throw new Error(`llava ${args.join(" ")} ended with status ${status}`);
}

interface Row {
  readonly question_id: string;
  readonly type: string;
  readonly answer: string;
  readonly [field: string]: unknown;
}

const rowsOf = async (path: string): Promise<Record<string, unknown>[]> =>
  (await readFile(path, "utf8").catch(() => "")).split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return []; // what a kill cut
    }
  });

/** The questions of both kinds, in the files that the benchmarks read. */
async function writeQuestions(data: string): Promise<void> {
  const all = join(folder, "all.jsonl");
  await finish([
    "data",
    "questions",
    "--captions",
    captions!,
    "--evaluation",
    all,
    ...(only === undefined ? [] : ["--only", only]),
  ]);
  const rows = (await rowsOf(all)) as Row[];
  const lines = (chosen: readonly object[]): string =>
    chosen.map((row) => `${JSON.stringify(row)}\n`).join("");
  const kinds = { pope: "yes/no", questions: "short" };
  for (const name of benchmarks) {
    const chosen = rows.filter(({ type }) => type === kinds[name]).slice(0, each);
    if (chosen.length < each)
      throw new Error(`the captions give ${chosen.length} ${kinds[name]} questions of ${each}`);
    await mkdir(join(data, name), { recursive: true });
    await symlink(resolve(images!), join(data, name, name === "pope" ? "val2014" : "images"));
    const asked = (text: unknown): string => String(text).split("\n")[0]!;
    if (name === "questions") await writeFile(join(data, name, "questions.jsonl"), lines(chosen));
    else
      await writeFile(
        join(data, name, "coco_pope_adversarial.json"),
        lines(chosen.map(({ image, text, answer }) => ({ image, text: asked(text), label: answer }))),
      );
  }
}

const store = (output: string, name: string): string =>
  join(output, `${name}${name === "pope" ? "-adversarial" : ""}.requests.jsonl`);

const command = (data: string, output: string, name: string, batchSize: string): string[] => [
  ...["eval", "run", name, "--model", model, "--data", data, "--output", output, "--batch-size", batchSize],
  ...(name === "pope" ? ["--split", "adversarial"] : []),
  ...(values.dtype === undefined ? [] : ["--dtype", values.dtype]),
];

/** Kills the run when a quarter, a half and three quarters of the questions are answered, and then lets it end. */
async function runKilled(args: readonly string[], path: string): Promise<number> {
  let kills = 0;
  for (const share of [0.25, 0.5, 0.75]) {
    const child = llava(args);
    const ended = new Promise((done) => child.once("close", (_, signal) => done(signal)));
    while (child.exitCode === null && (await rowsOf(path)).length < share * each) await wait(20);
    child.kill("SIGKILL");
    if ((await ended) === "SIGKILL") kills++;
  }
  await finish(args);
  return kills;
}

/** A result but for the time at which it was scored, and by which commit. */
const resultOf = async (path: string): Promise<unknown> => {
  const { created: _, versions: __, ...result } = JSON.parse(await readFile(path, "utf8"));
  return result;
};

const texts = async (path: string): Promise<Map<unknown, unknown>> =>
  new Map((await rowsOf(path)).map(({ question_id, text }) => [question_id, text]));

try {
  const data = join(folder, "data");
  await writeQuestions(data);
  for (const name of benchmarks) {
    const [whole, killed, single] = ["whole", "killed", "single"].map((run) => join(folder, run)) as [
      string,
      string,
      string,
    ];
    await finish(command(data, whole, name, values["batch-size"]));
    const kills = await runKilled(command(data, killed, name, values["batch-size"]), store(killed, name));
    await finish(command(data, single, name, "1"));
    const requests = await rowsOf(store(killed, name));
    const twice = requests.length - new Set(requests.map(({ key }) => key)).size;
    const ending = (kind: string): string => store("", name).replace("requests.jsonl", kind);
    const at = (run: string, kind: string): string => join(run, ending(kind));
    const same = {
      result: isDeepStrictEqual(await resultOf(at(whole, "json")), await resultOf(at(killed, "json"))),
      answers:
        (await readFile(at(whole, "answers.jsonl"), "utf8")) ===
        (await readFile(at(killed, "answers.jsonl"), "utf8")),
    };
    const [batched, alone] = [
      await texts(at(whole, "answers.jsonl")),
      await texts(at(single, "answers.jsonl")),
    ];
    const differing = [...batched].filter(([id, text]) => alone.get(id) !== text).length;
    console.log(
      `${name}: killed ${kills} times; result ${same.result ? "the same" : "DIFFERS"}, answer file ${same.answers ? "the same" : "DIFFERS"}; ` +
        `${requests.length} answers, ${twice} requests answered twice; one at a time, ${differing} of ${alone.size} answers differ`,
    );
    if (
      kills !== 3 ||
      !same.result ||
      !same.answers ||
      twice > 0 ||
      requests.length !== each ||
      differing > 0
    )
      process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true });
}
