export { type AnswerEnd, answerEndOf, stopIdsFor } from "./answer-end.ts";
export { type ChatTemplateOptions, chatTemplate, readChatTemplate } from "./chat-template.ts";
export { choosePromptFormat, type FormatChoice, imageStartEnd, jinjaOfChoice } from "./choose-format.ts";
export { countImageMarks, imageMark, markedParts, slottedParts } from "./image-marks.ts";
export { type Conversation, countSlots, imagesOf } from "./messages.ts";
export {
  type ImagePiece,
  type ImagePosition,
  ignoreLabel,
  type PromptPiece,
  type PromptSegment,
  promptText,
  requireImageCount,
  type TextPiece,
  type TokenizedPrompt,
  tokenizePrompt,
} from "./prompt.ts";
export { rawPrompt } from "./raw.ts";
export { readMessages } from "./read-messages.ts";
export type { TemplateName } from "./template-data.ts";
export { namedTemplate, type PromptFormat, type RenderOptions, templateNames } from "./templates.ts";
export { type PlainChoice, requestedFormat, type TrainingFormat, trainingFormat } from "./training-format.ts";
