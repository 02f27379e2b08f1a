import type { Command } from "commander";
import { defaultLimits, type ServerLimits } from "../../../serving/http/index.ts";
import { count, positive } from "../../frame/model-options.ts";

/** Those of images are `--max-pixels` and `--max-bytes`, as everywhere. */
type LimitName = Exclude<keyof ServerLimits, "imagePixels" | "imageBytes">;

const limits: Readonly<Record<LimitName, string>> = {
  bodyBytes: "bytes of a request's body",
  jsonDepth: "levels of lists and objects in a body",
  jsonNodes: "values in a body",
  messages: "messages of a conversation",
  images: "images of a request",
  videos: "videos of a request",
  videoBytes: "bytes of a video",
  frames: "frames of a video",
  choices: "answers to a request",
  maxTokens: "tokens of an answer (default: what the context holds)",
  stops: "stop strings and ids of a request",
  logprobs: "likeliest tokens told beside each",
  biases: "entries of logit_bias",
  constraintBytes: "bytes of a schema, regular expression or grammar",
  fetchSeconds: "seconds for an image at an address",
  fetchesAtOnce: "images fetched at once",
  connections: "connections at once",
  headerSeconds: "seconds for the head of a request",
  bodySeconds: "seconds for all of it",
  readerSeconds: "seconds for which a client may leave an answer unread",
  stepSeconds: "seconds of one step, after which /health says that it is stuck",
  totalBytes: "bytes of bodies and media, of all requests under way",
  totalPixels: "pixels of images, of all requests under way",
  totalFrames: "frames of videos, of all requests under way",
  totalNodes: "values in bodies, of all requests under way",
};

/** `--limit-body-bytes` and so on. @returns what was given, once the command line has been read */
export function addLimitOptions(command: Command): () => Partial<ServerLimits> {
  const given: Partial<Record<LimitName, number>> = {};
  for (const [name, meaning] of Object.entries(limits) as [LimitName, string][]) {
    const parse = name.endsWith("Seconds") ? positive : count;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const otherwise = defaultLimits[name] === undefined ? "" : ` (default: ${defaultLimits[name]})`;
    command.option(`--limit-${flag} <n>`, `most ${meaning}${otherwise}`, (text: string) => {
      given[name] = parse(text);
      return given[name];
    });
  }
  return () => given;
}
