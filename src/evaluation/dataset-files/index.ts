export { type AskedQuestion, readAskedQuestions } from "./asked-questions.ts";
export { check } from "./check.ts";
export { readCheckedLines } from "./checked-lines.ts";
export { type CocoImage, readCocoCaptions, readCocoObjects, readCocoResults } from "./coco.ts";
export { imageDataUrl } from "./data-url.ts";
export { type DuplicateKey, duplicateKey } from "./duplicate-key.ts";
export { embeddedImage } from "./embedded-image.ts";
export { imageGroup } from "./image-group.ts";
export { imageSize } from "./image-size.ts";
export { documentReader, readDocument, readJsonDocument } from "./json-document.ts";
export { jsonBytes, jsonLineBytes } from "./json-text.ts";
export { type LlavaQuestion, readLlavaQuestions } from "./llava-questions.ts";
export { findFile, findNested, imageFolder, locateFile, within } from "./locate.ts";
export { locateQuestions, type QuestionSource } from "./locate-questions.ts";
export { readPickle } from "./pickle.ts";
export {
  findTable,
  type TableFiles,
  tableRows,
} from "./question-table.ts";
export { readTable, type TableRow } from "./table.ts";
export { videoFiles } from "./videos.ts";
export { readVqaQuestions, type VqaQuestion } from "./vqa-questions.ts";
export { type Cell, readWorkbook, writeWorkbook } from "./workbook.ts";
