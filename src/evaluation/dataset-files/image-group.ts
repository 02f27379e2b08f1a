import { createHash } from "node:crypto";

/** What questions about one image share: its path, or a short name of an embedded one; their id where they have none. */
export function imageGroup(image: string, id: string): string {
  if (image === "") return id;
  return image.startsWith("data:")
    ? createHash("sha256").update(image).digest("base64url").slice(0, 16)
    : image;
}
