/** Bytes that a worker or a controller may say of itself. */
const MOST = 1 << 20;

/** The JSON of a response whose sender is not trusted with this process's memory. @throws Error if it is longer, SyntaxError */
export async function smallJson({ body }: Response): Promise<unknown> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MOST) throw new Error(`answers more than ${MOST} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return JSON.parse(text + decoder.decode());
}
