import type { Tokenizer } from "../tokenizer/index.ts";
import { withAnswerEnd } from "./answer-end.ts";
import { chatTemplate } from "./chat-template.ts";
import type { PromptPiece } from "./prompt.ts";
import type { TemplateName } from "./template-data.ts";
import { jinjaOf, statedTemplate } from "./template-jinja.ts";
import { namedTemplate, type PromptFormat } from "./templates.ts";

export interface FormatChoice {
  /** A template asked for by name. */
  readonly name?: string | undefined;
  /** Ends that template's answers, in the place of its own ending; put behind those of a chat template, which has none. */
  readonly answerEnd?: string | undefined;
  /** Jinja source that came with the checkpoint. */
  readonly chatTemplate?: string | undefined;
  readonly tokenizer: Tokenizer;
  /** What models around the checkpoint's language model are trained with, where that is one for all of them. */
  readonly familyTemplate?: TemplateName | undefined;
  readonly imageToken?: string | undefined;
  /** Whether images stand between `<im_start>` and `<im_end>` (`mm_use_im_start_end` of the original code). */
  readonly imageStartEnd?: boolean | undefined;
}

/**
 * The prompt format of a checkpoint: the one asked for, else the checkpoint's own, else the one its language
 * model was trained with. Folder names play no part, so a renamed checkpoint behaves the same.
 */
export function choosePromptFormat(choice: FormatChoice): PromptFormat {
  const format = chosenFormat(choice);
  return choice.imageStartEnd && format.hasBareImages !== true ? withImageMarks(format) : format;
}

function chosenFormat(choice: FormatChoice): PromptFormat {
  const { name, answerEnd, chatTemplate: stated, tokenizer, imageToken } = choice;
  if (name !== undefined) return namedTemplate(name, answerEnd);
  if (stated === undefined) {
    const template = namedTemplate(templateOfArchitecture(choice));
    return template.name === oldest ? { ...template, isAssumed: true } : template;
  }
  const named = answerEnd === undefined ? statedTemplate(stated) : undefined;
  if (named !== undefined) return named;
  const source = answerEnd === undefined ? stated : withAnswerEnd(stated, answerEnd);
  return chatTemplate(source, imageToken === undefined ? { tokenizer } : { tokenizer, imageToken });
}

/** Control tokens around images, in checkpoints that have them. */
export const imageStartEnd = ["<im_start>", "<im_end>"] as const;

function withImageMarks(format: PromptFormat): PromptFormat {
  const [start, end] = imageStartEnd.map((text): PromptPiece => ({ text, special: true }));
  return {
    ...format,
    render: (conversation, options) =>
      format
        .render(conversation, options)
        .flatMap((piece) => ("image" in piece ? [start!, piece, end!] : [piece])),
  };
}

/** The same format as a chat template in Jinja, to be kept with weights. */
export function jinjaOfChoice(choice: FormatChoice): string {
  const { name, answerEnd, chatTemplate: stated } = choice;
  if (name !== undefined) return jinjaOf(name, answerEnd);
  if (stated === undefined) return jinjaOf(templateOfArchitecture(choice));
  return answerEnd === undefined ? stated : withAnswerEnd(stated, answerEnd);
}

function templateOfArchitecture({ familyTemplate, tokenizer }: FormatChoice): TemplateName {
  if (familyTemplate !== undefined) return familyTemplate;
  if (tokenizer.tokenToId("<|start_header_id|>") !== undefined) return "llava_llama_3";
  if (tokenizer.tokenToId("<|im_start|>") !== undefined) return "chatml_direct";
  return oldest;
}

/** Of the first checkpoints, whose files tell nothing about their template. */
const oldest = "vicuna_v1";
