export { type GgufMetadata, tokenizerFromGguf } from "./gguf.ts";
export { tokenizerFiles } from "./gguf-files.ts";
export { ggufTokenizer } from "./gguf-metadata.ts";
export { StreamDecoder } from "./stream-decoder.ts";
export type { Tokenizer } from "./tokenizer.ts";
export { loadTokenizer } from "./tokenizer-json.ts";
