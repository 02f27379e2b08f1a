import { z } from "zod";
import type { MediumTokens, ServedModel, ServedPrompt } from "../../../protocol/index.ts";
import { invalidField } from "../api-error.ts";
import type { Exchange } from "../exchange.ts";
import { conversationOf, conversationShape } from "../requests/chat-request.ts";
import { flag, requireId, text } from "../requests/sampling.ts";
import { validated } from "../requests/validate.ts";
import { type Handler, mediaOf, type Service } from "../service.ts";

export const tokenizeSchema = z.object({
  model: text,
  ...conversationShape,
  messages: conversationShape.messages.nullish(),
  prompt: text,
  /** llama.cpp's name for it. */
  content: text,
  /** Whether a text has what begins a prompt in front: so without a word for `prompt`, and not so for `content`. */
  add_special_tokens: flag,
  add_special: flag,
  with_pieces: flag,
  return_token_strs: flag,
});

const ofTexts = { prompt: true, content: true, add_special_tokens: true, add_special: true } as const;

/** Of the routes that take conversations alone. */
export const conversationSchema = tokenizeSchema
  .omit(ofTexts)
  .extend({ messages: conversationShape.messages });

export const detokenizeSchema = z.object({ model: text, tokens: z.array(z.int().min(0)) });

type TokenizeFields = z.infer<typeof tokenizeSchema>;
type PromptFields = Omit<TokenizeFields, keyof typeof ofTexts> &
  Partial<Pick<TokenizeFields, keyof typeof ofTexts>>;

/** POST /tokenize: the tokens of a text, or of a conversation with its images. */
export const tokenize: Handler = async (exchange, service) => {
  const { fields, model, tokens, imageTokens, images } = await tokensOf(exchange, service);
  const pieces = fields.with_pieces || fields.return_token_strs ? await model.pieces(tokens) : [];
  exchange.json(200, {
    count: tokens.length,
    image_tokens: imageTokens,
    images,
    max_model_len: model.contextLength,
    tokens: fields.with_pieces ? tokens.map((id, at) => ({ id, piece: pieceOf(pieces[at]!) })) : tokens,
    ...(fields.return_token_strs && { token_strs: pieces.map((bytes) => new TextDecoder().decode(bytes)) }),
  });
};

/** POST /v1/chat/completions/input_tokens: how many there are, as usage will tell it. */
export const countTokens: Handler = async (exchange, service) => {
  const { tokens } = await tokensOf(exchange, service, conversationSchema);
  exchange.json(200, { object: "response.input_tokens", input_tokens: tokens.length });
};

/** POST /apply-template: what a model is given to read of a conversation. */
export const applyTemplate: Handler = async (exchange, service) => {
  const { prompt, tokens } = await tokensOf(exchange, service, conversationSchema);
  exchange.json(200, { prompt, count: tokens.length });
};

/** POST /detokenize */
export const detokenize: Handler = async (exchange, service) => {
  const { tokens, model: name } = validated(detokenizeSchema, await exchange.body());
  const { model } = service.models.find(name);
  for (const id of tokens) requireId(id, "tokens", model);
  const prompt = await model.detokenize(tokens);
  exchange.json(200, { prompt, content: prompt });
};

async function tokensOf(
  exchange: Exchange,
  service: Service,
  schema: z.ZodType<PromptFields> = tokenizeSchema,
): Promise<{
  fields: PromptFields;
  model: ServedModel;
  tokens: readonly number[];
  prompt: string | undefined;
  imageTokens: number;
  images: readonly MediumTokens[];
}> {
  const fields = validated(schema, await exchange.body());
  const { name, model } = service.models.find(fields.model);
  exchange.record.model = name;
  await using media = mediaOf(exchange, service);
  const { messages, prompt = fields.content } = fields;
  if ((messages ? 1 : 0) + (prompt === undefined ? 0 : 1) !== 1)
    throw invalidField(messages ? "messages" : "prompt", "expected a prompt or messages, one of them");
  const asked: ServedPrompt = messages
    ? await conversationOf({ ...fields, messages }, service.limits, media)
    : { raw: prompt! };
  const { text, ids, imageTokens, media: images } = await model.tokens(asked, exchange.signal);
  const hasBegin =
    messages ?? fields.add_special_tokens ?? fields.add_special ?? fields.content === undefined;
  const begin = hasBegin ? 0 : (await model.tokens({ raw: "" }, exchange.signal)).ids.length;
  return { fields, model, tokens: ids.slice(begin), prompt: text, imageTokens, images };
}

/** llama.cpp's form of a token's text: its bytes where they are no whole characters. */
function pieceOf(bytes: Uint8Array): string | number[] {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return [...bytes];
  }
}
