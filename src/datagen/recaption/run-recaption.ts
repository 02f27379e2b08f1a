import { type MediaSource, type Message, type SamplingOptions, userMessage } from "../../protocol/index.ts";
import { seedOfText } from "../../random/index.ts";
import {
  type Answerer,
  type AskOptions,
  askPlanned,
  type Planned,
  RequestKeys,
  type RunLedger,
} from "../../runner/index.ts";
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
  /** What decides the latter besides item and file. */
  readonly identity: string;
}

/** Requests whose keys are made at once. */
const partSize = 1000;

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
  const enter = async (items: readonly RecaptionItem[]): Promise<void> => {
    const planned = items.map(async (item): Promise<Planned> => {
      const messages = [messageOf(item, prompt, [media.file(item)])];
      const key = await keys.of({ id: item.id, messages, sampling: samplingOf(item, options) });
      return { id: item.id, key, task: JSON.stringify(item) };
    });
    await ledger.plans.add(await Promise.all(planned));
    keys.forget();
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
  await enter(part);
  await ledger.plans.complete();
}

/** Asks for captions that a ledger lacks. @throws what `askPlanned` throws */
export async function askRecaption(options: RecaptionOptions & AskOptions): Promise<void> {
  await options.ledger.retryFailed();
  await askPlanned({
    ...options,
    requestAt: async (_, task) => {
      const item = itemOf(task);
      const shown = await options.media.shown(item);
      return { messages: [messageOf(item, options.prompt, shown)], sampling: samplingOf(item, options) };
    },
  });
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
