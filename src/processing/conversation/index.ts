export { stopIdsFor } from "./answer-end.ts";
export { chatTemplate, readChatTemplate } from "./chat-template.ts";
export { choosePromptFormat, imageStartEnd, jinjaOfChoice } from "./choose-format.ts";
export {
  countImageMarks,
  imageMark,
  markedParts,
  mediaAtMarks,
  slotsOf,
  slottedParts,
  videoMark,
} from "./image-marks.ts";
export { type Conversation, countSlots, detailsOf, mediaOf } from "./messages.ts";
export { ignoreLabel, type PromptPiece, promptText, type TokenizedPrompt, tokenizePrompt } from "./prompt.ts";
export { rawPrompt } from "./raw.ts";
export { readMessages } from "./read-messages.ts";
export type { TemplateName } from "./template-data.ts";
export { namedTemplate, type PromptFormat, templateNames } from "./templates.ts";
export { type PlainChoice, requestedFormat, trainingFormat } from "./training-format.ts";
