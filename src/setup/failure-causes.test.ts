import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildFailure, pipFailure } from "./failure-causes.ts";

const none = "ERROR: No matching distribution found for torch==2.15.0";

describe("the cause of a failure of", () => {
  const pip: [string, string[], string, RegExp, RegExp][] = [
    [
      "a full disk",
      ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
      "setup",
      /disk is full/,
      /LLAVA_HOME/,
    ],
    [
      "a dead connection",
      ["WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(…)'", `${none}`],
      "network",
      /cannot be reached/,
      /connection/,
    ],
    [
      "a proxy",
      ["WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.')'", none],
      "network",
      /proxy/,
      /HTTPS_PROXY/,
    ],
    [
      "a certificate",
      [
        "WARNING: Retrying after 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'",
        none,
      ],
      "network",
      /certificate/,
      /PIP_CERT/,
    ],
    [
      "an index without the package",
      [
        "ERROR: Could not find a version that satisfies the requirement torch==2.15.0 (from versions: none)",
        none,
      ],
      "network",
      /cannot be reached, or does not hold/,
      /pip config list/,
    ],
    [
      "an index without this version",
      ["ERROR: Could not find a version (from versions: 1.4.0, 2.14.1)", none],
      "network",
      /no such file for this machine/,
      /holds the package/,
    ],
    [
      "another file",
      ["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."],
      "network",
      /another file than the one pinned/,
      /another index/,
    ],
    [
      "the running Python",
      ["ERROR: Package 'torch' requires a different Python: 3.10.13 not in '>=3.11'"],
      "setup",
      /running Python/,
      /newer Python/,
    ],
    [
      "credentials",
      ["ERROR: HTTP error 403 while getting x", "ERROR: 403 Client Error: Forbidden for url"],
      "network",
      /credentials/,
      /index-url/,
    ],
    ["anything else", ["something new"], "network", /pip failed: something new/, /Run it again/],
  ];
  for (const [name, tail, code, message, hint] of pip)
    test(`pip: ${name}`, () => {
      const error = pipFailure(1, tail, "/logs/pip.log", {});
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.match(error.hint!, hint);
      assert.match(error.hint!, /\/logs\/pip\.log/);
    });

  test("pip: a variable that keeps it from the index, and a kill", () => {
    const without = pipFailure(1, [none], "log", { PIP_NO_INDEX: "1" });
    assert.match(without.message, /PIP_NO_INDEX/);
    assert.match(pipFailure(137, [], "log", {}).message, /was killed/);
  });

  const build: [string, string[], RegExp, RegExp][] = [
    [
      "an old CMake",
      [
        "CMake Error at CMakeLists.txt:1:",
        "  CMake 3.18 or higher is required.  You are running version 3.16.3",
      ],
      /CMake is too old/,
      /newer/,
    ],
    ["memory", ["c++: fatal error: Killed signal terminated program cc1plus"], /memory/, /memory/],
    [
      "an old compiler",
      ["c++: error: unrecognized command line option '-std=c++20'"],
      /no C\+\+20/,
      /g\+\+ 11/,
    ],
    ["no compiler", ["No CMAKE_CXX_COMPILER could be found."], /compiler does not work/, /g\+\+ 11/],
    ["the sources", ["addon.cc:1:1: error: no such type"], /did not compile:\naddon\.cc:1:1/, /C\+\+20/],
  ];
  for (const [name, tail, message, hint] of build)
    test(`the build: ${name}`, () => {
      const error = buildFailure(tail, "/build.log");
      assert.equal(error.code, "setup");
      assert.match(error.message, message);
      assert.match(error.hint!, hint);
      assert.match(error.hint!, /in \/build\.log/);
    });
});
