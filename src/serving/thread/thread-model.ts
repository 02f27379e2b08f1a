import {
  type PromptTokens,
  type ServedModel,
  type ServedPart,
  type ServedPrompt,
  type ServedRequest,
  type ServedState,
  tooManyWait,
} from "../../protocol/index.ts";
import type { Opened } from "./messages.ts";
import type { ModelThread } from "./model-thread.ts";
import { BEAT, SharedState } from "./shared-state.ts";

/** A model that a `ModelThread` hosts. Who is too much for it is refused here, however long its step takes. */
export class ThreadModel implements ServedModel {
  readonly id: string;
  readonly contextLength: number;
  readonly modalities: ServedModel["modalities"];
  readonly vocabularySize: number;
  readonly queueLimit: number;
  readonly #maxRunning: number;
  readonly #number: number;
  readonly #thread: ModelThread;
  readonly #shared: SharedState;
  /** Requests that the thread is not done with, given up or not. */
  #underWay = 0;
  #sent = 0;
  /** When the oldest request was sent that the thread has not said to have received, in milliseconds since 1970. */
  #unreceivedSince = 0;

  /** Has the thread open it. @throws what opening throws there */
  static async open(thread: ModelThread, name: string, signal?: AbortSignal): Promise<ThreadModel> {
    return new ThreadModel(thread, await thread.call<Opened>({ open: name }, signal));
  }

  private constructor(thread: ModelThread, opened: Opened) {
    this.id = opened.id;
    this.contextLength = opened.contextLength;
    this.modalities = opened.modalities;
    this.vocabularySize = opened.vocabularySize;
    this.queueLimit = opened.queueLimit;
    this.#maxRunning = opened.maxRunning;
    this.#number = opened.model;
    this.#thread = thread;
    this.#shared = new SharedState(opened.state);
  }

  tokens(tokens: ServedPrompt, signal?: AbortSignal): Promise<PromptTokens> {
    return this.#thread.call({ model: this.#number, tokens }, signal);
  }

  detokenize(detokenize: readonly number[]): Promise<string> {
    return this.#thread.call({ model: this.#number, detokenize });
  }

  pieces(pieces: readonly number[]): Promise<readonly Uint8Array[]> {
    return this.#thread.call({ model: this.#number, pieces });
  }

  requireRoom(): void {
    const { queueLimit } = this;
    const waiting = this.#underWay - this.#maxRunning;
    if (waiting < queueLimit) return;
    const { secondsOfAnswer } = this.#shared.read();
    throw tooManyWait(waiting, { queueLimit, maxRunning: this.#maxRunning, secondsOfAnswer });
  }

  async *answer({ signal, ...answer }: ServedRequest): AsyncGenerator<ServedPart, void, undefined> {
    this.requireRoom();
    const onEnd = () => this.#underWay--;
    const parts = this.#thread.ask<ServedPart>({ model: this.#number, answer }, { signal, onEnd });
    this.#underWay++;
    if (this.#sent === this.#shared.received) this.#unreceivedSince = Date.now();
    this.#sent++;
    yield* parts;
  }

  state(): ServedState {
    const shared = this.#shared;
    const state = shared.read();
    const unreceived = this.#sent - shared.received;
    const isBusy = unreceived > 0 || state.running + state.waiting > 0;
    const waiting = state.waiting + unreceived;
    // Those that will have a place at once do not wait.
    const placed = Math.min(waiting, Math.max(0, this.#maxRunning - state.running));
    const since = Math.max(shared.written, unreceived > 0 ? this.#unreceivedSince : 0);
    return {
      ...state,
      running: state.running + placed,
      waiting: waiting - placed,
      stepMilliseconds: isBusy ? Math.max(0, Date.now() - since - BEAT) : 0,
    };
  }
}
