import { LlavaError } from "../../errors.ts";
import { type Answerer, readStored, type Store, type StoredAnswer } from "../../runner/index.ts";

/** A judge that is not asked: its replies are those of an earlier run. */
export interface Replay {
  readonly judge: Answerer;
  readonly store: Store;
}

/**
 * Opens a store of replies for reading. Requests that it does not hold get no reply.
 * @param model the judge that was asked, where the file holds replies of several
 * @throws LlavaError "data" for a file without replies, or of several judges if none is named
 */
export async function openReplay(path: string, model?: string): Promise<Replay> {
  const replies = new Map<string, StoredAnswer>();
  const models = new Set<string>();
  for await (const { records } of readStored(path))
    for (const record of records) {
      if ("error" in record) continue;
      replies.set(record.key, record);
      models.add(record.model);
    }
  const [id, other] = model === undefined ? models : [model];
  if (id === undefined || other !== undefined || !models.has(id))
    throw new LlavaError("data", `${path}: holds replies of ${[...models].join(", ") || "no judge"}`, {
      hint: "Name one of them with --judge-model, or give the file NAME.replies.jsonl of llava eval judge.",
    });
  return {
    store: { get: (key) => replies.get(key), append() {} },
    judge: {
      id,
      identity: "",
      concurrency: 1,
      batchSize: 1,
      answer: async (requests) =>
        requests.map(() => new LlavaError("data", `${path}: holds no reply to this request`)),
    },
  };
}
