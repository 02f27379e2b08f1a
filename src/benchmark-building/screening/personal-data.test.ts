import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { personalData } from "./personal-data.ts";

const kindsIn = (text: string): string[] => personalData(text).map(({ kind }) => kind);

describe("personal data", () => {
  test("are found in the forms that people write them in", () => {
    const examples: Record<string, readonly string[]> = {
      email: [
        "anna.schmidt@example.org",
        "a_b+c@mail.example.co.uk please",
        "name(at)example.com",
        "王@例子.com",
      ],
      phone: [
        "+49 170 1234567",
        "(415) 555-0132",
        "415-555-0132",
        "0171 1234567",
        "+1.415.555.0132",
        "13812345678",
      ],
      iban: ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"],
      card: ["4111 1111 1111 1111", "5500-0000-0000-0004"],
      "ip-address": ["192.168.1.20", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"],
      "national-id": ["078-05-1120", "11010519491231002X", "AB 12 34 56 C"],
      key: [
        "sk-abcdefghijklmnopqrstuv",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN RSA PRIVATE KEY-----",
        "password: hunter22",
      ],
      place: ["48.858370, 2.294481", "40° 26′ 46″ N"],
      name: ["Ask Dr. Miller about it", "Frau Schmidt"],
      address: ["221 Baker Street", "Hauptstraße 12"],
    };
    for (const [kind, texts] of Object.entries(examples))
      for (const text of texts) assert.deepEqual(kindsIn(`Is it ${text}`), [kind], text);
  });

  test("are not seen in numbers and words that are none", () => {
    for (const text of [
      "What is 2 + 2, and what are 12 * 345?",
      "From 1939-1945 there was a war; on 2024-05-10 there was none, nor on 10.05.2024.",
      "The box is at [0.12, 0.345, 0.6, 0.7].",
      "Solve 3.14159 x = 2.71828, version 1.2.3.",
      "It costs 1,234,567 dollars, 50% off.",
      "Rate it 10/10 @ home. Which number is 4111 1111 1111 1112?",
      "How many of the 12 dogs and 8 cats?",
    ])
      assert.deepEqual(kindsIn(text), [], text);
  });
});
