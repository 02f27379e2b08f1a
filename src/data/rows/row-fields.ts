/** Says of a row what is wrong with its form. */
export type Refuse = (what: string) => never;

/** Whether a field holds nothing: data that were exported have null, "" or [] where a row lacks it. */
export const isAbsent = (value: unknown): boolean =>
  value === null || value === undefined || value === "" || (Array.isArray(value) && value.every(isAbsent));

/** "a list", "null", "the number 3" */
export const kindOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "a list"
      : typeof value === "object"
        ? "an object"
        : typeof value === "string"
          ? "text"
          : `the ${typeof value} ${String(value)}`;

/** A path, `{ path }` as Hugging Face's datasets have it, or a list of them. */
export function namesOf(image: unknown, where: string, refuse: Refuse): string[] {
  if (isAbsent(image)) return [];
  if (Array.isArray(image)) return image.flatMap((each, i) => namesOf(each, `${where}.${i}`, refuse));
  const name =
    typeof image === "object" &&
    image !== null &&
    "path" in image &&
    isAbsent((image as { bytes?: unknown }).bytes)
      ? image.path
      : image;
  if (typeof name !== "string") return refuse(`${where}: is ${kindOf(name)}, expected a path`);
  const scheme = /^(data|https?|ftp|s3|gs):/i.exec(name)?.[1]?.toLowerCase();
  if (scheme === "data" || name.length > longestPath)
    refuse(
      `${where}: holds the image itself in ${name.length} characters; rows name files. Write it into one.`,
    );
  if (scheme !== undefined) refuse(`${where}: ${name} is an address; rows name files. Download it.`);
  return [name];
}

const longestPath = 4096;

/** What to do where rows have another form. */
export const rowHint =
  'A row is {"id", "image", "conversations": [{"from": "human" | "gpt", "value"}, …]}, or has "messages" of "role" and "content".';
