/**
 * Has `llava serve` answer in all ways at once, some answers left by their clients, and holds what Python's parser of Prometheus reads
 * at /metrics against the sums of the usages that clients were told.
 *   node proofs/check-metrics.ts [--python PYTHON]
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { eventsOf } from "../test/support/ask-server.ts";
import { pythonWith } from "../test/support/python-packages.ts";
import { writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";
import { startServing } from "../test/support/serving-process.ts";

const { values: flags } = parseArgs({ options: { python: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "llava-metrics-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const python = flags.python ?? pythonWith(["prometheus_client==0.26.0"], folder);
using server = await startServing([writeRandomCheckpoint(join(folder, "llava"), 3), "--no-log"]);

/** Name with labels → value, as Python reads them. */
function metrics(text: string): Record<string, number> {
  const path = join(folder, "metrics.txt");
  writeFileSync(path, text);
  const reader = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families as families
told = {}
for family in families(open(sys.argv[1]).read()):
    assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
    for name, labels, value, *_ in family.samples:
        key = name + "".join(f" {label}={labels[label]}" for label in sorted(labels) if label != "model_name")
        assert key not in told, key
        told[key] = value
json.dump(told, sys.stdout)`;
  return JSON.parse(execFileSync(python, ["-c", reader, path], { encoding: "utf8" }));
}
const read = async () => metrics(await (await fetch(`${server.url}/metrics`)).text());

interface Told {
  prompt: number;
  cached: number;
  completion: number;
  answers: number;
}

const post = (path: string, body: object, signal?: AbortSignal) =>
  fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });

async function usageOf(path: string, body: object, answers: number): Promise<Told> {
  const response = await post(path, body);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const last = "stream" in body ? eventsOf(text).at(-1) : JSON.parse(text);
  const { usage } = last.response ?? last;
  return {
    prompt: usage.prompt_tokens ?? usage.input_tokens,
    cached: (usage.prompt_tokens_details ?? usage.input_tokens_details).cached_tokens,
    completion: usage.completion_tokens ?? usage.output_tokens,
    answers,
  };
}

const png = async (background: string) =>
  `data:image/png;base64,${(
    await sharp({ create: { width: 20, height: 20, channels: 3, background } })
      .png()
      .toBuffer()
  ).toString("base64")}`;
const colours = await Promise.all(["red", "green", "blue", "teal"].map(png));
const streamed = { stream: true, stream_options: { include_usage: true } };
const asked = Array.from({ length: 40 }, (_, index) => {
  const url = colours[index % 4]!;
  const text = `Question ${index}`;
  const messages = [
    {
      role: "user",
      content: [
        { type: "image_url", image_url: { url } },
        { type: "text", text },
      ],
    },
  ];
  const input = [
    {
      role: "user",
      content: [
        { type: "input_image", image_url: url },
        { type: "input_text", text },
      ],
    },
  ];
  const n = 1 + (index % 3);
  return [
    () => usageOf("/v1/chat/completions", { messages, n, max_tokens: 1 + index }, n),
    () => usageOf("/v1/chat/completions", { messages, n, max_tokens: 1 + index, ...streamed }, n),
    () => usageOf("/v1/completions", { prompt: [text, `${text}?`], n, max_tokens: 1 + index }, 2 * n),
    () => usageOf("/v1/responses", { input, max_output_tokens: 1 + index, stream: true }, 1),
  ][index % 4]!;
});
const before = await read();
const told = await Promise.all(asked.map((ask) => ask()));
const sum = (of: keyof Told): number => told.reduce((total, each) => total + each[of], 0);
const after = await read();
const grown = (name: string): number =>
  Object.entries(after)
    .filter(([key]) => key.split(" ")[0] === name)
    .reduce((total, [key, value]) => total + value - (before[key] ?? 0), 0);
const rows = [
  ["llava:prompt_tokens_total", sum("prompt")],
  ["llava:generation_tokens_total", sum("completion")],
  ["llava:prefix_cache_hits_total", sum("cached")],
  ["llava:request_success_total", sum("answers")],
  ["llava:time_to_first_token_seconds_count", sum("answers")],
  ["llava:http_requests_total", asked.length + 1],
] as const;
for (const [name, expected] of rows) {
  console.log(`${grown(name) === expected ? "ok    " : "FAILED"}  ${name}: ${grown(name)}, told ${expected}`);
  if (grown(name) !== expected) process.exitCode = 1;
}
assert.ok(sum("cached") > 0, "nothing was found in the cache");

// Answers that their clients leave are no successes, and nothing of them stays.
const leaving = await Promise.all(
  Array.from({ length: 10 }, async (_, index) => {
    const left = new AbortController();
    const body = { prompt: `Leaving ${index}`, max_tokens: 1500, ignore_eos: true, stream: true };
    const response = await post("/v1/completions", body, left.signal);
    for await (const _ of response.body!) break;
    left.abort();
    return response.status;
  }),
);
let last = await read();
const deadline = Date.now() + 5000;
const gauge = (name: string): number => last[`llava:${name}`]!;
while (gauge("num_requests_running") + gauge("num_requests_waiting") > 0 && Date.now() < deadline)
  last = await read();
const isFree = gauge("num_requests_running") === 0 && gauge("num_requests_waiting") === 0;
const successes = (of: typeof last) =>
  Object.entries(of).reduce(
    (total, [key, value]) => total + (key.startsWith("llava:request_success") ? value : 0),
    0,
  );
const isTrue = isFree && successes(last) === successes(after) && leaving.every((status) => status === 200);
console.log(
  `${isTrue ? "ok    " : "FAILED"}  ${leaving.length} answers that were left: none runs, none is counted`,
);
if (!isTrue) process.exitCode = 1;
