import { z } from "zod";
import { describeIssues } from "../files/index.ts";
import type { GenerationRequest, GenerationResult } from "../protocol/index.ts";
import { readCompletion } from "./completion.ts";
import { EndpointError, shortened, statusError } from "./endpoint-error.ts";
import { authorization, completionsUrl, type EndpointModelOptions } from "./endpoint-options.ts";
import { completionBody } from "./request-body.ts";

/** Where a batch stands. */
export interface BatchState {
  readonly id: string;
  /** Whether nothing more comes of it, well or not. */
  readonly hasEnded: boolean;
  /** The endpoint's word, such as "in_progress", "completed" or "expired". */
  readonly status: string;
  /** Files with replies and with failures; either may be absent, also of one that was completed. */
  readonly files: readonly string[];
  /** Why it was not taken, by line. */
  readonly errors: readonly {
    readonly code: string;
    readonly message: string;
    readonly line?: number | undefined;
  }[];
}

/** What came of a line. */
export interface BatchResult {
  /** That of the line: results come in any order. */
  readonly key: string;
  readonly reply: GenerationResult | EndpointError;
}

/** Some servers write an empty text where there is no file. */
const file = z.string().nullish().catch(undefined);
const batchSchema = z.object({
  id: z.string().min(1),
  status: z.string(),
  output_file_id: file,
  error_file_id: file,
  metadata: z.record(z.string(), z.unknown()).nullish().catch(undefined),
  errors: z
    .object({
      data: z.array(
        z.object({ code: z.string().nullish(), message: z.string().nullish(), line: z.number().nullish() }),
      ),
    })
    .nullish()
    .catch(undefined),
});
const resultSchema = z.object({
  custom_id: z.string(),
  response: z.object({ status_code: z.number(), body: z.unknown() }).nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
});

const ended = new Set(["completed", "failed", "expired", "cancelled"]);

/** OpenAI's Batch API: requests in files, at half the price, answered within a day. */
export class BatchEndpoint {
  readonly id: string;
  readonly #options: EndpointModelOptions;
  readonly #base: string;

  constructor(options: EndpointModelOptions) {
    this.id = options.model;
    this.#options = options;
    this.#base = completionsUrl(options.url).replace(/\/chat\/completions$/, "");
  }

  /** A request as a line of a batch's file. */
  async line(key: string, request: GenerationRequest): Promise<string> {
    const body = await completionBody(request, this.#options);
    return JSON.stringify({ custom_id: key, method: "POST", url: "/v1/chat/completions", body });
  }

  /** Sends a batch under a name of ours. Returns the endpoint's. @throws EndpointError, as all methods */
  async submit(lines: readonly string[], name: string, signal?: AbortSignal): Promise<string> {
    const form = new FormData();
    form.set("purpose", "batch");
    form.set("file", new Blob([`${lines.join("\n")}\n`], { type: "application/jsonl" }), `${name}.jsonl`);
    const uploaded = z
      .object({ id: z.string() })
      .safeParse(await this.#json("/files", signal, { method: "POST", body: form }));
    if (!uploaded.success) throw this.#strange("/files", uploaded.error);
    const body = JSON.stringify({
      input_file_id: uploaded.data.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
      metadata: { name },
    });
    const headers = { "content-type": "application/json" };
    return this.#batch(await this.#json("/batches", signal, { method: "POST", body, headers })).id;
  }

  /** The endpoint's name of a batch that was sent under a name of ours; undefined for one that never came. */
  async find(name: string, signal?: AbortSignal): Promise<string | undefined> {
    let after = "";
    for (;;) {
      const list = z
        .object({ data: z.array(batchSchema), has_more: z.boolean().default(false) })
        .safeParse(await this.#json(`/batches?limit=100${after}`, signal));
      if (!list.success) throw this.#strange("/batches", list.error);
      const { data, has_more: hasMore } = list.data;
      const found = data.find(({ metadata }) => metadata?.["name"] === name);
      if (found !== undefined || !hasMore || data.length === 0) return found?.id;
      after = `&after=${encodeURIComponent(data.at(-1)!.id)}`;
    }
  }

  async look(id: string, signal?: AbortSignal): Promise<BatchState> {
    const { status, output_file_id, error_file_id, errors } = this.#batch(
      await this.#json(`/batches/${id}`, signal),
    );
    return {
      id,
      status,
      hasEnded: ended.has(status),
      files: [output_file_id, error_file_id].flatMap((name) => name || []),
      errors: (errors?.data ?? []).map(({ code, message, line }) => ({
        code: code ?? "",
        message: message ?? "",
        line: line ?? undefined,
      })),
    };
  }

  /** The results in a file; a line that cannot be read is left out, as if it had not come. */
  async *results(fileId: string, signal?: AbortSignal): AsyncGenerator<BatchResult> {
    const text = await (await this.#fetch(`/files/${fileId}/content`, signal)).text();
    for (const line of text.split("\n")) {
      const { data } = resultSchema.safeParse(parsed(line));
      if (data === undefined) continue;
      yield { key: data.custom_id, reply: this.#reply(data) };
    }
  }

  #reply({ response, error }: z.infer<typeof resultSchema>): GenerationResult | EndpointError {
    const body = JSON.stringify(response?.body ?? {});
    if (response && response.status_code >= 200 && response.status_code < 300)
      try {
        const { text, reason = "stop", isRefusal, usage, model } = readCompletion(body, this.#base);
        return {
          text,
          reason: isRefusal ? "refused" : reason,
          usage: usage ?? { promptTokens: 0, imageTokens: 0, completionTokens: 0 },
          ...(model !== undefined && { model }),
        };
      } catch (failure) {
        if (failure instanceof EndpointError) return failure;
        throw failure;
      }
    if (response)
      return statusError(this.#base, { status: response.status_code, headers: {} }, body, Date.now());
    const said = error?.message ?? error?.code ?? "no response";
    // A line that a batch had no time for was not answered, nor billed.
    return new EndpointError(`${this.#base}: ${shortened(said)}`, { retryable: true, mayBeBilled: false });
  }

  #batch(value: unknown): z.infer<typeof batchSchema> {
    const found = batchSchema.safeParse(value);
    if (found.success) return found.data;
    throw this.#strange("/batches", found.error);
  }

  #strange(path: string, error: z.ZodError): EndpointError {
    return new EndpointError(`${this.#base}${path} answered with something else: ${describeIssues(error)}`, {
      retryable: true,
    });
  }

  async #json(path: string, signal: AbortSignal | undefined, init: RequestInit = {}): Promise<unknown> {
    return parsed(await (await this.#fetch(path, signal, init)).text());
  }

  async #fetch(path: string, signal: AbortSignal | undefined, init: RequestInit = {}): Promise<Response> {
    const url = `${this.#base}${path}`;
    const headers = {
      ...authorization(this.#options),
      ...(init.headers as Record<string, string> | undefined),
    };
    const response = await fetch(url, { ...init, headers, ...(signal && { signal }) }).catch(
      (cause: Error) => {
        throw new EndpointError(`${url}: connection failed: ${cause.message}`, { retryable: true, cause });
      },
    );
    if (response.ok) return response;
    const { status } = response;
    throw statusError(
      url,
      { status, headers: Object.fromEntries(response.headers) },
      await response.text(),
      Date.now(),
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
