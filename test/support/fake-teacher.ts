import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { startServer, type TestServer } from "./server.ts";

/** What a teacher does in place of answering well. Those of `passing` are over at the next attempt, others stay. */
export const passing = [
  "429-seconds",
  "429-date",
  "429-ms",
  "500",
  "503-html",
  "reset",
  "cut",
  "truncated-json",
  "empty-body",
  "error-200",
] as const;
export const lasting = [
  "null",
  "refusal",
  "sorry",
  "filter",
  "length",
  "null-length",
  "no-usage",
  "other-model",
  "source",
  "coordinates",
  "markup",
  "misaligned",
  "no-pairs",
  "meta",
  "loop",
  "ungrounded",
] as const;
export type Fault = (typeof passing)[number] | (typeof lasting)[number] | "401" | "402" | "quota" | "same";

export interface TeacherRequest {
  /** Of all that decides the answer. */
  readonly key: string;
  readonly fault: Fault | undefined;
  /** Whether the answer, perhaps a bad one, was sent in full. */
  answered: boolean;
}

export interface FakeTeacher extends TestServer {
  /** In the order of their arrival. */
  readonly requests: readonly TeacherRequest[];
  /** What it charges: also for answers that got lost on their way. */
  readonly billed: number;
  readonly billedTokens: number;
}

export interface FakeTeacherOptions {
  /** What an attempt at a request is treated to; counted from 0. */
  readonly fault?: (key: string, attempt: number) => Fault | undefined;
  readonly price?: { readonly input: number; readonly output: number };
  readonly latencyMs?: number;
  /** Whether it takes a JSON schema for its answers; otherwise it answers 400 to one. */
  readonly takesSchema?: boolean;
}

/** A share of the requests, by their keys, meets each of `faults` in equal parts. */
export const faultsAt =
  (share: number, faults: readonly Fault[]) =>
  (key: string, attempt: number): Fault | undefined => {
    const drawn = Number.parseInt(key.slice(0, 8), 16) / 2 ** 32;
    if (drawn >= share) return undefined;
    const fault = faults[Math.floor((drawn / share) * faults.length)]!;
    return attempt > 0 && (passing as readonly string[]).includes(fault) ? undefined : fault;
  };

const tokensOf = (text: string): number => Math.ceil(text.length / 4);

/** A teacher on the loopback interface that answers from captions by template, and bills like a real one. */
export async function startTeacher({
  fault = () => undefined,
  price = { input: 0, output: 0 },
  latencyMs = 0,
  takesSchema = true,
}: FakeTeacherOptions = {}): Promise<FakeTeacher> {
  const requests: TeacherRequest[] = [];
  const attempts = new Map<string, number>();
  let billed = 0;
  let billedTokens = 0;
  const server = await startServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // a client that was killed
    }
    const text = Buffer.concat(chunks).toString();
    const body = JSON.parse(text) as Body;
    const key = createHash("sha256").update(text).digest("hex");
    const attempt = attempts.get(key) ?? 0;
    attempts.set(key, attempt + 1);
    if (body.response_format !== undefined && !takesSchema)
      return refuse(response, 400, "response_format is not supported");
    const mode = fault(key, attempt);
    const entry: TeacherRequest = { key, fault: mode, answered: false };
    requests.push(entry);
    if (latencyMs > 0) await wait(latencyMs);
    if (mode !== undefined && sendStatus(response, mode)) return;
    const completion = completionOf(body, mode);
    const prompt = body.messages.reduce((sum, { content }) => sum + tokensOf(content), 0);
    const output = tokensOf(completion.said);
    billed += (prompt * price.input + output * price.output) / 1e6;
    billedTokens += prompt + output;
    const usage = { prompt_tokens: prompt, completion_tokens: output };
    const json = JSON.stringify({
      model: mode === "other-model" ? "teacher-2" : "teacher-1",
      choices: [{ index: 0, message: completion.message, finish_reason: completion.finish }],
      ...(mode !== "no-usage" && { usage }),
    });
    send(response, mode, json);
    entry.answered = true;
  });
  return {
    url: server.url,
    requests,
    get billed() {
      return billed;
    },
    get billedTokens() {
      return billedTokens;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

interface Body {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly response_format?: unknown;
}

function refuse(response: ServerResponse, status: number, message: string, headers = {}): void {
  response.writeHead(status, headers).end(JSON.stringify({ error: { message } }));
}

/** Whether that was all. */
function sendStatus(response: ServerResponse, mode: Fault): boolean {
  const busy = (headers: Record<string, string>): void => refuse(response, 429, "slow down", headers);
  if (mode === "429-seconds") busy({ "retry-after": "0.02" });
  else if (mode === "429-date") busy({ "retry-after": new Date(Date.now() - 1000).toUTCString() });
  else if (mode === "429-ms") busy({ "retry-after-ms": "10" });
  else if (mode === "500") refuse(response, 500, "oops");
  else if (mode === "503-html") response.writeHead(503).end("<html><body>Service unavailable</body></html>");
  else if (mode === "401") refuse(response, 401, "wrong key");
  else if (mode === "402") refuse(response, 402, "no credit");
  else if (mode === "quota")
    response.writeHead(429).end('{"error": {"code": "insufficient_quota", "message": "quota"}}');
  else return false;
  return true;
}

function send(response: ServerResponse, mode: Fault | undefined, json: string): void {
  const headers = { "content-type": "application/json" };
  if (mode === "reset") response.socket?.destroy();
  else if (mode === "cut") {
    response.writeHead(200, { ...headers, "content-length": String(json.length) });
    response.write(json.slice(0, 20), () => response.socket?.destroy());
  } else if (mode === "truncated-json") response.writeHead(200, headers).end(json.slice(0, json.length / 2));
  else if (mode === "empty-body") response.writeHead(200, headers).end();
  else if (mode === "error-200") response.writeHead(200, headers).end('{"error": {"message": "overloaded"}}');
  else response.writeHead(200, headers).end(json);
}

interface Completion {
  readonly message: { readonly content: string | null; readonly refusal?: string };
  readonly finish: string;
  /** What is billed. */
  readonly said: string;
}

function completionOf(body: Body, mode: Fault | undefined): Completion {
  const good = answerOf(body);
  const say = (content: string | null, finish = "stop"): Completion => ({
    message: { content },
    finish,
    said: content ?? good,
  });
  const isDetail = !good.includes("Question:") && !good.includes('"question":"W');
  switch (mode) {
    case "null":
      return say(null);
    case "refusal":
      return { message: { content: null, refusal: "I can't help with that." }, finish: "stop", said: "" };
    case "sorry":
      return say("I'm sorry, but I can't describe this image.");
    case "filter":
      return say(null, "content_filter");
    case "null-length":
      return say(null, "length");
    case "length":
      return say(good.slice(0, Math.floor(good.length * 0.7)), "length");
    case "source":
      return say(good.replace(/\.(?=\s|$|")/, " according to the description provided."));
    case "coordinates":
      return say(good.replace(/\.(?=\s|$|")/, " at [0.12, 0.345, 0.6, 0.7]."));
    case "markup":
      return say(good.replace(/\.(?=\s|$|")/, " <|endoftext|>."));
    case "misaligned":
      return say(
        isDetail ? "" : "Question:\nWhat is it?\n===\nQuestion:\nWhat else?\n===\nAnswer:\nNothing.",
      );
    case "no-pairs":
      return say(isDetail ? "" : "The photo is nice.");
    case "meta":
      return say("It seems your message is empty. Please provide the captions.");
    case "loop":
      return say(good.replace(/\.(?=\s|$|")/, " and so on and on it goes".repeat(12)));
    case "ungrounded":
      return say(good.replace(/\.(?=\s|$|")/, ". A zebra and a giraffe stand behind it."));
    case "same":
      return say("Hello! I am here for you.");
    default:
      return say(good);
  }
}

/** From the last message's captions: a conversation, a description or a reasoned answer, in the form that is asked for. */
function answerOf({ messages, response_format }: Body): string {
  const [captions = ""] = messages.at(-1)!.content.split("\n\n");
  const [first = "a photo", second = first] = captions
    .split("\n")
    .map((caption) => caption.replace(/[.\s]+$/, ""));
  const system = messages[0]!.content;
  const turns = /conversation/i.test(system)
    ? [
        ["What can be seen here?", `${first}.`],
        ["What else would someone say about it?", `${second}.`],
        ["Is it a photo?", "Yes, it is a photo."],
      ]
    : /one question/i.test(system) || /complex/i.test(system)
      ? [
          [
            "Why might this moment be worth a photo?",
            `${long(first)} It shows something that happens only for a moment, and one who wants to keep it has to be quick. ${second}.`,
          ],
        ]
      : [
          [
            "",
            `${long(first)} ${second}. Everything else is quiet, and the light is even over the whole of the scene.`,
          ],
        ];
  if (response_format !== undefined)
    return JSON.stringify({ turns: turns.map(([question, answer]) => ({ question, answer })) });
  if (turns[0]![0] === "") return turns[0]![1]!;
  return turns.map(([question, answer]) => `Question:\n${question}\n===\nAnswer:\n${answer}`).join("\n===\n");
}

const long = (caption: string): string =>
  `${caption}, which is what draws the eye at first, before anything else in the scene is noticed at all.`;
