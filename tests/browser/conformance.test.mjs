// The codec on files of Python: $DLF_BROWSER_CASES names a folder of
// tests/browser/cases.py.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Codec } from "../../dlf_jax/web/codec.js";
import { UserError } from "../../dlf_jax/web/errors.js";
import { readSafetensors } from "../../dlf_jax/web/safetensors.js";

const FOLDER = process.env.DLF_BROWSER_CASES;

const read = (name) => Uint8Array.from(readFileSync(join(FOLDER, name)));
const readJson = (name) => JSON.parse(readFileSync(join(FOLDER, name), "utf8"));

const cases = FOLDER ? readJson("cases.json") : { files: [], damaged: [] };
const codec = FOLDER && load();

function load() {
  const tables = read("tables.safetensors").buffer;
  return new Codec(readJson("model.json"), tables, cases.maxPixels);
}

for (const { name, width, height, rate } of cases.files) {
  test(`${name}: ${width} x ${height}, rate ${rate}`, () => {
    const file = read(`${name}.dlf`);
    const arrays = readSafetensors(read(`${name}.safetensors`).buffer);
    const expected = Object.fromEntries(
      Array.from(arrays, ([key, { values }]) => [key, values]),
    );
    const { header, code } = codec.decode(file);
    assert.deepEqual([header.width, header.height, header.rate], [width, height, rate]);
    same(code, expected);
    const { tokens, analysis } = expected;
    const image = { width, height, rate, tokens, latent: analysis };
    const encoded = codec.encode(image);
    assert.deepEqual(encoded.file, file);
    same(encoded.code, expected);
    const { bits } = encoded.code;
    const total = bits.parts.reduce((sum, part) => sum + part, bits.tokens) / 8;
    assert.ok(total < file.length && total > 0);
  });
}

function same(code, { tokens, symbols, latent }) {
  assert.deepEqual(code.tokens, tokens);
  assert.deepEqual(code.symbols.flatMap((part) => [...part]), [...symbols]);
  assert.deepEqual(code.latent, latent);
}

test("damage that Python rejects is rejected", { skip: !FOLDER }, () => {
  for (const { hex, sum } of cases.damaged) {
    const data = Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
    if (sum === null) {
      assert.throws(() => codec.decode(data), isOneSentence, hex);
    } else {
      const { tokens, symbols } = codec.decode(data).code;
      const found = [tokens, ...symbols].flatMap((part) => [...part]);
      assert.equal(found.reduce((a, b, i) => a + b * (i + 1), 0), sum, hex);
    }
  }
});

test("changed bytes and cuts of a file are rejected", { skip: !FOLDER }, () => {
  const file = read(`${cases.files[0].name}.dlf`);
  for (let i = 0; i < file.length; i++) {
    assert.throws(() => codec.decode(file.subarray(0, i)), isOneSentence);
    for (const change of [1, 128, 255, 90]) {
      const changed = file.slice();
      changed[i] ^= change;
      assert.throws(() => codec.decode(changed), isOneSentence);
    }
  }
});

function isOneSentence(error) {
  return error instanceof UserError && /^[^\n]+$/.test(error.message);
}
