/** What one request may ask for, and what all under way may hold together. Every one is a flag of `llava serve`. */
export interface ServerLimits {
  /** Bytes of a body. */
  readonly bodyBytes: number;
  /** Objects and lists within each other in a body. */
  readonly jsonDepth: number;
  /** Values in a body. */
  readonly jsonNodes: number;
  readonly messages: number;
  readonly images: number;
  readonly imageBytes: number;
  readonly imagePixels: number;
  readonly videos: number;
  readonly videoBytes: number;
  /** Frames of a video that are sent as images, and that are read of a file. */
  readonly frames: number;
  readonly choices: number;
  /** Tokens of an answer; as many as the context holds without it. */
  readonly maxTokens?: number;
  readonly stops: number;
  readonly logprobs: number;
  readonly biases: number;
  /** Bytes of a schema, a regular expression or a grammar. */
  readonly constraintBytes: number;
  /** For an image at an address, redirects included. */
  readonly fetchSeconds: number;
  readonly fetchesAtOnce: number;
  readonly connections: number;
  /** For the head of a request. */
  readonly headerSeconds: number;
  /** For all of it. */
  readonly bodySeconds: number;
  /** For which a client may leave what it is sent unread. */
  readonly readerSeconds: number;
  /** Of one step, after which the server calls itself unwell. */
  readonly stepSeconds: number;
  /** Over all requests under way: bytes of bodies and media, pixels of images, frames of videos, values of JSON. */
  readonly totalBytes: number;
  readonly totalPixels: number;
  readonly totalFrames: number;
  readonly totalNodes: number;
}

const MiB = 2 ** 20;

export const defaultLimits: ServerLimits = {
  bodyBytes: 64 * MiB,
  jsonDepth: 64,
  jsonNodes: 100_000,
  messages: 1000,
  images: 32,
  imageBytes: 20 * MiB,
  imagePixels: 50_000_000,
  videos: 4,
  videoBytes: 48 * MiB,
  frames: 128,
  choices: 16,
  stops: 16,
  logprobs: 20,
  biases: 1024,
  constraintBytes: 256 * 1024,
  fetchSeconds: 10,
  fetchesAtOnce: 16,
  connections: 1024,
  headerSeconds: 10,
  bodySeconds: 60,
  readerSeconds: 30,
  stepSeconds: 10,
  totalBytes: 512 * MiB,
  totalPixels: 200_000_000,
  totalFrames: 1024,
  totalNodes: 1_000_000,
};
