import { sha256 } from "../../files/index.ts";
import { type MediaSource, type Message, type SamplingOptions, userMessage } from "../../protocol/index.ts";
import { mulberry32, seedOfText } from "../../random/index.ts";
import {
  type Answerer,
  type AskOptions,
  askInBatches,
  askPlanned,
  type BatchEndpoint,
  type Ledger,
  type Planned,
  RequestKeys,
  type RunLedger,
} from "../../runner/index.ts";
import { charactersOf, type Estimate, type EstimatedKind, estimate } from "../instruct/estimate.ts";
import type { RecaptionItem, RecaptionSource } from "./items.ts";

export interface RecaptionOptions {
  readonly ledger: RunLedger;
  readonly source: RecaptionSource;
  readonly answerer: Answerer;
  /** What is asked; `{caption}` stands for what an item is said to show so far. */
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  readonly media: MediaOf;
  /** Asks by an endpoint's batches, where the ledger is a file. */
  readonly batches?: { readonly ledger: Ledger; readonly endpoint: BatchEndpoint } | undefined;
  /** Looks at all files anew, which a plan that is there is otherwise trusted for. */
  readonly isRechecked?: boolean;
  /** Told of how many items are planned so far. */
  readonly onPlanned?: (items: number) => void;
}

/** What is shown of items. */
export interface MediaOf {
  /** Names an item's file, whose bytes its request is known by. */
  file(item: RecaptionItem): MediaSource;
  /** What the request holds, such as frames of the file. */
  shown(item: RecaptionItem): Promise<readonly MediaSource[]>;
  /** How many images of a request an item comes to. */
  imagesOf(item: RecaptionItem): number;
  /** What decides what is shown besides item and file. */
  readonly identity: string;
}

/** Requests whose keys are made at once: as many files may be open. */
const partSize = 1000;
/** Requests that are entered at once: hashes go all over an index, whose pages are written once a time. */
const enteredAtOnce = 4000;

/** Enters all items, unless a ledger holds them since an earlier run of the same source and settings. */
export async function planRecaption(options: RecaptionOptions): Promise<void> {
  const { ledger, source, answerer, prompt, media, onPlanned, isRechecked } = options;
  const { id, identity } = answerer;
  const name = JSON.stringify([
    source.digest,
    id,
    identity,
    media.identity,
    prompt,
    settings(options),
    options.seed,
  ]);
  if (await ledger.plans.keep(name, { isRenewed: isRechecked ?? false })) return;
  const keys = new RequestKeys({ id, identity: identity + media.identity }, ledger.digests);
  let count = 0;
  const waiting: Planned[] = [];
  const enter = async (items: readonly RecaptionItem[], isLast = false): Promise<void> => {
    const planned = items.map(async (item): Promise<Planned> => {
      const messages = [messageOf(item, prompt, [media.file(item)])];
      const key = await keys.of({ id: item.id, messages, sampling: samplingOf(item, options) });
      return { id: item.id, key, task: JSON.stringify(item) };
    });
    waiting.push(...(await Promise.all(planned)));
    keys.forget();
    if (isLast || waiting.length >= enteredAtOnce) await ledger.plans.add(waiting.splice(0));
    count += items.length;
    onPlanned?.(count);
  };
  let part: RecaptionItem[] = [];
  for await (const item of source.items()) {
    part.push(item);
    if (part.length < partSize) continue;
    await enter(part);
    part = [];
  }
  await enter(part, true);
  await ledger.plans.complete();
}

/** Asks for captions that a ledger lacks. @throws what `askPlanned` or `askInBatches` throw */
export async function askRecaption(options: RecaptionOptions & AskOptions): Promise<void> {
  const { batches, batching, media, prompt, answerer } = options;
  await options.ledger.retryFailed();
  const requestAt = async (_: number, task?: string | null) => {
    const item = itemOf(task);
    const messages = [messageOf(item, prompt, await media.shown(item))];
    return { messages, sampling: samplingOf(item, options) };
  };
  if (batches === undefined) return await askPlanned({ ...options, requestAt });
  await askInBatches({ ...options, ...batching, ...batches, requestAt, besides: answerer.identity.length });
}

/**
 * What all captions will take: of prompts alone, or of what those of `pilot` items took, which are drawn, asked about and
 * kept in the ledger. @throws what `askRecaption` throws
 */
export async function estimateRecaption(
  options: RecaptionOptions & AskOptions & { readonly pilot: number },
): Promise<Estimate> {
  const { source, seed, pilot, prompt, media, maxTokens, ledger, price } = options;
  const length = (item: RecaptionItem): number =>
    charactersOf({ messages: [messageOf(item, prompt, Array(media.imagesOf(item)).fill(item.image))] });
  const random = mulberry32(seed);
  const drawn: RecaptionItem[] = [];
  let [requests, characters] = [0, 0];
  for await (const item of source.items()) {
    characters += length(item);
    const place = drawn.length < pilot ? drawn.length : Math.floor(random() * (requests + 1));
    if (place < pilot) drawn[place] = item;
    requests++;
  }
  const seen: EstimatedKind["seen"][number][] = [];
  if (drawn.length > 0) {
    const items = async function* () {
      yield* drawn;
    };
    const some = { ...options, source: { digest: sha256(JSON.stringify(drawn)), items } };
    await ledger.plans.alone(() => planRecaption(some), options.signal);
    await askRecaption(some);
    for await (const { reply, task } of ledger.entries())
      if (reply !== undefined && reply.usage.promptTokens > 0)
        seen.push({ characters: length(itemOf(task)), usage: reply.usage });
  }
  const kind = { kind: "caption", requests, characters, usualReply: maxTokens / 3, price, seen };
  return estimate([kind], requests);
}

export const itemOf = (task: string | null | undefined): RecaptionItem => JSON.parse(task!) as RecaptionItem;

const settings = ({ maxTokens, temperature }: RecaptionOptions): SamplingOptions => ({
  maxTokens,
  temperature,
  topP: 1,
});

const samplingOf = (item: RecaptionItem, options: RecaptionOptions): SamplingOptions => ({
  ...settings(options),
  seed: seedOfText(options.seed, item.id),
});

const messageOf = ({ caption }: RecaptionItem, prompt: string, media: readonly MediaSource[]): Message =>
  userMessage(prompt.replaceAll("{caption}", caption ?? ""), media);
