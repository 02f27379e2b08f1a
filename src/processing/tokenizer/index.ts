export { type GgufMetadata, tokenizerFromGguf } from "./gguf.ts";
export { StreamDecoder } from "./stream-decoder.ts";
export type { Tokenizer } from "./tokenizer.ts";
export { loadTokenizer } from "./tokenizer-json.ts";
