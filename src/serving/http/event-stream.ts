import type { Exchange } from "./exchange.ts";
import { writePatiently } from "./patient-write.ts";

/** Milliseconds of silence after which a comment keeps proxies from giving the connection up. */
const KEEP_ALIVE = 10_000;

/** Server-sent events, as fast as their reader takes them. */
export class EventStream implements Disposable {
  readonly #exchange: Exchange;
  readonly #readerSeconds: number;
  readonly #timer: NodeJS.Timeout;

  constructor(exchange: Exchange, readerSeconds: number) {
    this.#exchange = exchange;
    this.#readerSeconds = readerSeconds;
    this.#timer = setInterval(() => this.#comment(), KEEP_ALIVE).unref();
  }

  /** @throws ApiError where the reader leaves what it was sent unread for too long */
  async send(data: unknown, event?: string): Promise<void> {
    const name = event === undefined ? "" : `event: ${event}\n`;
    await this.#write(`${name}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
  }

  /** Ends a stream that has failed, without the mark of an end. An error before the first event is told by its status. */
  async fail(error: unknown, event?: string): Promise<void> {
    const { response, signal } = this.#exchange;
    if (!response.headersSent) throw error;
    const told = this.#exchange.fail(error);
    if (signal.aborted && told.code === "client_closed") return;
    const body = event === undefined ? told.body() : { ...told.body().error, type: event };
    await this.send(body, event).catch(() => response.destroy());
    response.end();
  }

  end(): void {
    this.#exchange.response.end();
  }

  #comment(): void {
    const { response } = this.#exchange;
    if (response.writableNeedDrain || response.destroyed) return;
    this.#open();
    response.write(": waiting\n\n");
    this.#timer.refresh();
  }

  #open(): void {
    const { response } = this.#exchange;
    if (response.headersSent || response.destroyed) return;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
  }

  async #write(text: string): Promise<void> {
    this.#open();
    this.#timer.refresh();
    await writePatiently(this.#exchange, text, this.#readerSeconds);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
