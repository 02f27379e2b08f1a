/** What may tell of a person or open a door. */
export const personalKinds = {
  email: "an e-mail address",
  phone: "a telephone number",
  iban: "a bank account",
  card: "a payment card",
  "ip-address": "an IP address",
  "national-id": "a number of a national register",
  key: "a key or a password",
  place: "coordinates of a place",
  name: "a name with a title",
  address: "a street address",
} as const;
export type PersonalKind = keyof typeof personalKinds;

export interface PersonalData {
  readonly kind: PersonalKind;
  /** The words that look like it. */
  readonly text: string;
}

/** What in a text looks like personal data. It finds too much rather than too little: people decide. */
export function personalData(text: string): PersonalData[] {
  const found: PersonalData[] = [];
  // A number is of the first kind that it fits: what a check sum proves comes first.
  let rest = text.normalize("NFKC");
  for (const { kind, pattern, isOne } of rules)
    rest = rest.replace(pattern, (match) => {
      if (isOne !== undefined && !isOne(match)) return match;
      found.push({ kind, text: match.trim() });
      return " ".repeat(match.length);
    });
  return found;
}

interface Rule {
  readonly kind: PersonalKind;
  readonly pattern: RegExp;
  readonly isOne?: (match: string) => boolean;
}

const digitsOf = (text: string): number[] =>
  [...text].flatMap((character) => (/\d/.test(character) ? [Number(character)] : []));

/** The check sum of payment cards (ISO/IEC 7812). */
function isCard(text: string): boolean {
  const digits = digitsOf(text).reverse();
  const sum = digits.reduce((total, digit, at) => {
    const weighted = at % 2 === 1 ? 2 * digit : digit;
    return total + (weighted > 9 ? weighted - 9 : weighted);
  }, 0);
  return digits.length >= 13 && digits.length <= 19 && sum % 10 === 0 && new Set(digits).size > 1;
}

/** The check sum of accounts (ISO 13616): letters are numbers from 10, and all of it is 1 modulo 97. */
function isIban(text: string): boolean {
  const packed = text.replace(/\s/g, "").toUpperCase();
  const turned = packed.slice(4) + packed.slice(0, 4);
  const numbers = turned.replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55));
  return [...numbers].reduce((rest, digit) => (10 * rest + Number(digit)) % 97, 0) === 1;
}

/** The check digit of China's resident numbers (GB 11643). */
function isResidentNumber(text: string): boolean {
  const sum = [...text.slice(0, 17)].reduce(
    (total, digit, at) => total + Number(digit) * (2 ** (17 - at) % 11),
    0,
  );
  return "10X98765432"[sum % 11] === text[17]!.toUpperCase();
}

function isPhone(text: string): boolean {
  const count = digitsOf(text).length;
  const isYears = /^\s*(1[89]|20)\d\d\s*[-–]\s*(1[89]|20)\d\d\s*$/.test(text);
  const isDate = /^\s*\d{4}[-./]\d{1,2}[-./]\d{1,2}\s*$|^\s*\d{1,2}[-./]\d{1,2}[-./]\d{4}\s*$/.test(text);
  const isMarked =
    /^\s*(\+|00|\()/.test(text) || /\d[\s.-]\(?\d/.test(text) || /^\s*[01]\d{9,10}\s*$/.test(text);
  return count >= 8 && count <= 15 && isMarked && !isYears && !isDate;
}

const rules: readonly Rule[] = [
  { kind: "key", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/g },
  {
    kind: "key",
    pattern:
      /\b(?:sk-[\w-]{16,}|AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+)/g,
  },
  { kind: "key", pattern: /\b(?:password|passwort|passwd|pwd|密码)\s*(?:is|=|:|：)\s*\S{4,}/gi },
  {
    kind: "email",
    pattern: /[\p{L}\p{N}._%+-]+\s?(?:@|\(at\)|\[at\])\s?[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu,
  },
  { kind: "iban", pattern: /\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{2,4}){3,8}\b/g, isOne: isIban },
  { kind: "national-id", pattern: /\b\d{17}[\dXx]\b/g, isOne: isResidentNumber },
  { kind: "card", pattern: /\b\d(?:[ -]?\d){12,18}\b/g, isOne: isCard },
  { kind: "national-id", pattern: /\b(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b/g },
  { kind: "national-id", pattern: /\b[A-CEGHJ-PR-TW-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]\b/g },
  {
    kind: "ip-address",
    pattern: /\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b(?!\.\d)/g,
  },
  { kind: "ip-address", pattern: /\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b/gi },
  { kind: "place", pattern: /[-+]?\d{1,2}\.\d{4,}\s*°?\s*[NS]?\s*[,;]\s*[-+]?\d{1,3}\.\d{4,}\s*°?\s*[EW]?/g },
  {
    kind: "place",
    pattern: /\d{1,3}\s*°\s*\d{1,2}\s*['′]\s*(?:\d{1,2}(?:\.\d+)?\s*(?:"|['′]{2})\s*)?[NSEW]\b/g,
  },
  {
    kind: "phone",
    pattern: /(?<![\d.])(?:\+|00)?\(?\d(?:[\s().\-/–]{0,2}\d){6,15}(?![\d.]*\d)/g,
    isOne: isPhone,
  },
  {
    kind: "address",
    pattern:
      /\b\d{1,5}\s+(?:\p{Lu}\p{L}+\s+){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Square)\b|\b\p{Lu}\p{L}*(?:straße|strasse|gasse|weg)\s+\d{1,4}\b/gu,
  },
  { kind: "name", pattern: /\b(?:Mr|Mrs|Ms|Dr|Prof|Herr|Frau|Madame|Monsieur|Señora?)\.?\s+\p{Lu}\p{L}+/gu },
];
