/**
 * The printable stand-ins for the 256 bytes in which GPT-2 vocabularies are written: printable Latin-1 stands for
 * itself, the other 68 bytes are numbered from U+0100.
 */
const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

const characterOfByte: readonly string[] = (() => {
  let unprintable = 0;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(isPrintable(byte) ? byte : 0x100 + unprintable++),
  );
})();

const byteOfCharacter: ReadonlyMap<string, number> = new Map(
  characterOfByte.map((character, byte) => [character, byte]),
);

/** Writes the UTF-8 bytes of `text` in the alphabet, one character a byte. */
export function toByteAlphabet(text: string): string {
  let written = "";
  for (const byte of Buffer.from(text, "utf8")) written += characterOfByte[byte];
  return written;
}

/** The bytes that `written` stands for, or `undefined` if it holds a character outside the alphabet. */
export function fromByteAlphabet(written: string): Uint8Array | undefined {
  const bytes = new Uint8Array(written.length);
  for (let i = 0; i < written.length; i++) {
    const byte = byteOfCharacter.get(written[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
