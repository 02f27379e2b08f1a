import { monitorEventLoopDelay } from "node:perf_hooks";
import type { ServedModel, ServedPart, ServedState } from "../../../protocol/index.ts";
import type { ModelSet } from "../model-set.ts";
import { Registry } from "./registry.ts";

const seconds = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
];

type StateOf = (state: ServedState, model: ServedModel) => number;

/** Gauges and counters that the models themselves keep, by vLLM's names where it has one. */
const states: readonly [name: string, type: "gauge" | "counter", help: string, of: StateOf][] = [
  ["num_requests_running", "gauge", "Requests that are read or answered.", ({ running }) => running],
  ["num_requests_waiting", "gauge", "Requests that wait for their turn.", ({ waiting }) => waiting],
  [
    "kv_cache_usage_perc",
    "gauge",
    "Share of the memory budget that keys and values take, 0 to 1.",
    ({ memory }) => (memory.budget > 0 ? memory.keyValues / memory.budget : 0),
  ],
  ["kv_bytes", "gauge", "Bytes of keys and values.", ({ memory }) => memory.keyValues],
  ["vision_cache_bytes", "gauge", "Bytes of features of images.", ({ memory }) => memory.vision],
  ["media_bytes", "gauge", "Bytes of media that models have under way.", ({ memory }) => memory.media],
  ["memory_budget_bytes", "gauge", "Bytes that all of these may come to.", ({ memory }) => memory.budget],
  [
    "prefix_cache_queries_total",
    "counter",
    "Tokens of prompts looked up in the prefix cache.",
    ({ promptTokens }) => promptTokens,
  ],
  [
    "prefix_cache_hits_total",
    "counter",
    "Tokens of prompts found there.",
    ({ cachedTokens }) => cachedTokens,
  ],
  [
    "mm_cache_queries_total",
    "counter",
    "Images looked up in the cache of features.",
    ({ towerImages, visionHits }) => towerImages + visionHits,
  ],
  ["mm_cache_hits_total", "counter", "Images found there.", ({ visionHits }) => visionHits],
  [
    "tower_images_total",
    "counter",
    "Images that the vision tower has seen.",
    ({ towerImages }) => towerImages,
  ],
  [
    "vision_cache_hits_total",
    "counter",
    "Images that it did not have to see.",
    ({ visionHits }) => visionHits,
  ],
  [
    "num_preemptions_total",
    "counter",
    "Requests that gave their memory up and were read again.",
    ({ preemptions }) => preemptions,
  ],
  ["engine_steps_total", "counter", "Steps of the models.", ({ steps }) => steps],
];

/** What a server measures. Names begin with `llava:`. */
export class ServerMetrics implements Disposable {
  readonly #registry = new Registry();
  readonly #lag = monitorEventLoopDelay({ resolution: 10 });
  readonly #promptTokens = this.#registry.counter(
    "llava:prompt_tokens_total",
    "Tokens of answered prompts, images included.",
  );
  readonly #generatedTokens = this.#registry.counter("llava:generation_tokens_total", "Tokens of answers.");
  readonly #success = this.#registry.counter("llava:request_success_total", "Answers by how they ended.");
  readonly #rejections = this.#registry.counter(
    "llava:admission_rejections_total",
    "Requests refused because too much waits.",
  );
  readonly #requests = this.#registry.counter(
    "llava:http_requests_total",
    "HTTP requests by route and status.",
  );
  readonly #firstToken = this.#registry.histogram(
    "llava:time_to_first_token_seconds",
    "From a request to the first token of an answer.",
    seconds,
  );
  readonly #betweenTokens = this.#registry.histogram(
    "llava:inter_token_latency_seconds",
    "Between parts of an answer.",
    seconds,
  );
  readonly #whole = this.#registry.histogram(
    "llava:e2e_request_latency_seconds",
    "From a request to the end of its answer.",
    seconds,
  );
  readonly #prefill = this.#registry.histogram(
    "llava:request_prefill_time_seconds",
    "From a request to where its prompt is read, waiting included.",
    seconds,
  );
  readonly #decode = this.#registry.histogram(
    "llava:request_decode_time_seconds",
    "From where its prompt is read to the end.",
    seconds,
  );

  readonly #models: ModelSet;

  constructor(models: ModelSet) {
    this.#models = models;
    this.#lag.enable();
    for (const [name, type, help, of] of states)
      this.#registry.gauge(
        `llava:${name}`,
        help,
        () => models.ready.map((model) => [this.#labels(model), of(model.state(), model)]),
        type,
      );
    this.#registry.gauge(
      "llava:event_loop_lag_seconds",
      "99th percentile of the delay of timers since the last reading.",
      () => {
        // Without a sample the percentile is 0.
        const lag = this.#lag.percentile(99) / 1e9;
        this.#lag.reset();
        return [[{}, lag]];
      },
    );
  }

  text(): string {
    return this.#registry.text();
  }

  httpRequest(route: string, status: number): void {
    this.#requests.add({ route, status: String(status) });
  }

  rejected(reason: string): void {
    this.#rejections.add({ reason });
  }

  [Symbol.dispose](): void {
    this.#lag.disable();
  }

  /** By the name that clients are told: a model's own may be where it lies. */
  #labels(model: ServedModel): { readonly model_name: string } {
    const entry = this.#models.entries.find((each) => each.model === model);
    return { model_name: entry?.name ?? "" };
  }

  /** Times one answer of a model. */
  answer(model: ServedModel): AnswerTimes {
    const labels = this.#labels(model);
    const start = performance.now();
    const since = (from: number): number => (performance.now() - from) / 1000;
    let read = start;
    const last = new Map<number, number>();
    return {
      prompt: () => {
        read = performance.now();
        this.#prefill.observe(labels, since(start));
      },
      delta: (choice) => {
        const before = last.get(choice);
        if (before === undefined) this.#firstToken.observe(labels, since(start));
        else this.#betweenTokens.observe(labels, since(before));
        last.set(choice, performance.now());
      },
      finish: ({ choice, reason, usage }, isFirst) => {
        // Its first token may end an answer.
        if (!last.has(choice)) this.#firstToken.observe(labels, since(start));
        this.#success.add({ ...labels, finished_reason: reason });
        this.#generatedTokens.add(labels, usage.completionTokens);
        if (isFirst) this.#promptTokens.add(labels, usage.promptTokens);
      },
      end: () => {
        this.#whole.observe(labels, since(start));
        this.#decode.observe(labels, since(read));
      },
    };
  }
}

export interface AnswerTimes {
  prompt(): void;
  delta(choice: number): void;
  /** @param isFirst of the choices, whose prompt is one */
  finish(part: Extract<ServedPart, { readonly type: "finish" }>, isFirst: boolean): void;
  end(): void;
}
