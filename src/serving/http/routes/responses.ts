import {
  type FinishReason,
  noUsage,
  type ServedPart,
  type ServedToken,
  type Usage,
} from "../../../protocol/index.ts";
import { answered, modelFor } from "../answering.ts";
import { ApiError } from "../api-error.ts";
import { EventStream } from "../event-stream.ts";
import type { Exchange } from "../exchange.ts";
import {
  type ResponsesFields,
  responsesRequest,
  responsesSchema,
  wantsLogprobs,
} from "../requests/responses-request.ts";
import { validated } from "../requests/validate.ts";
import { type Handler, mediaOf } from "../service.ts";
import { now, wireLogprobs } from "../wire.ts";

/** POST /v1/responses: OpenAI's newer form of the same, of which nothing is kept. */
export const responses: Handler = async (exchange, service) => {
  const fields = validated(responsesSchema, await exchange.body());
  const { name, model } = modelFor(exchange, service, fields.model);
  await using media = mediaOf(exchange, service);
  const request = await responsesRequest(fields, model, { limits: service.limits, media });
  const written = new WrittenResponse(exchange.id, name, fields);
  const parts = answered(exchange, service, model, request);
  if (fields.stream) {
    exchange.record.stream = true;
    return await streamResponse(exchange, parts, written, service.limits.readerSeconds);
  }
  for await (const part of parts) written.add(part);
  exchange.json(200, written.response());
};

/** Nothing is kept. */
export const storedResponse: Handler = () => {
  throw new ApiError(404, "response_not_found", "Responses are not kept here.");
};

/** A response as it grows. */
class WrittenResponse {
  readonly #id: string;
  readonly #created = now();
  readonly #model: string;
  readonly #fields: ResponsesFields;
  readonly #tokens: ServedToken[] = [];
  #text = "";
  #reason: FinishReason | undefined;
  #usage: Usage = noUsage;

  constructor(id: string, model: string, fields: ResponsesFields) {
    this.#id = id;
    this.#model = model;
    this.#fields = fields;
  }

  get text(): string {
    return this.#text;
  }

  get itemId(): string {
    return `msg_${this.#id}`;
  }

  get tellsLogprobs(): boolean {
    return wantsLogprobs(this.#fields);
  }

  add(part: ServedPart): void {
    if (part.type === "delta") {
      this.#text += part.text;
      this.#tokens.push(...(part.tokens ?? []));
    } else if (part.type === "finish") {
      this.#reason = part.reason;
      this.#usage = part.usage;
    }
  }

  get isComplete(): boolean {
    return this.#reason !== "length";
  }

  part() {
    const logprobs = this.tellsLogprobs ? wireLogprobs(this.#tokens) : [];
    return { type: "output_text", text: this.#text, annotations: [], logprobs };
  }

  item() {
    const status = this.#reason === undefined ? "in_progress" : this.isComplete ? "completed" : "incomplete";
    const content = this.#reason === undefined ? [] : [this.part()];
    return { id: this.itemId, type: "message", role: "assistant", status, content };
  }

  response(failure?: ApiError) {
    const {
      instructions = null,
      max_output_tokens = null,
      temperature = 1,
      top_p = 1,
      metadata,
      text,
    } = this.#fields;
    const ended = this.#reason !== undefined;
    const status = failure ? "failed" : !ended ? "in_progress" : this.isComplete ? "completed" : "incomplete";
    const { promptTokens, completionTokens, cachedTokens = 0 } = this.#usage;
    return {
      id: `resp_${this.#id}`,
      object: "response",
      created_at: this.#created,
      status,
      error: failure ? { code: "server_error", message: failure.message } : null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      instructions,
      max_output_tokens,
      model: this.#model,
      output: ended ? [this.item()] : [],
      parallel_tool_calls: false,
      previous_response_id: null,
      store: false,
      temperature,
      top_p,
      text: { format: text?.format ?? { type: "text" } },
      tool_choice: "none",
      tools: [],
      truncation: "disabled",
      metadata: metadata ?? {},
      usage: ended
        ? {
            input_tokens: promptTokens,
            input_tokens_details: { cached_tokens: cachedTokens },
            output_tokens: completionTokens,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: promptTokens + completionTokens,
          }
        : null,
    };
  }
}

async function streamResponse(
  exchange: Exchange,
  parts: AsyncIterable<ServedPart>,
  written: WrittenResponse,
  readerSeconds: number,
): Promise<void> {
  using stream = new EventStream(exchange, readerSeconds);
  let sequence = 0;
  const send = (type: string, fields: object) =>
    stream.send({ type, sequence_number: sequence++, ...fields }, type);
  const place = { item_id: written.itemId, output_index: 0, content_index: 0 };
  try {
    for await (const part of parts) {
      written.add(part);
      if (part.type === "prompt") {
        await send("response.created", { response: written.response() });
        await send("response.in_progress", { response: written.response() });
        await send("response.output_item.added", { output_index: 0, item: written.item() });
        await send("response.content_part.added", { ...place, part: written.part() });
      } else if (part.type === "delta" && part.text !== "") {
        const logprobs = written.tellsLogprobs ? wireLogprobs(part.tokens ?? []) : [];
        await send("response.output_text.delta", { ...place, delta: part.text, logprobs });
      }
    }
    const { logprobs } = written.part();
    await send("response.output_text.done", { ...place, text: written.text, logprobs });
    await send("response.content_part.done", { ...place, part: written.part() });
    await send("response.output_item.done", { output_index: 0, item: written.item() });
    const ending = written.isComplete ? "response.completed" : "response.incomplete";
    await send(ending, { response: written.response() });
    stream.end();
  } catch (error) {
    await stream.fail(error, "error");
  }
}
