/**
 * Runs in a thread: hosts fake models. A request for "wait" holds the thread up until the gate is opened, as a step would, and so
 * does opening the model "slow", as loading would.
 */
import { parentPort, workerData } from "node:worker_threads";
import { hostModels } from "../../src/serving/thread/index.ts";
import { FakeServedModel, wordsOf } from "./fake-served-model.ts";

const gate = new Int32Array(workerData as SharedArrayBuffer);

hostModels(parentPort!, async (name) => {
  if (name === "none") throw new Error("no such model");
  if (name === "slow") Atomics.wait(gate, 0, 0);
  return new FakeServedModel({
    id: name,
    queueLimit: 3,
    maxRunning: 1,
    pace: 1,
    answer: ({ prompt }) => {
      const words = "messages" in prompt ? wordsOf(prompt.messages.at(-1)) : "";
      if (words === "wait") Atomics.wait(gate, 0, 0);
      if (words === "end") process.exit(3);
      return words;
    },
  });
});
