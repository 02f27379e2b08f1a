export { type ChatTemplateOptions, chatTemplate, readChatTemplate } from "./chat-template.ts";
export { choosePromptFormat, type FormatChoice } from "./choose-format.ts";
export { countImageMarks, imageMark, markedParts } from "./image-marks.ts";
export { imagesOf } from "./messages.ts";
export {
  type ImagePiece,
  type ImagePosition,
  type ImageTokens,
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
export { type OpenText, openText, type TextSource } from "./text-source.ts";
