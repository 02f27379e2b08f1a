import { LlavaError } from "../errors.ts";

/** What a pickle may ask for: a function it calls with a tuple of arguments, or a constant. */
export type PickleGlobal = { readonly call: (...args: unknown[]) => unknown } | { readonly value: unknown };

export interface PickleOptions {
  /** File, for messages. */
  readonly where: string;
  /** By "module.name". Nothing else can be imported, and so nothing else can be run. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Resolves a persistent id, a value that lives outside the pickle. */
  readonly persistent: (id: unknown) => unknown;
}

const STOP = 0x2e;
const NOTHING = Symbol("nothing to push");
const MAX_INTEGER_BYTES = 256;

/**
 * Reads one pickle (protocols 2 to 5) that begins at `start`. dict → Map, list and tuple → array, int → number or bigint
 * where a number is not exact, bytes → Uint8Array. The reader is a loop over a stack: depth costs no recursion and no
 * allocation is larger than the input.
 */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  options: PickleOptions,
): { value: unknown; end: number } {
  return new Unpickler(bytes, start, options).run();
}

class Unpickler {
  readonly #bytes: Buffer;
  readonly #options: PickleOptions;
  #position: number;
  #stack: unknown[] = [];
  readonly #marked: unknown[][] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, start: number, options: PickleOptions) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = start;
    this.#options = options;
  }

  run(): { value: unknown; end: number } {
    for (;;) {
      const opcode = this.#uint8();
      if (opcode === STOP) return { value: this.#pop(), end: this.#position };
      const result = this.#execute(opcode);
      if (result !== NOTHING) this.#stack.push(result);
    }
  }

  /** Carries out one instruction; its result is what goes on the stack, or NOTHING. */
  #execute(opcode: number): unknown {
    switch (opcode) {
      case 0x80: // PROTO
        this.#take(1);
        return NOTHING;
      case 0x95: // FRAME
        this.#take(8);
        return NOTHING;
      case 0x28: // MARK
        this.#marked.push(this.#stack);
        this.#stack = [];
        return NOTHING;
      case 0x30: // POP
        this.#pop();
        return NOTHING;
      case 0x31: // POP_MARK
        this.#popMarked();
        return NOTHING;
      case 0x32: // DUP
        return this.#top();

      case 0x4e: // NONE
        return undefined;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4b: // BININT1
        return this.#uint8();
      case 0x4d: // BININT2
        return this.#bytes.readUInt16LE(this.#take(2));
      case 0x4a: // BININT
        return this.#bytes.readInt32LE(this.#take(4));
      case 0x8a: // LONG1
        return this.#integer(this.#uint8());
      case 0x8b: // LONG4
        return this.#integer(this.#uint32());
      case 0x47: // BINFLOAT
        return this.#bytes.readDoubleBE(this.#take(8));
      case 0x8c: // SHORT_BINUNICODE
        return this.#text(this.#uint8(), "utf8");
      case 0x58: // BINUNICODE
        return this.#text(this.#uint32(), "utf8");
      case 0x8d: // BINUNICODE8
        return this.#text(this.#uint64(), "utf8");
      case 0x55: // SHORT_BINSTRING
        return this.#text(this.#uint8(), "latin1");
      case 0x54: // BINSTRING
        return this.#text(this.#uint32(), "latin1");
      case 0x43: // SHORT_BINBYTES
        return this.#raw(this.#uint8());
      case 0x42: // BINBYTES
        return this.#raw(this.#uint32());

      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        return [];
      case 0x7d: // EMPTY_DICT
        return new Map();
      case 0x74: // TUPLE
        return this.#popMarked();
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#popMany(opcode - 0x84);
      case 0x61: // APPEND
        return this.#append([this.#pop()]);
      case 0x65: // APPENDS
        return this.#append(this.#popMarked());
      case 0x73: // SETITEM
        return this.#setItems(this.#popMany(2));
      case 0x75: // SETITEMS
        return this.#setItems(this.#popMarked());

      case 0x71: // BINPUT
        return this.#remember(this.#uint8());
      case 0x72: // LONG_BINPUT
        return this.#remember(this.#uint32());
      case 0x94: // MEMOIZE
        return this.#remember(this.#memo.size);
      case 0x68: // BINGET
        return this.#recall(this.#uint8());
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#uint32());

      case 0x63: // GLOBAL
        return this.#global(this.#line(), this.#line());
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        return this.#global(String(module), String(name));
      }
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        return this.#call();
      case 0x62: // BUILD
        return this.#build();
      case 0x51: // BINPERSID
        return this.#options.persistent(this.#pop());
      default:
        throw this.#damaged(`opcode 0x${opcode.toString(16)} at byte ${this.#position - 1} is not read`);
    }
  }

  #global(module: string, name: string): unknown {
    const found = this.#options.globals.get(`${module}.${name}`);
    if (found) return "value" in found ? found.value : found;
    throw new LlavaError(
      "checkpoint",
      `${this.#options.where}: the pickle asks for ${module}.${name}; only tensors and plain containers are read`,
      {
        hint: "Pickles can run code when opened elsewhere. Get a safetensors file, or save only the state dict.",
      },
    );
  }

  #call(): unknown {
    const [callee, args] = this.#popMany(2);
    const call = (callee as { call?: unknown } | undefined)?.call;
    if (typeof call !== "function" || !Array.isArray(args))
      throw this.#damaged("a call of what is no function");
    return call(...args);
  }

  /** State on an ordered dict is its attributes (`_metadata` of a state dict), which hold no tensors. */
  #build(): typeof NOTHING {
    this.#pop();
    if (!(this.#top() instanceof Map)) throw this.#damaged("state set on what is no dict");
    return NOTHING;
  }

  #append(items: readonly unknown[]): typeof NOTHING {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#damaged("items appended to what is no list");
    for (const item of items) list.push(item);
    return NOTHING;
  }

  #setItems(items: readonly unknown[]): typeof NOTHING {
    const dict = this.#top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw this.#damaged("items set in what is no dict");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
    return NOTHING;
  }

  #remember(key: number): typeof NOTHING {
    this.#memo.set(key, this.#top());
    return NOTHING;
  }

  #recall(key: number): unknown {
    if (!this.#memo.has(key)) throw this.#damaged(`memo ${key} is not set`);
    return this.#memo.get(key);
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw this.#damaged("its stack is empty");
    return this.#stack.at(-1);
  }

  #pop(): unknown {
    this.#top();
    return this.#stack.pop();
  }

  #popMany(count: number): unknown[] {
    if (this.#stack.length < count) throw this.#damaged("its stack is empty");
    return this.#stack.splice(-count);
  }

  #popMarked(): unknown[] {
    const items = this.#stack;
    const outer = this.#marked.pop();
    if (!outer) throw this.#damaged("no mark is set");
    this.#stack = outer;
    return items;
  }

  #take(count: number): number {
    const start = this.#position;
    if (count > this.#bytes.byteLength - start) {
      throw this.#damaged(`cut short: ${count} bytes wanted at ${start} of ${this.#bytes.byteLength}`);
    }
    this.#position = start + count;
    return start;
  }

  #uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  #uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  #uint64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#take(8)));
  }

  #text(length: number, encoding: "utf8" | "latin1"): string {
    const start = this.#take(length);
    return this.#bytes.toString(encoding, start, start + length);
  }

  #raw(length: number): Uint8Array {
    const start = this.#take(length);
    return Uint8Array.from(this.#bytes.subarray(start, start + length));
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    const text = this.#text((end < 0 ? this.#bytes.byteLength : end) - this.#position, "utf8");
    this.#take(1);
    return text;
  }

  /** Two's complement, little endian, of any length. */
  #integer(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES) throw this.#damaged(`an integer of ${length} bytes`);
    const digits = this.#bytes.subarray(this.#take(length), this.#position);
    const unsigned = digits.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    const value = BigInt.asIntN(8 * length, unsigned);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #damaged(what: string): LlavaError {
    return new LlavaError("checkpoint", `${this.#options.where}: damaged pickle: ${what}`, {
      hint: "Download the file again, or save the state dict again with torch.save.",
    });
  }
}
