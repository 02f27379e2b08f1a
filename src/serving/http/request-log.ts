/** What is written of a request, besides when, what and how long. */
export interface RequestRecord {
  model?: string;
  error?: string;
  /** Of an error that nobody foresaw. */
  cause?: string;
  stream?: boolean;
  /** Which of several processes answered. */
  replica?: number;
  promptTokens?: number;
  imageTokens?: number;
  cachedTokens?: number;
  completionTokens?: number;
  finish?: string;
  /** Only where the log was asked to hold what people say. */
  asked?: unknown;
  answered?: string;
}

export type WriteLine = (line: string) => void;

/** A line of JSON for a request: no words of it, no address, no key. */
export const logLine = (
  about: {
    readonly id: string;
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly milliseconds: number;
  },
  record: RequestRecord,
): string => JSON.stringify({ time: new Date().toISOString(), ...about, ...record });
