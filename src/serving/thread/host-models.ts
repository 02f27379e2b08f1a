import type { MessagePort } from "node:worker_threads";
import type { ServedModel } from "../../protocol/index.ts";
import type { Asked, Opened, Order, Told, ToldTogether } from "./messages.ts";
import { BEAT, SharedState } from "./shared-state.ts";
import { toldOf } from "./told-error.ts";

/** A model that answers in this thread. */
export interface HostedModel extends ServedModel {
  /** Answers under way at once. */
  readonly maxRunning: number;
}

interface Hosted {
  readonly model: HostedModel;
  readonly shared: SharedState;
  /** Requests so far, and orders that have not come to their end. */
  received: number;
  underWay: number;
}

/**
 * Opens models and has them answer what a `ModelThread` at the other end of the port asks, until that one is disposed of.
 * @param open puts onto the stack what is then to be disposed of
 */
export function hostModels(
  port: MessagePort,
  open: (name: string, stack: DisposableStack, signal: AbortSignal) => Promise<HostedModel>,
): void {
  const all: Hosted[] = [];
  const stack = new DisposableStack();
  const controllers = new Map<number, AbortController>();
  let together: Told[] = [];
  const tell = (told: Told): void => {
    // A tick comes when all that a step has settled has been heard.
    if (together.push(told) === 1) process.nextTick(sendAll);
  };
  const sendAll = (): void => {
    port.postMessage(together satisfies ToldTogether);
    together = [];
  };
  const publish = ({ model, shared, received }: Hosted): void => shared.write(model.state(), received);
  const beat = setInterval(() => {
    for (const hosted of all) if (hosted.underWay > 0) publish(hosted);
  }, BEAT);

  async function* parts(asked: Asked, signal: AbortSignal): AsyncGenerator<unknown, void, undefined> {
    if ("open" in asked) {
      const model = await open(asked.open, stack, signal);
      const hosted = { model, shared: new SharedState(), received: 0, underWay: 0 };
      publish(hosted);
      const { id, contextLength, modalities, vocabularySize, queueLimit, maxRunning } = model;
      const about = { id, contextLength, modalities, vocabularySize, queueLimit, maxRunning };
      yield { ...about, model: all.push(hosted) - 1, state: hosted.shared.buffer } satisfies Opened;
      return;
    }
    const { model } = all[asked.model]!;
    if ("answer" in asked) yield* model.answer({ ...asked.answer, signal });
    else if ("tokens" in asked) yield await model.tokens(asked.tokens, signal);
    else if ("pieces" in asked) yield await model.pieces(asked.pieces);
    else yield await model.detokenize(asked.detokenize);
  }

  async function carryOut(id: number, asked: Asked): Promise<void> {
    const hosted = "model" in asked ? all[asked.model] : undefined;
    const controller = new AbortController();
    controllers.set(id, controller);
    if (hosted !== undefined) {
      if ("answer" in asked) hosted.received++;
      hosted.underWay++;
      publish(hosted);
    }
    let last: Told = { id, isEnded: true };
    try {
      for await (const part of parts(asked, controller.signal)) tell({ id, part });
    } catch (error) {
      last = { id, failed: toldOf(error) };
    }
    controllers.delete(id);
    if (hosted !== undefined) {
      hosted.underWay--;
      publish(hosted);
    }
    tell(last);
  }

  port.on("message", (order: Order) => {
    if ("isOver" in order) {
      clearInterval(beat);
      stack.dispose();
      port.close();
    } else if ("isGivenUp" in order) controllers.get(order.id)?.abort();
    else void carryOut(order.id, order);
  });
}
