/** Of calls in other threads: those that read nested input go as deep as the input does. */
const STACK_BYTES = 4 * 2 ** 20;

type Koffi = typeof import("koffi")["default"];

let configured: Promise<Koffi> | undefined;

/** koffi, which calls functions of native libraries. It takes its settings once, before its first library. */
export const nativeFunctions = (): Promise<Koffi> => {
  configured ??= import("koffi").then(({ default: koffi }) => {
    koffi.config({ ...koffi.config(), async_stack_size: STACK_BYTES });
    return koffi;
  });
  return configured;
};
