import { z } from "zod";
import { ContextFullError, type ServedRequest } from "../../../protocol/index.ts";
import { answered, modelFor } from "../answering.ts";
import { apiErrorOf } from "../api-error.ts";
import type { Exchange } from "../exchange.ts";
import { writePatiently } from "../patient-write.ts";
import { markedPrompt } from "../requests/marked-prompt.ts";
import { seedOf } from "../requests/sampling.ts";
import { validated } from "../requests/validate.ts";
import { mediaOf, type Service } from "../service.ts";
import type { LegacyController } from "./controller.ts";

/** What the original answers whatever went wrong, by which its clients know a failure. */
const FAILURE = "**NETWORK ERROR DUE TO HIGH TRAFFIC. PLEASE REGENERATE OR REFRESH THIS PAGE.**";
const TOO_LONG = "Exceeds max token length. Please start a new conversation, thanks.";

/** Milliseconds for which a worker may be silent before it begins. */
const PATIENCE = 60_000;
const LONGEST = 1024;

const number = (otherwise: number) => z.coerce.number().default(otherwise);

const generateSchema = z.looseObject({
  model: z.string(),
  prompt: z.string(),
  temperature: number(1),
  top_p: number(1),
  top_k: number(50),
  repetition_penalty: number(1),
  max_new_tokens: number(256),
  stop: z.string().nullish(),
  images: z.array(z.string()).nullish(),
});

type GenerateFields = z.infer<typeof generateSchema>;

/** POST /worker_generate_stream: JSON objects with all of the text so far, each ended by a NUL byte. */
export async function generateStream(
  exchange: Exchange,
  service: Service,
  controller: LegacyController,
): Promise<void> {
  const fields = validated(generateSchema, await exchange.body());
  const { models, limits } = service;
  exchange.record.stream = true;
  const say = async (text: string, error_code: number): Promise<void> => {
    const { response } = exchange;
    if (!response.headersSent && !response.destroyed)
      response.writeHead(200, { "content-type": "application/octet-stream" });
    await writePatiently(exchange, `${JSON.stringify({ text, error_code })}\0`, limits.readerSeconds);
  };
  const isHere = models.entries.some(
    ({ name, aliases }) => name === fields.model || aliases.includes(fields.model),
  );
  const address = isHere ? "" : controller.addressOf(fields.model);
  try {
    if (isHere) await answer(exchange, service, fields, say);
    else if (address === "") await say(`${FAILURE}\n\n(no worker has the model)`, 2);
    else
      await forward(exchange, address, fields, limits.readerSeconds).catch(() =>
        say(`${FAILURE}\n\n(the worker does not answer)`, 3),
      );
  } catch (error) {
    if (error instanceof ContextFullError) await say(`${fields.prompt}${TOO_LONG}`, 0);
    else {
      const told = apiErrorOf(exchange.signal.aborted ? exchange.signal.reason : error);
      exchange.record.error = told.code;
      if (told.code !== "client_closed") await say(`${FAILURE}\n\n(${told.message})`, 1);
    }
  }
  exchange.response.end();
}

async function answer(
  exchange: Exchange,
  service: Service,
  fields: GenerateFields,
  say: (text: string, code: number) => Promise<void>,
): Promise<void> {
  const { model } = modelFor(exchange, service, fields.model);
  await using media = mediaOf(exchange, service);
  const { prompt } = fields;
  const marked = await markedPrompt(prompt, fields.images ?? [], media, "images");
  let text = prompt;
  let isSaid = false;
  for await (const part of answered(exchange, service, model, {
    ...requestOf(fields),
    prompt: marked,
  })) {
    if (part.type !== "delta" || part.text === "") continue;
    text += part.text;
    await say(text, 0);
    isSaid = true;
  }
  if (!isSaid) await say(text, 0);
}

function requestOf({
  temperature,
  top_p,
  top_k,
  repetition_penalty,
  max_new_tokens,
  stop,
}: GenerateFields): Omit<ServedRequest, "prompt"> {
  return {
    sampling: {
      temperature: temperature > 0.001 ? temperature : 0,
      topP: top_p,
      topK: top_k,
      repetitionPenalty: repetition_penalty,
      maxTokens: Math.max(1, Math.min(Math.floor(max_new_tokens), LONGEST)),
      seed: seedOf(undefined),
      ...(stop && { stop: [stop] }),
    },
  };
}

/** Hands a request on to the worker that has its model, and what that says back. */
async function forward(
  exchange: Exchange,
  address: string,
  fields: GenerateFields,
  readerSeconds: number,
): Promise<void> {
  const { response, signal } = exchange;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), PATIENCE);
  try {
    const answer = await fetch(`${address}/worker_generate_stream`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(fields),
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (!answer.ok || answer.body === null) throw new Error(`the worker answers ${answer.status}`);
    response.writeHead(200, { "content-type": "application/octet-stream" });
    for await (const chunk of answer.body) {
      timer.refresh();
      await writePatiently(exchange, chunk, readerSeconds);
    }
  } finally {
    clearTimeout(timer);
  }
}
