import { type ReplyClass, unanswered } from "../datagen/index.ts";
import type { GenerationRequest } from "../protocol/index.ts";
import { type Answerer, askPlanned, Ledger, type PlannedRun, RequestKeys } from "../runner/index.ts";
import type { PoolItem } from "./intake/item.ts";

/** A question's reference answer, or why it has none yet. */
export interface Reference {
  readonly text: string;
  /** "given" with the question, "ok" by the teacher, or why the teacher's is none. */
  readonly class: ReplyClass | "given";
  /** The teacher as it named itself. */
  readonly model?: string | undefined;
}

export interface Teacher extends Pick<PlannedRun, "retry" | "price" | "budget" | "limits" | "onProgress"> {
  readonly answerer: Answerer;
  /** Of a reference. */
  readonly maxTokens: number;
}

/**
 * Reference answers by a teacher that sees the image, for questions without one; replies are kept in the ledger, and none is asked
 * for twice. @throws what `askPlanned` throws
 */
export async function askReferences(
  items: readonly PoolItem[],
  teacher: Teacher,
  { ledgerPath, signal }: { readonly ledgerPath: string; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, Reference>> {
  const found = new Map<string, Reference>();
  for (const { id, reference = "" } of items)
    if (reference.trim() !== "") found.set(id, { text: reference.trim(), class: "given" });
  const asked = items.filter(({ id }) => !found.has(id));
  if (asked.length === 0) return found;
  using ledger = new Ledger(ledgerPath);
  const { answerer, maxTokens } = teacher;
  const requestAt = (place: number): GenerationRequest => requestOf(asked[place]!, maxTokens);
  const keys = new RequestKeys(answerer, ledger.digests);
  ledger.plan(
    await Promise.all(
      asked.map(async ({ id }, place) => {
        const { messages, sampling = {} } = requestAt(place);
        return { id, key: await keys.of({ id, messages, sampling }) };
      }),
    ),
  );
  ledger.retryFailed();
  // A teacher may refuse many questions in the same words.
  const sameReplies = Math.max(20, asked.length / 2);
  await askPlanned({ ...teacher, ledger, requestAt, answerer, sameReplies, signal });
  const served = ledger.mostServed();
  for (const { sequence, reply } of ledger.entries()) {
    const { id } = asked[sequence]!;
    if (reply === undefined) found.set(id, { text: "", class: "failed" });
    else {
      const flaw =
        unanswered(reply, { sameText: reply.sameText, served }) ??
        (reply.reason === "length" ? "truncated" : "ok");
      found.set(id, { text: reply.text.trim(), class: flaw, model: reply.model ?? answerer.id });
    }
  }
  return found;
}

const requestOf = ({ image, question }: PoolItem, maxTokens: number): GenerationRequest => ({
  messages: [
    {
      role: "user",
      content: [
        { type: "image", image },
        { type: "text", text: question },
      ],
    },
  ],
  sampling: { temperature: 0, maxTokens },
});

export const isUsable = ({ class: name }: Reference): boolean => name === "ok" || name === "given";
