import { on } from "node:events";
import { LlavaError } from "../../errors.ts";
import { threadBeside } from "../../package.ts";
import type { VqaAnnotation } from "./vqa-annotations.ts";
import type { PackedAnnotations, Refused } from "./vqa-annotations-worker.ts";

/** `readVqaAnnotations` in a thread of its own, which ends with the iteration: a second core parses while this one scores. */
export async function* readAnnotationsAside(path: string): AsyncGenerator<readonly VqaAnnotation[]> {
  const worker = threadBeside(import.meta, "vqa-annotations-worker", path);
  try {
    const messages = on(worker, "message", { close: ["exit"] });
    for await (const [message] of messages as AsyncIterable<[PackedAnnotations | Refused]>) {
      if ("message" in message) {
        const { hint } = message;
        throw new LlavaError("data", message.message, hint === undefined ? {} : { hint });
      }
      yield unpack(message);
      worker.postMessage("more");
    }
  } finally {
    await worker.terminate();
  }
}

function unpack({ ids, texts, codes }: PackedAnnotations): VqaAnnotation[] {
  let at = 0;
  return ids.map((id) => {
    const answerType = texts[codes[at]!]!;
    const end = at + 2 + codes[at + 1]!;
    const answers: string[] = [];
    for (at += 2; at < end; at++) answers.push(texts[codes[at]!]!);
    return { id, answers, answerType };
  });
}
