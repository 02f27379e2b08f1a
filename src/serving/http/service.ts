import type { Exchange } from "./exchange.ts";
import type { ServerLimits } from "./limits.ts";
import type { Fetcher } from "./media/fetcher.ts";
import { MediaReader } from "./media/media-reader.ts";
import type { ServerMetrics } from "./metrics/server-metrics.ts";
import type { ModelSet } from "./model-set.ts";

/** What all requests of a server share. */
export interface Service {
  readonly models: ModelSet;
  readonly limits: ServerLimits;
  readonly fetcher: Fetcher;
  readonly metrics: ServerMetrics;
  /** Whether clients must send a key. */
  readonly needsKey: boolean;
  /** Whether the log holds what people ask and are answered. */
  readonly logsContent: boolean;
}

export type Handler = (exchange: Exchange, service: Service) => void | Promise<void>;

export const mediaOf = ({ holding, signal }: Exchange, { limits, fetcher }: Service): MediaReader =>
  new MediaReader(limits, fetcher, holding, signal);
