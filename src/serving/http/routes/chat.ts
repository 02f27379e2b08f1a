import type { ServedPart, ServedToken } from "../../../protocol/index.ts";
import { answered, modelFor, UsageSum, wholeAnswers } from "../answering.ts";
import { EventStream } from "../event-stream.ts";
import type { Exchange } from "../exchange.ts";
import { chatRequest, chatSchema } from "../requests/chat-request.ts";
import { validated } from "../requests/validate.ts";
import { type Handler, mediaOf } from "../service.ts";
import { now, systemFingerprint, wireFinish, wireLogprobs, wireUsage } from "../wire.ts";

interface About {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** POST /v1/chat/completions */
export const chatCompletions: Handler = async (exchange, service) => {
  const fields = validated(chatSchema, await exchange.body());
  const { name, model } = modelFor(exchange, service, fields.model);
  await using media = mediaOf(exchange, service);
  const request = await chatRequest(fields, model, { limits: service.limits, media });
  const parts = answered(exchange, service, model, request);
  const about = {
    id: `chatcmpl-${exchange.id}`,
    created: now(),
    model: name,
    system_fingerprint: systemFingerprint,
  };
  const { choices: count = 1 } = request;
  const withLogprobs = fields.logprobs === true;
  if (fields.stream) {
    exchange.record.stream = true;
    const usage = fields.stream_options?.include_usage ?? false;
    return await streamChat(exchange, parts, about, {
      count,
      withLogprobs,
      usage,
      reader: service.limits.readerSeconds,
    });
  }
  const { answers, usage } = await wholeAnswers(parts, count);
  exchange.json(200, {
    ...about,
    object: "chat.completion",
    choices: answers.map(({ text, reason, matched, tokens }, index) => ({
      index,
      message: { role: "assistant", content: text, refusal: null },
      logprobs: withLogprobs ? { content: wireLogprobs(tokens), refusal: null } : null,
      finish_reason: wireFinish(reason),
      stop_reason: matched ?? null,
    })),
    usage: wireUsage(usage),
  });
};

interface StreamOptions {
  readonly count: number;
  readonly withLogprobs: boolean;
  /** Whether the last chunk tells the usage. */
  readonly usage: boolean;
  /** Seconds for which what was sent may lie unread. */
  readonly reader: number;
}

async function streamChat(
  exchange: Exchange,
  parts: AsyncIterable<ServedPart>,
  about: About,
  { count, withLogprobs, usage: tellsUsage, reader }: StreamOptions,
): Promise<void> {
  using stream = new EventStream(exchange, reader);
  const head = { ...about, object: "chat.completion.chunk" };
  const sum = new UsageSum();
  const chunk = (index: number, delta: object, more: object = {}) => ({
    ...head,
    choices: [{ index, delta, logprobs: null, finish_reason: null, ...more }],
    ...(tellsUsage && { usage: null }),
  });
  const logprobs = (tokens: readonly ServedToken[]) =>
    withLogprobs ? { logprobs: { content: wireLogprobs(tokens), refusal: null } } : {};
  try {
    for await (const part of parts) {
      if (part.type === "prompt")
        for (let index = 0; index < count; index++)
          await stream.send(chunk(index, { role: "assistant", content: "" }));
      else if (part.type === "delta") {
        const { choice, text, tokens = [] } = part;
        if (text !== "" || (withLogprobs && tokens.length > 0))
          await stream.send(chunk(choice, { content: text }, logprobs(tokens)));
      } else {
        sum.add(part.usage);
        await stream.send(
          chunk(
            part.choice,
            {},
            { finish_reason: wireFinish(part.reason), stop_reason: part.matched ?? null },
          ),
        );
      }
    }
    if (tellsUsage) await stream.send({ ...head, choices: [], usage: wireUsage(sum.sum) });
    await stream.send("[DONE]");
    stream.end();
  } catch (error) {
    await stream.fail(error);
  }
}
