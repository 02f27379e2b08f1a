import { addUsage, noUsage, type ServedPart, type Usage } from "../../../protocol/index.ts";
import { answered, modelFor, UsageSum, wholeAnswers } from "../answering.ts";
import { EventStream } from "../event-stream.ts";
import type { Exchange } from "../exchange.ts";
import { merged } from "../merged.ts";
import { completionRequests, completionSchema, echoed } from "../requests/completion-request.ts";
import { validated } from "../requests/validate.ts";
import { type Handler, mediaOf } from "../service.ts";
import { completionLogprobs, now, systemFingerprint, wireFinish, wireUsage } from "../wire.ts";

/** POST /v1/completions */
export const completions: Handler = async (exchange, service) => {
  const fields = validated(completionSchema, await exchange.body());
  const { name, model } = modelFor(exchange, service, fields.model);
  await using media = mediaOf(exchange, service);
  const requests = await completionRequests(fields, model, { limits: service.limits, media });
  const streams = requests.map((request) => answered(exchange, service, model, request));
  const answering: Answering = {
    about: {
      id: `cmpl-${exchange.id}`,
      object: "text_completion",
      created: now(),
      model: name,
      system_fingerprint: systemFingerprint,
    },
    streams,
    count: requests[0]!.choices ?? 1,
    echoes: await Promise.all(requests.map((request) => (fields.echo ? echoed(request, model) : ""))),
    withLogprobs: fields.logprobs !== undefined,
  };
  if (!fields.stream) return await answerWhole(exchange, answering);
  exchange.record.stream = true;
  const { readerSeconds } = service.limits;
  await answerStreamed(exchange, answering, fields.stream_options?.include_usage ?? false, readerSeconds);
};

interface Answering {
  readonly about: Readonly<Record<string, unknown>>;
  /** One for each prompt. */
  readonly streams: readonly AsyncIterable<ServedPart>[];
  /** Answers to each. */
  readonly count: number;
  readonly echoes: readonly string[];
  readonly withLogprobs: boolean;
}

async function answerWhole(
  exchange: Exchange,
  { about, streams, count, echoes, withLogprobs }: Answering,
): Promise<void> {
  const all = await Promise.all(streams.map((stream) => wholeAnswers(stream, count)));
  const choices = all.flatMap(({ answers }, prompt) =>
    answers.map(({ text, reason, matched, tokens }, choice) => ({
      index: prompt * count + choice,
      text: echoes[prompt]! + text,
      logprobs: withLogprobs ? completionLogprobs(tokens) : null,
      finish_reason: wireFinish(reason),
      stop_reason: matched ?? null,
    })),
  );
  exchange.json(200, { ...about, choices, usage: wireUsage(sumOf(all.map(({ usage }) => usage))) });
}

const sumOf = (usages: readonly Usage[]): Usage => usages.reduce(addUsage, noUsage);

async function answerStreamed(
  exchange: Exchange,
  { about, streams, count, echoes, withLogprobs }: Answering,
  tellsUsage: boolean,
  readerSeconds: number,
): Promise<void> {
  using stream = new EventStream(exchange, readerSeconds);
  const sums = streams.map(() => new UsageSum());
  const offsets = new Map<number, number>();
  const send = (index: number, choice: object) =>
    stream.send({
      ...about,
      choices: [{ index, text: "", logprobs: null, finish_reason: null, ...choice }],
      ...(tellsUsage && { usage: null }),
    });
  try {
    for await (const { index: prompt, item: part } of merged(streams)) {
      if (part.type === "prompt") {
        if (echoes[prompt] !== "")
          for (let choice = 0; choice < count; choice++)
            await send(prompt * count + choice, { text: echoes[prompt] });
        continue;
      }
      const index = prompt * count + part.choice;
      if (part.type === "finish") {
        sums[prompt]!.add(part.usage);
        await send(index, { finish_reason: wireFinish(part.reason), stop_reason: part.matched ?? null });
        continue;
      }
      const { text, tokens = [] } = part;
      const offset = offsets.get(index) ?? 0;
      offsets.set(index, offset + text.length);
      const logprobs = withLogprobs && tokens.length > 0 ? completionLogprobs(tokens, offset) : null;
      if (text !== "" || logprobs !== null) await send(index, { text, logprobs });
    }
    if (tellsUsage)
      await stream.send({ ...about, choices: [], usage: wireUsage(sumOf(sums.map(({ sum }) => sum))) });
    await stream.send("[DONE]");
    stream.end();
  } catch (error) {
    await stream.fail(error);
  }
}
