import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { pythonStrings } from "../python/index.ts";
import { imageDataUrl } from "./data-url.ts";
import { embeddedImage } from "./embedded-image.ts";

interface Cells {
  readonly values: Readonly<Record<string, unknown>>;
  /** From 0, over all parts of the table. */
  readonly place: number;
  readonly where: string;
  /** The table's folder. */
  readonly folder: string;
  /** Images so far by their row's index, for rows that name another's. */
  readonly images: Map<string, string>;
}

/**
 * A row of a table of questions. Parquet files have lists, numbers and images in structures, text tables have everything
 * as text, lists as Python prints them and images in base64.
 */
export class QuestionRow {
  readonly values: Readonly<Record<string, unknown>>;
  /** From 0, over all parts of the table. */
  readonly place: number;
  readonly where: string;
  readonly #folder: string;
  readonly #images: Map<string, string>;

  constructor({ values, place, where, folder, images }: Cells) {
    this.values = values;
    this.place = place;
    this.where = where;
    this.#folder = folder;
    this.#images = images;
  }

  /** The first of the columns that has a text or number. @throws LlavaError "data" where none has */
  text(...columns: readonly string[]): string {
    const text = this.optionalText(...columns);
    if (text !== undefined) return text;
    throw new LlavaError("data", `${this.where}: has nothing as ${columns.join(" or ")}`, {
      hint: "Check that the table is whole and of this benchmark.",
    });
  }

  optionalText(...columns: readonly string[]): string | undefined {
    for (const column of columns) {
      const value = this.values[column];
      if (typeof value === "string" && value !== "") return value;
      if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean")
        return String(value);
    }
    return undefined;
  }

  /** The texts in a cell's list; one of a plain text; undefined for an empty cell. */
  list(column: string): string[] | undefined {
    const value = this.values[column];
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value === "string") return pythonStrings(value) ?? jsonStrings(value) ?? [value];
    if (!Array.isArray(value)) return [String(value)];
    return value.map((element) => {
      const answer = (element as { answer?: unknown } | null)?.answer;
      return String(answer ?? element);
    });
  }

  /**
   * The image: embedded in its cell, the middle one of several; a file beside the table that it names; or that of another
   * row, whose index a text table has in place of an image that stood before. Undefined where there is none.
   */
  image(column = "image"): string | undefined {
    const cell = this.values[column] ?? this.values["image_path"];
    if (Array.isArray(cell)) return embeddedImage(cell[cell.length >> 1]);
    if (typeof cell !== "string") return embeddedImage(cell);
    const text = (pythonStrings(cell) ?? [cell])[0] ?? "";
    if (text === "") return undefined;
    const index = this.values["index"];
    if (text.length <= 64 && /^\d+$/.test(text)) return this.#images.get(text);
    const image = /\.\w{3,4}$/.test(text) ? join(this.#folder, text) : imageDataUrl(text);
    if (typeof index === "string" || typeof index === "number") this.#images.set(String(index), image);
    return image;
  }

  /** Options in columns A, B, C …, up to the first empty one. */
  letteredOptions(): string[] {
    const options: string[] = [];
    for (let code = 65; code <= 90; code++) {
      const option = this.optionalText(String.fromCharCode(code));
      if (option === undefined) break;
      options.push(option);
    }
    return options;
  }
}

function jsonStrings(text: string): string[] | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return Array.isArray(value) ? value.map(String) : undefined;
  } catch {
    return undefined;
  }
}
