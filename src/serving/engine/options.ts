import type { ImageLoadOptions } from "../../processing/image/index.ts";
import type { ConstraintCompiler } from "./constraint.ts";

export interface ServingOptions {
  /**
   * Bytes of keys and values, of what was seen of images, and of media under way, all together; a quarter of the machine's.
   * What is not needed for answers under way keeps what was read before.
   */
  readonly memory?: number;
  /** Answers under way at once; 32. */
  readonly maxRunning?: number;
  /** Requests that wait at most; 256. */
  readonly queueLimit?: number;
  /** Tokens of prompts that a step reads at most while nobody answers; 96. */
  readonly stepTokens?: number;
  /** Tokens of prompts that a step reads at most while somebody answers, who waits for it; 12, and fewer beside more than four. */
  readonly interleavedTokens?: number;
  /** Reads constraints; without it requests that state one are refused. */
  readonly constraints?: ConstraintCompiler;
  /** Whether what was read and seen is kept for later requests; true. */
  readonly cache?: boolean;
  /**
   * Whether the language model's weights are laid out anew, in panels, on CPUs that read those faster; true. They are then no
   * longer those of the file that other processes have mapped too, and a model is not saved or trained with them.
   */
  readonly panels?: boolean;
  /** Limits for images of prompts. */
  readonly images?: ImageLoadOptions;
}
