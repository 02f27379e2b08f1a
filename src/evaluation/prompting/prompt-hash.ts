import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { ImageSource, Message } from "../../protocol/index.ts";

/** The text of a prompt, with `<image>` where an image or a video stands, and the files of these. */
export function flattenPrompt(messages: readonly Message[]): { text: string; images: string[] } {
  const images: string[] = [];
  const texts = messages.map(({ role, content }) => {
    const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : content;
    const text = parts.map((part) => {
      if (part.type === "text") return part.text;
      if (part.type === "image") images.push(nameOf(part.image));
      else images.push(...("path" in part.video ? [part.video.path] : part.video.frames.map(nameOf)));
      return "<image>";
    });
    const whole = text.join("");
    return messages.length === 1 ? whole : `${role}: ${whole}`;
  });
  return { text: texts.join("\n"), images };
}

const nameOf = (image: ImageSource): string => (image instanceof Uint8Array ? "<bytes>" : String(image));

/** SHA-256 over prompts in order. Images count by the name of their file: folders differ between machines. */
export class PromptHash {
  readonly #hash = createHash("sha256");
  #pending = "";

  add(id: string, messages: readonly Message[]): void {
    const { text, images } = flattenPrompt(messages);
    this.#pending += `${JSON.stringify([id, text, ...images.map((image) => basename(image))])}\n`;
    if (this.#pending.length > 1 << 16) this.#flush();
  }

  digest(): string {
    this.#flush();
    return this.#hash.digest("hex");
  }

  #flush(): void {
    this.#hash.update(this.#pending);
    this.#pending = "";
  }
}
