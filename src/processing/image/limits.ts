/** What protects against images from others, by the options that a person may raise. */
export type ImageLimit = "maxPixels" | "maxBytes" | "allowPrivate";

/** How the one who reads a hint sets a limit; a limit without a name cannot be set where the image is opened. */
export type LimitNames = Readonly<Partial<Record<ImageLimit, string>>>;

const optionNames: LimitNames = {
  maxPixels: "maxPixels",
  maxBytes: "maxBytes",
  allowPrivate: "allowPrivate",
};

/** The end of a hint: ", or raise maxPixels if you trust the source". */
export function raising(limit: ImageLimit, names: LimitNames = optionNames): string {
  const name = names[limit];
  if (name === undefined) return "";
  if (limit === "allowPrivate") return `, or allow private addresses (${name}) if this one is your own`;
  return `, or raise ${name} if you trust the source`;
}
