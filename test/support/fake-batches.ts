import type { ServerResponse } from "node:http";
import { completion } from "./endpoint.ts";
import { startServer, type TestServer } from "./server.ts";

/** What becomes of a batch, by its order. */
export type BatchFate =
  | "complete"
  | "shuffled"
  /** Half of the lines are answered. */
  | "expired"
  | "vanished"
  /** Every line failed: there is no file with replies. */
  | "errors-only"
  | "token-limit"
  | "invalid";

export interface FakeBatches extends TestServer {
  /** The keys of each batch that came. */
  readonly batches: readonly (readonly string[])[];
  /** Answers that were made, by key. */
  readonly answered: ReadonlyMap<string, number>;
}

type Content = string | readonly { readonly text?: string; readonly image_url?: { readonly url: string } }[];

/** Of images the ends of their files, which tell those apart that differ there. */
const textOf = (content: Content): string =>
  typeof content === "string"
    ? content
    : content.map(({ text, image_url }) => text ?? image_url!.url.slice(-4)).join(" ");

interface Batch {
  readonly id: string;
  readonly fate: BatchFate;
  readonly name: unknown;
  readonly lines: readonly {
    readonly custom_id: string;
    readonly body: { readonly messages: readonly { readonly content: Content }[] };
  }[];
  looks: number;
}

/** OpenAI's files and batches on the loopback interface; answers are the last message with an exclamation mark. */
export async function startBatches(fate: (order: number) => BatchFate): Promise<FakeBatches> {
  const files = new Map<string, string>();
  const batches: Batch[] = [];
  const answered = new Map<string, number>();
  const json = (response: ServerResponse, value: unknown): void =>
    void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
  const server = await startServer(async (request, response) => {
    const path = request.url!.replace(/^\/v1/, "").replace(/\?.*/, "");
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (path === "/files") {
      const form = await new Response(body, {
        headers: { "content-type": request.headers["content-type"]! },
      }).formData();
      const id = `file-${files.size}`;
      files.set(id, await (form.get("file") as File).text());
      return json(response, { id });
    }
    if (path.startsWith("/files/")) return void response.end(files.get(path.split("/")[2]!));
    if (path === "/batches" && request.method === "POST") {
      const { input_file_id, metadata } = JSON.parse(body.toString());
      const lines = files
        .get(input_file_id)!
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      const batch = {
        id: `batch-${batches.length}`,
        fate: fate(batches.length),
        name: metadata.name,
        lines,
        looks: 0,
      };
      batches.push(batch);
      return json(response, shown(batch, "validating"));
    }
    if (path === "/batches")
      return json(response, { data: batches.map((batch) => shown(batch, "in_progress")), has_more: false });
    const batch = batches.find(({ id }) => path.endsWith(id))!;
    if (batch.fate === "vanished") return json(response, { error: "no such batch" });
    if (batch.looks++ === 0) return json(response, shown(batch, "in_progress"));
    json(response, finish(batch, files, answered));
  });
  return {
    url: server.url,
    answered,
    get batches() {
      return batches.map(({ lines }) => lines.map(({ custom_id }) => custom_id));
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const shown = ({ id, name }: Batch, status: string, more = {}) => ({
  id,
  status,
  metadata: { name },
  output_file_id: "",
  ...more,
});

function finish(batch: Batch, files: Map<string, string>, answered: Map<string, number>) {
  const { id, fate, lines } = batch;
  const error = (code: string) =>
    shown(batch, "failed", { errors: { data: [{ code, message: "no", line: 1 }] } });
  if (fate === "token-limit") return error("token_limit_exceeded");
  if (fate === "invalid") return error("invalid_json_line");
  const result = (key: string, status: number, body: unknown): string =>
    JSON.stringify({ custom_id: key, response: { status_code: status, body }, error: null });
  if (fate === "errors-only") {
    files.set(
      `${id}-errors`,
      lines.map(({ custom_id }) => result(custom_id, 400, { error: { message: "bad" } })).join("\n"),
    );
    return shown(batch, "completed", { output_file_id: null, error_file_id: `${id}-errors` });
  }
  const done = fate === "expired" ? lines.slice(0, Math.floor(lines.length / 2)) : lines;
  if (!files.has(`${id}-output`))
    for (const { custom_id } of done) answered.set(custom_id, (answered.get(custom_id) ?? 0) + 1);
  const output = done.map(({ custom_id, body }) =>
    result(custom_id, 200, completion(`${textOf(body.messages.at(-1)!.content)}!`)),
  );
  files.set(`${id}-output`, (fate === "shuffled" ? output.toReversed() : output).join("\n"));
  return shown(batch, fate === "expired" ? "expired" : "completed", { output_file_id: `${id}-output` });
}
