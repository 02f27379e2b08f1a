import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { pythonStrings } from "../python/index.ts";
import { imageDataUrl } from "./data-url.ts";
import { embeddedImage } from "./embedded-image.ts";
import type { QuestionRow } from "./question-table.ts";

/*
 * Cells of tables of questions: parquet files have lists, numbers and images in structures, text tables have everything
 * as text, lists as Python prints them and images in base64.
 */

/** The first of the columns that has a text or number. @throws LlavaError "data" where none has, unless `optional` */
export function cellText(row: QuestionRow, ...columns: readonly string[]): string {
  const text = optionalText(row, columns);
  if (text !== undefined) return text;
  throw new LlavaError("data", `${row.where}: has nothing as ${columns.join(" or ")}`, {
    hint: "Check that the table is whole and of this benchmark.",
  });
}

cellText.optional = (row: QuestionRow, ...columns: readonly string[]): string | undefined =>
  optionalText(row, columns);

function optionalText({ values }: QuestionRow, columns: readonly string[]): string | undefined {
  for (const column of columns) {
    const value = values[column];
    if (typeof value === "string" && value !== "") return value;
    if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
      return String(value);
  }
  return undefined;
}

/** The texts in a cell's list; one of a plain text; undefined for an empty cell. */
export function cellList({ values }: QuestionRow, column: string): string[] | undefined {
  const value = values[column];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string") return pythonStrings(value) ?? jsonStrings(value) ?? [value];
  if (!Array.isArray(value)) return [String(value)];
  return value.map((element) => {
    const answer = (element as { answer?: unknown } | null)?.answer;
    return String(answer ?? element);
  });
}

function jsonStrings(text: string): string[] | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return Array.isArray(value) ? value.map(String) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The image of a row: embedded in its cell, the middle one of several; a file beside the table that it names; or that of
 * another row, whose index a text table has in place of an image that stood before. Undefined where there is none.
 */
export function cellImage({ values, folder, images }: QuestionRow, column = "image"): string | undefined {
  const cell = values[column] ?? values["image_path"];
  if (Array.isArray(cell)) return embeddedImage(cell[cell.length >> 1]);
  if (typeof cell !== "string") return embeddedImage(cell);
  const text = (pythonStrings(cell) ?? [cell])[0] ?? "";
  if (text === "") return undefined;
  const index = values["index"];
  if (text.length <= 64 && /^\d+$/.test(text)) return images.get(text);
  const image = /\.\w{3,4}$/.test(text) ? join(folder, text) : imageDataUrl(text);
  if (typeof index === "string" || typeof index === "number") images.set(String(index), image);
  return image;
}

/** Options in columns A, B, C …, up to the first empty one. */
export function letteredCells(row: QuestionRow): string[] {
  const options: string[] = [];
  for (let code = 65; code <= 90; code++) {
    const option = cellText.optional(row, String.fromCharCode(code));
    if (option === undefined) break;
    options.push(option);
  }
  return options;
}
