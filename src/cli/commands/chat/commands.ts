import { LlavaError } from "../../../errors.ts";
import type { Message } from "../../../protocol/index.ts";
import { nearNames } from "../../../spelling.ts";
import type { Conversation } from "./conversation.ts";
import { findImages, imageOf, missing, typedPath } from "./image-words.ts";

const help = `Type a question. Files named in it are shown to the model, and so are web addresses that end
like an image (.jpg, .png, …); other addresses stay text.
  /image PATH   add images to the next question: files, or addresses of any form
  /system TEXT  set what the model is told before the conversation; alone, show it; "" takes it away
  /text LINE    ask a line as it is: no word of it is taken for an image
  /save FILE    write the conversation as a JSON list of messages
  /load FILE    take up a conversation that was written so
  /reset        forget the conversation and its images; the system message stays
  /exit         leave (as does Ctrl-D)
A pasted text of several lines is one question. Typed, a line that ends in \\ goes on in the next,
and """ begins and ends a text of several lines. <image> in a question is where its image goes;
without it images stand in front. A word that ends like an image but is no file is an error.
When the context is full the oldest turns are left out. Ctrl-C stops an answer.`;

const names = ["image", "system", "text", "save", "load", "reset", "exit", "help", "quit"];

/** What a command changes besides the conversation. */
export interface CommandEffect {
  readonly says?: string;
  /** Added to the next question. */
  readonly images?: readonly string[];
  readonly forgetsImages?: boolean;
  /** A question to be asked word for word. */
  readonly asks?: string;
  /** A message that waits for its answer. */
  readonly answers?: Message;
  readonly leaves?: boolean;
}

/** Carries out a command of the chat. @throws LlavaError for one that cannot be, which then has changed nothing */
export async function runCommand(
  command: string,
  argument: string,
  conversation: Conversation,
): Promise<CommandEffect> {
  switch (command) {
    case "help":
    case "?":
      return { says: help };
    case "exit":
    case "quit":
      return { leaves: true };
    case "reset":
      conversation.turns = [];
      return { says: "The conversation begins anew.", forgetsImages: true };
    case "image":
      return { images: imagesOf(needed(command, argument)) };
    case "text":
      return { asks: needed(command, argument) };
    case "system":
      return { says: setSystem(conversation, argument) };
    case "save": {
      const path = typedPath(needed(command, argument));
      await conversation.save(path);
      return { says: `${path}: ${turnsOf(conversation)}` };
    }
    case "load": {
      const path = typedPath(needed(command, argument));
      const question = await conversation.load(path);
      const says = `${path}: ${turnsOf(conversation)}`;
      return { says, forgetsImages: true, ...(question && { answers: question }) };
    }
    default: {
      const near = nearNames(command, names).map((name) => `/${name}`);
      throw new LlavaError(
        "usage",
        `unknown command /${command}${near.length > 0 ? `; did you mean ${near.join(" or ")}?` : ""}`,
        { hint: "/help lists the commands; /text asks a line as it is." },
      );
    }
  }
}

function needed(command: string, argument: string): string {
  if (argument !== "") return argument;
  const what = { image: "PATH", text: "LINE", save: "FILE", load: "FILE" }[command];
  throw new LlavaError("usage", `/${command}: there is no ${what}`, { hint: `Write /${command} ${what}.` });
}

function imagesOf(argument: string): readonly string[] {
  const whole = imageOf(argument);
  if (whole !== undefined) return [whole];
  const { text, images, addresses } = findImages(argument);
  const other = text.split(/\s+/).find((word) => word !== "" && !addresses.includes(word));
  if (other !== undefined) throw missing(images.length > 0 ? other : argument, [argument, other]);
  return [...images, ...addresses];
}

function setSystem(conversation: Conversation, argument: string): string {
  if (argument === "") {
    const { system } = conversation;
    return system === undefined ? "There is no system message." : `The system message is: ${system}`;
  }
  const isNone = /^(""|'')$/.test(argument);
  conversation.system = isNone ? undefined : argument;
  return isNone
    ? "The system message is taken away."
    : "The system message counts from the next question on.";
}

const turnsOf = ({ turns }: Conversation): string =>
  turns.length === 1 ? "1 question with its answer" : `${turns.length} questions with their answers`;
