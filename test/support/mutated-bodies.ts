import { RandomSource } from "../../src/random/index.ts";
import { type Answered, ask } from "./ask-server.ts";

/** Stands in every prompt, and in no error and no log. */
const secret = "zebra-secret";

const words = `say ${secret}`;
const pixel =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";
const conversation = [
  { role: "system", content: "Be short." },
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: pixel, detail: "low" } },
      { type: "text", text: words },
    ],
  },
  { role: "assistant", content: "Yes." },
  { role: "user", content: words },
];

/** A good body for each route. */
const bodies: readonly (readonly [path: string, body: object])[] = [
  [
    "/v1/chat/completions",
    {
      ...{
        model: "fake",
        messages: conversation,
        temperature: 0.5,
        top_p: 0.9,
        max_tokens: 5,
        n: 2,
        seed: 1,
        stop: ["x"],
      },
      ...{
        logprobs: true,
        top_logprobs: 2,
        logit_bias: { 5: 1 },
        stream: true,
        stream_options: { include_usage: true },
      },
      ...{ response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "object" } } } },
    },
  ],
  [
    "/v1/completions",
    { model: "fake", prompt: [words, "b"], max_tokens: 4, logprobs: 1, echo: false, n: 1, stop: "q" },
  ],
  [
    "/v1/responses",
    {
      ...{
        model: "fake",
        instructions: "Be short.",
        max_output_tokens: 5,
        text: { format: { type: "text" } },
      },
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: words },
            { type: "input_image", image_url: pixel, detail: "auto" },
          ],
        },
      ],
    },
  ],
  ["/tokenize", { messages: conversation, with_pieces: true }],
  ["/detokenize", { tokens: [1, 2, 3] }],
  ["/apply-template", { messages: conversation, add_generation_prompt: true }],
];

const nasty: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    -1e308,
    2 ** 53,
    -(2 ** 63),
    1e-320,
    "",
    " ",
    "\u0000",
    "\ud800",
    "é".repeat(300),
  ],
  ...[
    "NaN",
    "__proto__",
    "constructor",
    "<image>",
    "<|im_end|>",
    "</s>",
    "../../etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
  ],
  ...[
    "http://[::1]/",
    "data:,",
    "data:image/png;base64,",
    "data:image/png;base64,AAAA",
    "data:video/jpeg;base64,AAAA,,",
    "(",
    "(a{1,1000}){1,1000}",
  ],
  ...[
    [],
    {},
    [[]],
    [null],
    [{}],
    { a: { b: {} } },
    Array(50).fill([]),
    { __proto__: null, toString: 1 },
    [1, "a", null, {}],
  ],
];
const fields = [
  ...[
    "messages",
    "prompt",
    "input",
    "role",
    "content",
    "type",
    "text",
    "image_url",
    "video_url",
    "url",
    "stop",
    "n",
    "seed",
    "tools",
  ],
  ...[
    "functions",
    "regex",
    "grammar",
    "structured_outputs",
    "response_format",
    "logit_bias",
    "max_tokens",
    "stream",
    "stream_options",
  ],
  ...[
    "min_tokens",
    "stop_token_ids",
    "ignore_eos",
    "continue_final_message",
    "cache_salt",
    "priority",
    "media_io_kwargs",
    "suffix",
  ],
];

type Tree = Record<string, unknown> | unknown[];

function mutate(body: object, random: RandomSource): string {
  const pick = <T>(list: readonly T[]): T => list[random.nextWord() % list.length]!;
  const tree = structuredClone(body) as Tree;
  const places: (readonly [Tree, string])[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node as Tree, key]);
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(tree);
  for (let times = 1 + (random.nextWord() % 3); times > 0; times--) {
    const [parent, key] = pick(places);
    const node = parent as Record<string, unknown>;
    const way = random.nextWord() % 5;
    if (way === 0 && !Array.isArray(parent)) delete node[key];
    else if (way === 1) node[pick(fields)] = pick(nasty);
    else if (way === 2) node[key] = pick(places)[0];
    else node[key] = pick(nasty);
  }
  const text = stringified(tree);
  if (random.nextWord() % 5 > 0) return text;
  const at = random.nextWord() % text.length;
  const way = random.nextWord() % 3;
  const inserted = pick(['"', "{", "}", "[", "]", ",", "\\", "\\u0000", "1e999", "\u0007", "é"]);
  return way === 0 ? text.slice(0, at) : text.slice(0, at) + inserted + text.slice(at + way - 1);
}

/** A place put inside itself has no JSON. */
function stringified(tree: Tree): string {
  try {
    return JSON.stringify(tree);
  } catch {
    return '{"messages": [[[';
  }
}

/** What was wrong with an answer; undefined where nothing was. */
function fault({ status, body, text }: Answered, milliseconds: number): string | undefined {
  if (milliseconds > 5000) return `took ${milliseconds} ms`;
  if (status >= 500 && status !== 503) return `status ${status}`;
  if (status === 200) return undefined;
  const { message, type, param, code } = body?.error ?? {};
  if (
    typeof message !== "string" ||
    typeof type !== "string" ||
    typeof code !== "string" ||
    param === undefined
  )
    return "an error of another shape";
  return leakIn(text);
}

/** What a text tells that it must not. */
export const leakIn = (text: string): string | undefined =>
  [
    new RegExp(secret),
    /0x[0-9a-f]{6,}/i,
    /\/(?:work|home|root|usr|tmp|etc)\//,
    /\b\d+\.\d+\.\d+\.\d+\b/,
    /node_modules|\.ts:\d+/,
    /the-key/,
  ]
    .find((pattern) => pattern.test(text))
    ?.toString();

/** Sends so many mutated bodies, some at once; → those that were answered wrongly, a line each. */
export async function sendMutated(
  url: string,
  { count, seed, headers = {} }: { count: number; seed: number; headers?: Record<string, string> },
): Promise<string[]> {
  const random = new RandomSource(seed);
  const wrong: string[] = [];
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const [path, good] = bodies[random.nextWord() % bodies.length]!;
      const body = mutate(good, random);
      const started = performance.now();
      const answered = await ask(`${url}${path}`, { method: "POST", body, headers }).catch(
        (error: Error) => error,
      );
      const what =
        answered instanceof Error ? answered.message : fault(answered, performance.now() - started);
      if (what !== undefined)
        wrong.push(
          `${path} ${what}: ${body.slice(0, 2000)} → ${answered instanceof Error ? "" : answered.text.slice(0, 500)}`,
        );
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return wrong;
}
