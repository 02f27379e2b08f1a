/** Runs in a worker thread of `readAnnotationsAside`: reads the file that it was started with, a few batches ahead. */
import { parentPort, workerData } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import { readVqaAnnotations, type VqaAnnotation } from "./vqa-annotations.ts";

/** Answers repeat, so that a table of them and numbers pass between threads far quicker than the rows would. */
export interface PackedAnnotations {
  readonly ids: readonly string[];
  readonly texts: readonly string[];
  /** Of each row: the answer type, how many answers follow, and those; texts by their place in the table. */
  readonly codes: Uint32Array<ArrayBuffer>;
}

/** Errors lose their class between threads. */
export interface Refused {
  readonly message: string;
  readonly hint: string | undefined;
}

function pack(rows: readonly VqaAnnotation[]): PackedAnnotations {
  const places = new Map<string, number>();
  const codes: number[] = [];
  const add = (text: string): void => {
    const known = places.get(text);
    if (known === undefined) places.set(text, places.size);
    codes.push(known ?? places.size - 1);
  };
  for (const { answers, answerType } of rows) {
    add(answerType);
    codes.push(answers.length);
    for (const answer of answers) add(answer);
  }
  return { ids: rows.map(({ id }) => id), texts: [...places.keys()], codes: new Uint32Array(codes) };
}

let ahead = 8;
let goOn: (() => void) | undefined;
parentPort?.on("message", () => {
  ahead++;
  goOn?.();
});

try {
  for await (const rows of readVqaAnnotations(workerData as string)) {
    const packed = pack(rows);
    parentPort?.postMessage(packed, [packed.codes.buffer]);
    ahead--;
    while (ahead === 0) await new Promise<void>((resolve) => (goOn = resolve));
  }
} catch (error) {
  if (!(error instanceof LlavaError)) throw error;
  const { message, hint } = error;
  parentPort?.postMessage({ message, hint } satisfies Refused);
}
parentPort?.close();
